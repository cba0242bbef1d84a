// Route tables: the gateway's, one for each inbound port, and that of the services which this pod calls.

import { refusingLabels } from '../../mesh/lanes.ts';
import { findService, lanesOfWorkload, type Mesh } from '../../mesh/mesh.ts';
import type { Inbound, Outbound, Workload } from '../../mesh/workload.ts';
import { capturedPort, formatAddress } from '../../mesh/workload.ts';
import { rulesFor, speaksOfDatabases, type TrafficRule } from '../../rules/compile.ts';
import { sourceHeader } from '../../traffic/source-labels.ts';
import { capturedServices, destinationsOf, resolve } from '../destinations/destinations.ts';
import { destinationHost, passthroughHost } from '../destinations/hosts.ts';
import { applicationCluster, destinationHeader, type Resource, sentHeader, traceHeader } from '../resource.ts';
import { gatesOf, isBelow, maxGates, pathMatch } from './gate.ts';
import {
  answered,
  ask,
  hasRememberedTrace,
  introducing,
  labelling,
  refuse,
  safeRetry,
  usualAttempts,
  withLabel,
} from './route.ts';
import { type Gate, serviceRoutes } from './service.ts';

/** Name of the route table of an inbound port. */
export const inboundTable = ({ listen }: Inbound): string => `inbound_${listen.port}`;

/** Name of its table for callers that are no trusted peers. */
export const untrustedTable = (inbound: Inbound): string => `${inboundTable(inbound)}_untrusted`;

/**
 * Every route table of a pod, by name: `gateway`, `outbound` and one for each inbound port. What changes with the rules
 * is the gate; what changes with the mesh is the lanes.
 */
export function renderRoutes(
  workload: Workload,
  mesh: Mesh,
  host: HostRenderer = destinationHost,
): ReadonlyMap<string, Resource> {
  const tables = new Map<string, Resource>();
  if (workload.gateway) tables.set('gateway', gatewayTable(workload, mesh));
  for (const inbound of inboundPorts(workload, mesh)) {
    const edge = isEdge(inbound, workload, mesh);
    const ports = [{ inbound, edge, name: inboundTable(inbound) }];
    if (!edge && workload.trustedPeers) ports.push({ inbound, edge: true, name: untrustedTable(inbound) });
    for (const port of ports) tables.set(port.name, applicationTable(port, workload, mesh));
  }
  if (workload.outbound.length > 0 || workload.interception)
    tables.set('outbound', outboundTable(workload, mesh, host));
  return tables;
}

/** Renders the virtual host of some addresses; the one that is given may remember what it has rendered. */
export type HostRenderer = typeof destinationHost;

/** The inbound ports of the settings, and, where callers are redirected, those of the pod's own service. */
export function inboundPorts({ inbound, interception, service, namespace }: Workload, mesh: Mesh): readonly Inbound[] {
  const own = interception && service !== undefined ? findService(mesh, service, namespace) : undefined;
  if (own === undefined) return inbound;
  const http = new Set(own.ports.filter(({ protocol }) => protocol !== 'tcp').map(({ port }) => port));
  const ports = own.instances.filter(({ servicePort }) => http.has(servicePort)).map(({ port }) => port);
  const known = new Set(inbound.map(({ listen }) => listen.port));
  const added = [...new Set(ports)].filter((port) => !known.has(port)).sort((a, b) => a - b);
  return [...inbound, ...added.map(capturedPort)];
}

/** True where untrusted callers arrive: by the settings, or by the document of the service for the port behind it. */
export function isEdge(inbound: Inbound, workload: Workload, mesh: Mesh): boolean {
  const service = workload.service === undefined ? undefined : findService(mesh, workload.service, workload.namespace);
  const instance = service?.instances.find(({ port }) => port === inbound.listen.port);
  const port = instance?.servicePort ?? inbound.application.port;
  return inbound.edge || service?.ports.some((candidate) => candidate.port === port && candidate.edge) === true;
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
    const gates = ruleGates(rules, path, limit).filter(
      ({ match }) => !longer.some((other) => typeof match['path'] === 'string' && isBelow(match['path'], other)),
    );
    const { namespace } = workload;
    const refusing = refusingLabels(mesh.rules);
    return serviceRoutes({ service, port: service.ports[0].port, namespace, match: pathMatch(path), gates, refusing });
  });
  const host = { name: 'gateway', domains: ['*'], routes, ...introducing(workload, mesh) };
  return routeConfiguration('gateway', { virtual_hosts: [{ ...host, retry_policy: safeRetry(usualAttempts) }] });
}

