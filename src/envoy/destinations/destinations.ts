// Which addresses stand for which service: a request is known by where it really goes, not by what it says in Host.

import { findService, type Mesh, type Service } from '../../mesh/mesh.ts';
import { formatAddress, type Outbound, type Workload } from '../../mesh/workload.ts';
import type { Label } from '../../traffic/label.ts';

export type Called = { readonly service: Service; readonly port: number };

/** Addresses that are treated alike, because the same services are behind them. */
export type Destination = {
  /** `10.0.0.1:80`, `[fd00::1]:80`. */
  readonly domains: readonly string[];
  /** In the order of their names; several where they share the addresses. */
  readonly called: readonly [Called, ...Called[]];
  /** The lanes of the instance that is there, empty for base; absent where an address stands for all instances. */
  readonly picked?: readonly Label[];
};

/** What a pod calls: the services behind its local ports, those that it may call by their addresses, a gateway's by path. */
export function calledServices(workload: Workload, mesh: Mesh): Called[] {
  const routed = workload.gateway ? [...mesh.services.values()].filter(({ paths }) => paths.length > 0) : [];
  const called = [
    ...routed.map((service) => ({ service, port: service.ports[0].port })),
    ...workload.outbound.flatMap((each) => resolve(each, workload, mesh) ?? []),
    ...capturedServices(workload, mesh),
  ];
  return [...new Map(called.map((each) => [keyOf(each), each])).values()];
}

/** With interception: the services that the settings name, else all. */
export function capturedServices({ interception, calls, namespace }: Workload, mesh: Mesh): Called[] {
  if (interception === undefined) return [];
  const named = calls?.flatMap((name) => findService(mesh, name, namespace) ?? []);
  return (named ?? [...mesh.services.values()]).flatMap(httpPorts);
}

/** The service and port behind a local port; undefined where the mesh has none, or its bytes only pass through. */
export function resolve({ service: name, port }: Outbound, { namespace }: Workload, mesh: Mesh): Called | undefined {
  const service = findService(mesh, name, namespace);
  const found = service?.ports.find((each) => port === undefined || each.port === port);
  return service && found && found.protocol !== 'tcp' ? { service, port: found.port } : undefined;
}

/** Every address of the services, each once: of a cluster IP that is also an instance the former counts. */
export function destinationsOf(called: readonly Called[]): Destination[] {
  const byDomain = new Map<string, { called: Called[]; picked: readonly Label[] | undefined }>();
  for (const each of called)
    for (const address of each.service.addresses) add({ address, port: each.port }, each, undefined);
  for (const each of called) for (const instance of instancesAt(each)) add(instance, each, instance.lanes);
  const groups = new Map<string, { domains: string[]; called: Called[]; picked: readonly Label[] | undefined }>();
  for (const [domain, { called: services, picked }] of byDomain) {
    const key = `${services.map(keyOf).join(' ')} ${picked?.join(' ') ?? '*'}`;
    const group = groups.get(key);
    if (group) group.domains.push(domain);
    else groups.set(key, { domains: [domain], called: services, picked });
  }
  return [...groups.values()].flatMap(({ domains, called: [first, ...others], picked }) =>
    first ? [{ domains, called: [first, ...others], ...(picked && { picked }) }] : [],
  );

  function add(address: { address: string; port: number }, each: Called, picked: readonly Label[] | undefined): void {
    const domain = formatAddress(address);
    const known = byDomain.get(domain);
    if (known === undefined) byDomain.set(domain, { called: [each], picked });
    else if (!known.called.includes(each)) known.called.push(each);
  }
}

/** The numbers of all ports that the services are called at, in order: what Envoy must read as HTTP. */
export function portsOf(called: readonly Called[]): number[] {
  const ports = called.flatMap((each) => [
    ...(each.service.addresses.length > 0 ? [each.port] : []),
    ...instancesAt(each).map(({ port }) => port),
  ]);
  return [...new Set(ports)].sort((a, b) => a - b);
}

function instancesAt({ service, port }: Called) {
  return service.instances.filter(({ servicePort }) => servicePort === port);
}

function httpPorts(service: Service): Called[] {
  return service.ports.filter(({ protocol }) => protocol !== 'tcp').map(({ port }) => ({ service, port }));
}

function keyOf({ service, port }: Called): string {
  return `${service.namespace}/${service.name}:${port}`;
}

/** True where two services have the same instances in the same lanes, so that it does not matter which one is meant. */
export function areTheSame(one: Called, other: Called): boolean {
  const all = (each: Called) =>
    instancesAt(each)
      .map((instance) => `${formatAddress(instance)} ${instance.lanes.join(',')}`)
      .sort()
      .join('\n');
  return all(one) === all(other);
}
