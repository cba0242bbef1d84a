// Everything that happens to one request at one workload: the road of the README, walked by the same code.

import { createDecider } from '../decision/decide.ts';
import type { Reason } from '../decision/decision.ts';
import type { Resource } from '../envoy/resource.ts';
import { evaluate, type Route } from '../envoy/routes/evaluate.ts';
import { inboundTable, renderRoutes } from '../envoy/routes/tables.ts';
import { destinationOf, refusingLabels } from '../mesh/lanes.ts';
import { instancesOf, type Mesh, type Service } from '../mesh/mesh.ts';
import { formatAddress, type Workload } from '../mesh/workload.ts';
import { labelOf, withLabel } from '../propagation/baggage.ts';
import { allTraceHeaders, traceHeaders, traceIds } from '../propagation/trace.ts';
import { rulesFor } from '../rules/compile.ts';
import { explain } from '../rules/explain.ts';
import type { Direction } from '../traffic/agreement.ts';
import { type Label, labelHeader, parseLabel } from '../traffic/label.ts';
import type { Request } from '../traffic/request.ts';
import { sourceHeader } from '../traffic/source-labels.ts';

export type Explanation = {
  readonly at: Direction;
  /** The route that matched first; with `asks`, the processor is asked because of it. */
  readonly first: Route | undefined;
  /** What the processor decides, where it is asked. */
  readonly decision: { readonly label: Label | undefined; readonly reason: Reason } | undefined;
  /** Each rule of this port in order, and what became of it. */
  readonly rules: readonly { readonly rule: string; readonly outcome: string }[];
  /** The route that the request takes in the end. */
  readonly final: Route | undefined;
  /** The label that the request leaves with. */
  readonly label: Label | undefined;
  readonly carriers: Readonly<Record<string, string>>;
  /** What would happen at every service of the mesh to a request with that label. */
  readonly services: readonly { readonly service: string; readonly goes: string }[];
};

export type Walk = {
  readonly at: Direction;
  readonly workload: Workload;
  readonly mesh: Mesh;
  readonly request: Request;
  readonly random: (bytes: number) => Uint8Array;
};

/** What Envoy and lanekeeper would do; with the processor up, nothing remembered, and every instance well. */
export function explainRequest({ at, workload, mesh, request, random }: Walk): Explanation {
  const host = hostOf(at, workload, mesh);
  const arrived = early(request, at, workload);
  const first = evaluate(host, arrived);
  const decider = createDecider({ workload, memory: undefined, random });
  decider.use(mesh);
  const decision = first?.asks ? decider.decide({ request: arrived, direction: at, envoyTrace: undefined }) : undefined;
  const decided = decision ? mutate(arrived, decision.set, decision.remove) : arrived;
  const metadata = decision && { reason: decision.reason, ...(decision.label && { label: decision.label }) };
  const final = decision ? evaluate(host, decided, { metadata }) : first;
  const leaving = mutate(
    decided,
    (final?.adds ?? []).map(({ key, value }) => [key, value]),
    [],
  );
  const label = parseLabel(leaving.header(labelHeader) ?? '');
  return {
    at,
    first,
    decision: decision && { label: decision.label, reason: decision.reason },
    rules: ruleOutcomes(at, workload, mesh, arrived),
    final,
    label,
    carriers: Object.fromEntries(
      [labelHeader, 'baggage', 'traceparent'].flatMap((name) => {
        const value = leaving.header(name);
        return value ? [[name, value]] : [];
      }),
    ),
    services: [...mesh.services.values()].flatMap((service) => fateAt(service, label, mesh)),
  };
}

function hostOf(at: Direction, workload: Workload, mesh: Mesh): Resource {
  const tables = renderRoutes(workload, mesh);
  const name =
    at === 'gateway' || at === 'outbound' ? at : inboundTable(workload.inbound[0] as Workload['inbound'][number]);
  const hosts = (tables.get(name)?.['virtual_hosts'] ?? []) as readonly Resource[];
  return hosts[0] ?? { routes: [] };
}

/** What Envoy does to headers before it matches routes (envoy/headers.ts). */
function early(request: Request, at: Direction, workload: Workload): Request {
  const isEdge = at === 'gateway' || at === 'edge';
  const isInternal = (name: string) =>
    name.startsWith('x-lanekeeper-') ||
    (isEdge && name.startsWith('x-envoy-')) ||
    (name === sourceHeader && at !== 'inbound');
  const removed = isEdge && workload.edgeTrace === 'strip' ? allTraceHeaders : [];
  const kept: Request = {
    ...request,
    header: (name) => (isInternal(name) || removed.includes(name) ? undefined : request.header(name)),
  };
  if (isEdge) {
    const baggage = withLabel(kept.header('baggage'), undefined);
    return mutate(
      kept,
      baggage === undefined ? [] : [['baggage', baggage]],
      baggage === undefined ? [labelHeader, 'baggage'] : [labelHeader],
    );
  }
  const carried = kept.header(labelHeader) === undefined ? labelOf(kept.header('baggage')) : undefined;
  const trace = traceHeaders.map((name) => kept.header(name)).find((value) => value !== undefined);
  return mutate(
    kept,
    [...(carried ? [[labelHeader, carried] as const] : []), ...(trace ? [['x-lanekeeper-trace', trace] as const] : [])],
    [],
  );
}

function mutate(
  request: Request,
  set: readonly (readonly [name: string, value: string])[],
  remove: readonly string[],
): Request {
  const values = new Map(set);
  return {
    ...request,
    header: (name) => values.get(name) ?? (remove.includes(name) ? undefined : request.header(name)),
  };
}

function ruleOutcomes(at: Direction, workload: Workload, mesh: Mesh, request: Request): Explanation['rules'] {
  if (at === 'outbound') return [];
  const rules = rulesFor(mesh.rules, { ...workload, edge: at !== 'inbound' });
  const { rule: winner, lost } = explain(rules, request, traceIds(request)[0]);
  const reasons = new Map(lost.map(({ rule, reason }) => [rule, reason]));
  return rules.map((rule) => ({
    rule: rule.name,
    outcome:
      rule === winner ? `matches: ${rule.label}` : (reasons.get(rule) ?? 'not looked at: an earlier one matches'),
  }));
}

function fateAt(service: Service, label: Label | undefined, mesh: Mesh): Explanation['services'] {
  return service.ports.map(({ port }, index) => {
    const name = `${service.namespace}/${service.name}${index === 0 ? '' : `:${port}`}`;
    return { service: name, goes: fate(service, port, label, mesh) };
  });
}

function fate(service: Service, port: number, label: Label | undefined, mesh: Mesh): string {
  const at = (lane: Label | undefined) => {
    const addresses = instancesOf(service, port, lane).map(formatAddress);
    return `${lane ?? 'base'} (${addresses.join(', ') || 'no instance: 503'})`;
  };
  const destination = destinationOf(service, port, label, refusingLabels(mesh.rules));
  if (destination.kind === 'base') return at(undefined);
  if (destination.kind === 'refused')
    return `refused, 503: ${destination.by === 'label' ? `${label} refuses base` : 'the service is strict'}`;
  return destination.lane.chain.map(at).join(', else ');
}