function outboundTable(workload: Workload, mesh: Mesh, host: HostRenderer): Resource {
  const { namespace, propagation, outbound, interception } = workload;
  const own = lanesOfWorkload(mesh.rules, workload)[0];
  const gates = propagation === 'trace' ? [{ match: hasRememberedTrace }] : [];
  const pod = { namespace, gates, own, refusing: refusingLabels(mesh.rules), introducing: introducing(workload, mesh) };
  const local = outbound.map((each) => {
    const domains = [formatAddress(each.listen)];
    const called = resolve(each, workload, mesh);
    if (called === undefined) return { name: domains[0], domains, routes: [noService(each)] };
    return { ...host({ domains, called: [called] }, pod), name: domains[0] };
  });
  const captured = destinationsOf(capturedServices(workload, mesh)).map((each) => host(each, pod));
  const hosts = [...local, ...captured, ...(interception ? [passthroughHost] : [])];
  return routeConfiguration('outbound', { vhost_header: destinationHeader, virtual_hosts: hosts });
}

type InboundPort = { readonly inbound: Inbound; readonly edge: boolean; readonly name: string };

/**
 * The routes of an inbound port: the application is the only destination, so they say who is asked, and that a request
 * without a label takes the workload's own on entry. A kubelet's probe is no traffic, and is left alone. Who calls is for
 * the processor, and no business of the application.
 */
function applicationTable({ inbound, edge, name }: InboundPort, workload: Workload, mesh: Mesh): Resource {
  const own = lanesOfWorkload(mesh.rules, workload)[0];
  const toApplication = { route: { cluster: applicationCluster(inbound), timeout: '0s' } };
  const labelled = withLabel({ prefix: '/' }, { safe_regex: { regex: '.+' } });
  const trace = { name: traceHeader, present_match: true };
  // For its statements a labelled request needs a trace, where somebody before handed on only the label.
  const needsTrace = workload.databases === true && own === undefined && speaksOfDatabases(mesh.rules);
  const labelledTrace = { ...labelled, headers: [...(labelled['headers'] as Resource[]), trace] };
  const correlates = workload.propagation === 'trace';
  const probe = { prefix: '/', headers: [{ name: 'user-agent', string_match: { prefix: 'kube-probe/' } }] };
  const rest = { ...toApplication, ...labelling(own) };
  const gates = ruleGates(rulesFor(mesh.rules, { ...workload, edge }));
  const mayRefuse = gates.some((gate) => gate.refuse);
  const routes = [
    { name: 'in/probe', match: probe, ...toApplication },
    ...(correlates
      ? [{ name: 'in/remember', match: needsTrace ? labelled : labelledTrace, ...toApplication, ...ask }]
      : []),
    { name: 'in/carried', match: labelled, ...toApplication },
    ...(mayRefuse
      ? [{ name: 'in/base:asked', match: { prefix: '/', ...answered('reason', { present_match: true }) }, ...rest }]
      : []),
    ...gates.map((gate) => ({
      name: 'in/ask',
      match: gate.match,
      ...(gate.refuse ? refuse('lanekeeper cannot be asked whether this request may reach base') : rest),
      ...ask,
    })),
    // A trace without a label counts in conflicts, where requests have been judged here (propagation/memory.ts).
    ...(correlates && gates.length > 0 && own === undefined
      ? [{ name: 'in/base:remember', match: { prefix: '/', headers: [trace] }, ...rest, ...ask }]
      : []),
    { name: own === undefined ? 'in/base' : `in/${own}:entered`, match: { prefix: '/' }, ...rest },
  ];
  const host = { name: 'application', domains: ['*'], routes, request_headers_to_remove: [sourceHeader] };
  return routeConfiguration(name, { virtual_hosts: [host] });
}

/** Rules whose label must never reach base come first: where both match, no answer is a refusal. */
function ruleGates(rules: readonly TrafficRule[], prefix?: string, limit?: number): Gate[] {
  const refusing = rules.filter(({ onFailure }) => onFailure === 'refuse');
  const others = rules.filter(({ onFailure }) => onFailure !== 'refuse');
  return [
    ...gatesOf(refusing, prefix, limit).map((match) => ({ match, refuse: true })),
    ...gatesOf(others, prefix, limit).map((match) => ({ match })),
  ];
}

function noService({ service, port }: Outbound): Resource {
  const what = port === undefined ? `service ${service}` : `port ${port} of service ${service}`;
  return { name: 'no-service', match: { prefix: '/' }, ...refuse(`${what} is not in the mesh`) };
}

function routeConfiguration(name: string, table: Resource): Resource {
  return {
    name,
    request_headers_to_remove: [destinationHeader, sentHeader, traceHeader],
    ...table,
  };
}
