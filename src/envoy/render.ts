// Everything of a pod's Envoy that changes while it runs: listeners, routes, clusters, endpoints.

import { refusingLabels } from '../mesh/lanes.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { Workload } from '../mesh/workload.ts';
import type { Label } from '../traffic/label.ts';
import { serviceClusters } from './clusters/clusters.ts';
import { serviceEndpoints } from './clusters/endpoints.ts';
import { type Called, calledServices, capturedServices, portsOf } from './destinations/destinations.ts';
import { destinationHost } from './destinations/hosts.ts';
import { renderListeners } from './listeners/listeners.ts';
import type { Resource, RunPaths } from './resource.ts';
import { type HostRenderer, renderRoutes } from './routes/tables.ts';

/** By name. What has not changed since the last rendering is the same object. */
export type PodResources = {
  readonly listeners: ReadonlyMap<string, Resource>;
  readonly routes: ReadonlyMap<string, Resource>;
  readonly clusters: ReadonlyMap<string, Resource>;
  readonly endpoints: ReadonlyMap<string, Resource>;
};

/**
 * A function that renders a mesh for one pod, and renders again only what has changed: services that are the same object as
 * the last time keep their resources.
 */
export function createRenderer(workload: Workload, paths: RunPaths): (mesh: Mesh) => PodResources {
  const { namespace, interception } = workload;
  const picks = interception !== undefined;
  const clustersByRefusal = new Map<string, ReturnType<typeof remembered<Resource[]>>>();
  const endpointsOf = remembered((called) => serviceEndpoints(called, namespace));
  const hosts = rememberedHosts();
  let last: PodResources = { listeners: new Map(), routes: new Map(), clusters: new Map(), endpoints: new Map() };
  return (mesh) => {
    const called = calledServices(workload, mesh);
    const clustersOf = clustersWith(refusingLabels(mesh.rules));
    const httpPorts = portsOf(capturedServices(workload, mesh));
    const listeners = byName(renderListeners(workload, mesh, { paths, httpPorts }));
    last = {
      listeners: sameWhereEqual(listeners, last.listeners),
      routes: sameWhereEqual(renderRoutes(workload, mesh, hosts.start()), last.routes),
      clusters: sameWhereEqual(byName(called.flatMap(clustersOf)), last.clusters),
      endpoints: sameWhereEqual(new Map(called.flatMap((each) => [...endpointsOf(each)])), last.endpoints),
    };
    hosts.end();
    return last;
  };

  /** What labels refuse base is a rule's to say, and seldom changes. */
  function clustersWith(refusing: ReadonlySet<Label>): (called: Called) => Resource[] {
    const key = [...refusing].sort().join(' ');
    const found =
      clustersByRefusal.get(key) ?? remembered((called) => serviceClusters(called, { namespace, refusing, picks }));
    clustersByRefusal.clear();
    clustersByRefusal.set(key, found);
    return found;
  }
}

/** By service and port; forgotten with the service. */
function remembered<T>(render: (called: Called) => T): (called: Called) => T {
  const byService = new WeakMap<object, Map<number, T>>();
  return (called) => {
    const byPort = byService.get(called.service) ?? new Map<number, T>();
    byService.set(called.service, byPort);
    const value = byPort.get(called.port) ?? render(called);
    byPort.set(called.port, value);
    return value;
  };
}

/** Virtual hosts of the last rendering, which stand where neither their services nor what all of them have in common changed. */
function rememberedHosts() {
  type Entry = { readonly services: readonly object[]; readonly host: Resource };
  let last = new Map<string, Entry>();
  let next = new Map<string, Entry>();
  const start = (): HostRenderer => (destination, pod) => {
    const { domains, called, picked } = destination;
    const common = [pod.own, [...pod.refusing], pod.gates.length, pod.introducing];
    const key = JSON.stringify([called.map(({ port }) => port), picked, domains, common]);
    const services = called.map(({ service }) => service);
    const known = last.get(key);
    const stands = known?.services.every((service, index) => service === services[index]) === true;
    const host = stands ? known.host : destinationHost(destination, pod);
    next.set(key, { services, host });
    return host;
  };
  const end = () => {
    last = next;
    next = new Map();
  };
  return { start, end };
}

/** What is equal to before is the object that it was; so whoever compares by identity finds it unchanged. */
function sameWhereEqual(
  now: ReadonlyMap<string, Resource>,
  before: ReadonlyMap<string, Resource>,
): Map<string, Resource> {
  return new Map(
    [...now].map(([name, resource]) => {
      const earlier = before.get(name);
      return [name, earlier !== undefined && isEqual(resource, earlier) ? earlier : resource];
    }),
  );
}

/** Of plain JSON. Parts that are the same object are not walked. */
function isEqual(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  const [fields, others] = [Object.entries(one), Object.keys(other)];
  return (
    fields.length === others.length &&
    Array.isArray(one) === Array.isArray(other) &&
    fields.every(([name, value]) => name in other && isEqual(value, other[name as keyof typeof other]))
  );
}

function byName(resources: readonly Resource[]): Map<string, Resource> {
  return new Map(resources.map((resource) => [String(resource['name']), resource]));
}
