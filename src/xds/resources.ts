// The four kinds of resources that Envoy asks for, and what is refused of them.
import type { Resource } from '../envoy/resource.ts';

export type ResourceType = 'clusters' | 'endpoints' | 'routes' | 'listeners';

/**
 * By name. The same object again means unchanged: identity is compared first, so that an unchanged mesh costs nothing.
 * A cluster of type EDS without endpoints gets empty ones.
 */
export type Resources = Readonly<Record<ResourceType, ReadonlyMap<string, Resource>>>;

export type Refusal = {
  readonly type: ResourceType;
  readonly name: string;
  /** What is wrong with it: our own words where it cannot be encoded, else Envoy's. */
  readonly reason: string;
};

export type Changes = Readonly<Record<ResourceType, ReadonlySet<string>>>;

/** Clusters before what names them. */
export const resourceTypes: readonly ResourceType[] = ['clusters', 'endpoints', 'routes', 'listeners'];

/** The messages of Envoy's API. */
export const messageNames: Readonly<Record<ResourceType, string>> = {
  clusters: 'envoy.config.cluster.v3.Cluster',
  endpoints: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  routes: 'envoy.config.route.v3.RouteConfiguration',
  listeners: 'envoy.config.listener.v3.Listener',
};

/** Every cluster that the JSON of a route table, a listener or another cluster names. */
export function clustersNamed(resource: Resource): ReadonlySet<string> {
  const names = new Set<string>();
  visit(resource);
  return names;

  function visit(part: unknown): void {
    if (Array.isArray(part)) part.forEach(visit);
    else if (typeof part === 'object' && part !== null) Object.entries(part).forEach(visitField);
  }

  /** `cluster: b`, an Envoy gRPC service's `cluster_name: b`, and `clusters: [{ name: b }]` of weighted and composite ones. */
  function visitField([field, value]: [string, unknown]): void {
    if (typeof value === 'string') {
      if (field === 'cluster' || field === 'cluster_name') names.add(value);
    } else {
      if (field === 'clusters' && Array.isArray(value)) value.map(({ name }) => name && names.add(name));
      visit(value);
    }
  }
}

/** The name under which a cluster subscribes to its endpoints; `undefined` for one of another type than EDS. */
export function endpointsOf(cluster: Resource): string | undefined {
  if (cluster['type'] !== 'EDS') return undefined;
  const { service_name: other } = (cluster['eds_cluster_config'] ?? {}) as { service_name?: string };
  return other || String(cluster['name']);
}
