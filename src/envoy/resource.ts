// Plain JSON that stands in Envoy's configuration, and the names that its parts agree on.
import type { Lane } from '../mesh/lanes.ts';
import type { Service } from '../mesh/mesh.ts';
import type { Label } from '../traffic/label.ts';

/** A part of Envoy's configuration: JSON, as it stands in the file. */
export type Resource = { readonly [field: string]: unknown };

/** The name of the external processor's filter, by which routes enable it. */
export const processorFilter = 'lanekeeper.ext_proc';

/** The cluster that is the lanekeeper process beside this Envoy. */
export const processorCluster = 'lane_processor';

/** The cluster of the applications behind an inbound port. */
export const applicationCluster = (port: number): string => `application_${port}`;

/** True destination of a request that leaves, written by Envoy: the key of virtual hosts. */
export const destinationHeader = 'x-lanekeeper-dst';

/** First trace identity of a request, written by Envoy: one header, so that one route asks whatever the kind. */
export const traceHeader = 'x-lanekeeper-trace';

/** Why Envoy itself answered: on every reply that no application made. */
export const reasonHeader = 'x-lanekeeper-reason';

/** Runtime key of the share (0 or 100) of label-less requests with a trace that ask the processor. */
export const rememberingKey = 'lanekeeper.remembering';

/** `type.googleapis.com/envoy.` + name. */
export const typeUrl = (name: string): string => `type.googleapis.com/envoy.${name}`;

/** How clusters and routes call a service: `b`, `b.other` in another namespace, `b:9090` for a port that is not its first. */
export function serviceName(service: Service, port: number, namespace: string): string {
  const suffix = service.namespace === namespace ? '' : `.${service.namespace}`;
  return `${escaped(service.name)}${suffix}${port === service.ports[0].port ? '' : `:${port}`}`;
}

/** What parts names of clusters and statistics must not be in one: `providers%3Acom%2Eshop%2EOrders`. */
function escaped(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** `b|gray`, or `b|base` without a label. `|` cannot be in a Kubernetes name, so a name is never ambiguous. */
export function laneCluster(service: string, label: Label | undefined): string {
  return `${service}|${label ?? 'base'}`;
}

/** `b|gray+`: the lane, else base. */
export function fallbackCluster(service: string, label: Label): string {
  return `${service}|${label}+`;
}

/**
 * The cluster of a lane and what it tries: `b|gray` alone where fallback is refused, else `b|gray+`. Member i serves attempt
 * i, and one that is empty is skipped, so base stands last and twice; a lane without parents is tried twice as well.
 */
export function laneTarget(service: string, lane: Lane): { cluster: string; members: readonly string[] } {
  const chain = lane.chain.length === 2 ? [lane.label, ...lane.chain] : lane.chain;
  if (chain.length === 1)
    return { cluster: laneCluster(service, lane.label), members: [laneCluster(service, lane.label)] };
  const members = [...chain, undefined].map((label) => laneCluster(service, label));
  return { cluster: fallbackCluster(service, lane.label), members };
}

/** Where this Envoy and its lanekeeper meet: paths of sockets and files. */
export type RunPaths = {
  readonly adminSocket: string;
  readonly processorSocket: string;
  /** Folder of the route tables, one file each, swapped by rename. */
  readonly routes: string;
  /** A file or `stdout`; no access log where absent. */
  readonly accessLog?: string;
};
