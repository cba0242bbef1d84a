// Route tables: what is asked, which lane a request takes, and what happens where there is none. First match wins.

import { findService, lanesOf, lanesOfWorkload, type Mesh, type Service } from '../mesh/mesh.ts';
import type { Inbound, Outbound, Workload } from '../mesh/workload.ts';
import { formatAddress } from '../mesh/workload.ts';
import { rulesFor } from '../rules/compile.ts';
import { metadataNamespace } from '../traffic/agreement.ts';
import { baggageMember, type Label, labelHeader } from '../traffic/label.ts';
import { gatesOf, isBelow, maxGates, pathMatch } from './gate.ts';
import {
  applicationCluster,
  destinationHeader,
  fallbackCluster,
  laneCluster,
  processorFilter,
  type Resource,
  reasonHeader,
  rememberingKey,
  serviceName,
  traceHeader,
  typeUrl,
} from './resource.ts';

/** Name of the route table of an inbound port. */
export const inboundTable = ({ listen }: Inbound): string => `inbound_${listen.port}`;

/**
 * Every route table of a pod, by name: `gateway`, `outbound` and one for each inbound port. What changes with the rules
 * is the gate; what changes with the mesh is the lanes.
 */
export function renderRoutes(workload: Workload, mesh: Mesh): ReadonlyMap<string, Resource> {
  const tables = new Map<string, Resource>();
  if (workload.gateway) tables.set('gateway', gatewayTable(workload, mesh));
  for (const inbound of workload.inbound) tables.set(inboundTable(inbound), applicationTable(inbound, workload, mesh));
  if (workload.outbound.length > 0) tables.set('outbound', outboundTable(workload, mesh));
  return tables;
}

/** True where untrusted callers arrive: by the settings, or by the document of the service. */
export function isEdge(inbound: Inbound, workload: Workload, mesh: Mesh): boolean {
  const service = workload.service === undefined ? undefined : findService(mesh, workload.service, workload.namespace);
  return inbound.edge || service?.ports.find(({ port }) => port === inbound.application.port)?.edge === true;
}

/** Of all entries together: each has gates of its own. */
const maxGatewayGates = 2_000;

function gatewayTable(workload: Workload, mesh: Mesh): Resource {
  const rules = rulesFor(mesh.rules, { ...workload, edge: true });
  const entries = [...mesh.services.values()].flatMap((service) => service.paths.map((path) => ({ service, path })));
  entries.sort((a, b) => b.path.length - a.path.length || (a.path < b.path ? -1 : 1));
  const limit = Math.min(maxGates, Math.max(10, Math.floor(maxGatewayGates / entries.length)));
  const routes = entries.flatMap(({ service, path }) => {
    // A rule for a path that a longer entry owns has its gate there.
    const longer = entries.filter((other) => other.path.length > path.length).map((other) => other.path);
    const gates = gatesOf(rules, path, limit).filter(
      (gate) => !longer.some((other) => typeof gate['path'] === 'string' && isBelow(gate['path'], other)),
    );
    return serviceRoutes({ service, port: service.ports[0].port, workload, match: pathMatch(path), gates });
  });
  const table = { virtual_hosts: [{ name: 'gateway', domains: ['*'], routes, retry_policy: safeRetry }] };
  return routeConfiguration('gateway', table);
}

function outboundTable(workload: Workload, mesh: Mesh): Resource {
  const hosts = workload.outbound.map((outbound) => {
    const domains = [formatAddress(outbound.listen)];
    const service = findService(mesh, outbound.service, workload.namespace);
    const port = service && (outbound.port ?? service.ports[0].port);
    const known = service?.ports.some((candidate) => candidate.port === port);
    if (service === undefined || port === undefined || !known)
      return { name: domains[0], domains, routes: [noService(outbound)] };
    const gates = workload.propagation === 'trace' ? [askByTrace] : [];
    const own = lanesOfWorkload(mesh.rules, workload)[0];
    const routes = serviceRoutes({ service, port, workload, match: { prefix: '/' }, gates, own });
    return { name: domains[0], domains, routes, retry_policy: safeRetry };
  });
  return routeConfiguration('outbound', { vhost_header: destinationHeader, virtual_hosts: hosts });
}

/** The routes of an inbound port: the application is the only destination, so they only say who is asked. */
function applicationTable(inbound: Inbound, workload: Workload, mesh: Mesh): Resource {
  const edge = isEdge(inbound, workload, mesh);
  const route = { cluster: applicationCluster(inbound.listen.port), timeout: '0s' };
  const labelled = { name: labelHeader, string_match: { safe_regex: { regex: '.+' } } };
  const hasTrace = { name: traceHeader, present_match: true };
  const remember = { name: 'in/remember', match: { prefix: '/', headers: [labelled, hasTrace] }, route, ...ask };
  const carried = { name: 'in/carried', match: { prefix: '/', headers: [labelled] }, route };
  const gates = gatesOf(rulesFor(mesh.rules, { ...workload, edge }));
  const routes = [
    ...(workload.propagation === 'trace' ? [remember] : []),
    carried,
    ...gates.map((match) => ({ name: 'in/ask', match, route, ...ask })),
    { name: 'in/base', match: { prefix: '/' }, route },
  ];
  return routeConfiguration(inboundTable(inbound), {
    virtual_hosts: [{ name: 'application', domains: ['*'], routes }],
  });
}

