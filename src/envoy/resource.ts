// Plain JSON that stands in Envoy's configuration, and the names that its parts agree on.
import type { Lane } from '../mesh/lanes.ts';
import type { Service } from '../mesh/mesh.ts';
import type { Inbound } from '../mesh/workload.ts';
import type { Label } from '../traffic/label.ts';

/** A part of Envoy's configuration: JSON, as it stands in the file. */
export type Resource = { readonly [field: string]: unknown };

/** The name of the external processor's filter, by which routes enable it. */
export const processorFilter = 'lanekeeper.ext_proc';

/** The cluster that is the lanekeeper process beside this Envoy. */
export const processorCluster = 'lane_processor';

/** The control plane beside this Envoy: the same process. */
export const controlCluster = 'lane_control';

/** The cluster of the application behind an inbound port. */
export const applicationCluster = ({ listen, captured }: Inbound): string =>
  captured ? capturedCluster : `application_${listen.port}`;

/** The application of a pod whose callers the kernel redirects: where they meant to go. */
export const capturedCluster = 'application';

/** Wherever the caller meant to go, if that is no instance of a service. */
export const passthroughCluster = 'passthrough';

/** Nowhere: for who connects to what only the kernel redirects to. */
export const blackholeCluster = 'blackhole';

/** The database proxies of the lanekeeper beside this Envoy. */
export const databaseCluster = 'lane_database';

/** The instance that the client picked itself. */
export const pickedCluster = 'picked';

/** True destination of a request that leaves, written by Envoy: the key of virtual hosts. */
export const destinationHeader = 'x-lanekeeper-dst';

/** The label header as the application itself sent it: what is not there was added before routes. */
export const sentHeader = 'x-lanekeeper-sent';

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

export type Target = { readonly cluster: string; readonly members: readonly string[] };

/**
 * The cluster of a lane and what it tries: `b|gray` alone where fallback is refused, else `b|gray+`. Member i serves attempt
 * i, and one that is empty is skipped, so base stands last and twice; a lane without parents is tried twice as well.
 */
export function laneTarget(service: string, { label, chain }: Lane): Target {
  if (chain.length === 1) return alone(laneCluster(service, label));
  const doubled = chain.length === 2 ? [label, ...chain] : chain;
  const members = [...doubled, undefined].map((each) => laneCluster(service, each));
  return { cluster: `${laneCluster(service, label)}+`, members };
}

/**
 * The same where the client has picked an instance of the lane: its pick first, `b|gray^+`, or `b|gray^` without fallback.
 * Then the lane twice, as ever: with one attempt only, the other instances were passed over where the pick was dead.
 */
export function pickedLaneTarget(service: string, lane: Lane): Target {
  const { members } = laneTarget(service, lane);
  const cluster = `${laneCluster(service, lane.label)}^${members.length > 1 ? '+' : ''}`;
  return { cluster, members: [pickedCluster, ...(members.length > 1 ? members : fourTimes(members[0] ?? ''))] };
}

export function baseTarget(service: string): Target {
  return alone(laneCluster(service, undefined));
}

/** `b|base^`: the instance of base that the client picked, else another. */
export function pickedBaseTarget(service: string): Target {
  const base = laneCluster(service, undefined);
  return { cluster: `${base}^`, members: [pickedCluster, ...fourTimes(base)] };
}

function fourTimes(cluster: string): string[] {
  return [cluster, cluster, cluster, cluster];
}

function alone(cluster: string): Target {
  return { cluster, members: [cluster] };
}

/** Where this Envoy and its lanekeeper meet: paths of sockets and files. */
export type RunPaths = {
  readonly adminSocket: string;
  readonly processorSocket: string;
  readonly controlSocket: string;
  /** Where lanekeeper takes connections to databases, which begin with a PROXY header. */
  readonly databaseSocket: string;
  /** Where Envoy opens them for lanekeeper, told by such a header as well. */
  readonly databaseExitSocket: string;
  /** A file or `stdout`; no access log where absent. */
  readonly accessLog?: string;
};