type ServiceRoutes = {
  readonly service: Service;
  readonly port: number;
  readonly workload: Workload;
  readonly match: Resource;
  /** What is asked, where no label is known. */
  readonly gates: readonly Resource[];
  /** The label that unlabelled requests of this workload get. */
  readonly own?: Label | undefined;
};

/**
 * asked → lane by header → another label → ask → the workload's own label, or base. A route is called after the lane
 * that it wants and how that became known, `b/gray:asked`: with the lane that answered, statistics show every fallback.
 */
function serviceRoutes({ service, port, workload, match, gates, own }: ServiceRoutes): Resource[] {
  const name = serviceName(service, port, workload.namespace);
  const lanes = lanesOf(service, port);
  const toLane = (label: Label) => to(service.strict ? laneCluster(name, label) : fallbackCluster(name, label));
  const toBase = to(laneCluster(name, undefined));
  const byAnswer = lanes.map((label) => ({
    name: `${name}/${label}:asked`,
    match: { ...match, dynamic_metadata: [decided(label)] },
    route: toLane(label),
  }));
  const byHeader = lanes.map((label) => ({
    name: `${name}/${label}`,
    match: withHeader(match, { exact: label }),
    route: toLane(label),
  }));
  const other = service.strict
    ? { name: `${name}/none:strict`, ...refuse(name) }
    : { name: `${name}/base:unknown`, route: toBase };
  const rest = own === undefined ? { route: toBase } : ownRoute(own);
  return [
    ...byAnswer,
    ...byHeader,
    { ...other, match: withHeader(match, { safe_regex: { regex: '.+' } }) },
    ...gates.map((gate) => ({ name: `${name}/${own ?? 'base'}:ask`, match: gate, ...rest, ...ask })),
    { name: own === undefined ? `${name}/base` : `${name}/${own}:own`, match, ...rest },
  ];

  function ownRoute(label: Label): Resource {
    if (lanes.includes(label)) return { route: toLane(label), request_headers_to_add: labelled(label) };
    return service.strict ? refuse(name) : { route: toBase, request_headers_to_add: labelled(label) };
  }
}

const ask = {
  typed_per_filter_config: {
    [processorFilter]: { '@type': typeUrl('extensions.filters.http.ext_proc.v3.ExtProcPerRoute'), overrides: {} },
  },
};

// Opened by the sidecar while something is remembered: a pod that remembers nothing never asks.
const askByTrace = {
  prefix: '/',
  headers: [{ name: traceHeader, present_match: true }],
  runtime_fraction: { default_value: { numerator: 0, denominator: 'HUNDRED' }, runtime_key: rememberingKey },
};

/**
 * Only what the callee has not begun is sent again. Behind a callee's Envoy a dead application is that Envoy's own 503,
 * which says so in its reason; `reset` would run a POST twice (envoy-lanes.md 3).
 */
const safeRetry = {
  retry_on: 'connect-failure,refused-stream,reset-before-request,retriable-headers',
  retriable_headers: [{ name: reasonHeader, string_match: { prefix: 'UF in/' } }],
  num_retries: 3,
  retry_back_off: { base_interval: '0.005s', max_interval: '0.02s' },
  retry_host_predicate: [
    {
      name: 'envoy.retry_host_predicates.previous_hosts',
      typed_config: { '@type': typeUrl('extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate') },
    },
  ],
  host_selection_retry_max_attempts: 5,
};

function to(cluster: string): Resource {
  return { cluster, timeout: '0s' };
}

function decided(label: Label): Resource {
  return { filter: metadataNamespace, path: [{ key: 'label' }], value: { string_match: { exact: label } } };
}

function withHeader(match: Resource, stringMatch: Resource): Resource {
  return { ...match, headers: [{ name: labelHeader, string_match: stringMatch }] };
}

/** Another line of baggage is another part of the same list (W3C Baggage 3.2.1); a label of its own it cannot hold here. */
function labelled(label: Label): Resource[] {
  return [
    { header: { key: labelHeader, value: label }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
    { header: { key: 'baggage', value: `${baggageMember}=${label}` }, append_action: 'APPEND_IF_EXISTS_OR_ADD' },
  ];
}

function refuse(name: string): Resource {
  return direct(`${name} is strict and has no lane for this label`);
}

function noService({ service, port }: Outbound): Resource {
  const what = port === undefined ? `service ${service}` : `port ${port} of service ${service}`;
  return { name: 'no-service', match: { prefix: '/' }, ...direct(`${what} is not in the mesh`) };
}

function direct(reason: string): Resource {
  return {
    direct_response: { status: 503, body: { inline_string: `${reason}\n` } },
    response_headers_to_add: [{ header: { key: reasonHeader, value: reason } }],
  };
}

function routeConfiguration(name: string, table: Resource): Resource {
  return {
    '@type': typeUrl('config.route.v3.RouteConfiguration'),
    name,
    request_headers_to_remove: [destinationHeader, traceHeader],
    ...table,
  };
}
