// Small resources as an Envoy beside a caller gets them, and the set of them that is served.
import { controlSource } from '../../src/envoy/clusters/control.ts';
import { type Resource, typeUrl } from '../../src/envoy/resource.ts';
import type { Resources, ResourceType } from '../../src/xds/resources.ts';

type Part = Readonly<Record<string, unknown>>;

/** What is served, and what is to be changed of it: `undefined` takes away, and what is not named stays the same object. */
export type Patch = { readonly [type in ResourceType]?: Readonly<Record<string, Resource | undefined>> };

export const nothing: Resources = {
  clusters: new Map(),
  endpoints: new Map(),
  routes: new Map(),
  listeners: new Map(),
};

export function patched(resources: Resources, patch: Patch): Resources {
  return {
    clusters: patchedMap(resources.clusters, patch.clusters),
    endpoints: patchedMap(resources.endpoints, patch.endpoints),
    routes: patchedMap(resources.routes, patch.routes),
    listeners: patchedMap(resources.listeners, patch.listeners),
  };
}

function patchedMap(
  all: ReadonlyMap<string, Resource>,
  patch: Patch[ResourceType] = {},
): ReadonlyMap<string, Resource> {
  const changed = new Map(all);
  for (const [name, resource] of Object.entries(patch)) {
    if (resource === undefined) changed.delete(name);
    else changed.set(name, resource);
  }
  return changed;
}

/** Its endpoints come over ADS. */
export function cluster(name: string, more: Part = {}): Resource {
  return { name, type: 'EDS', connect_timeout: '0.25s', eds_cluster_config: { eds_config: controlSource }, ...more };
}

/** One that needs no endpoints. */
export function staticCluster(name: string, more: Part = {}): Resource {
  return { name, type: 'STATIC', connect_timeout: '0.25s', load_assignment: { cluster_name: name }, ...more };
}

export function composite(name: string, members: readonly string[]): Resource {
  const clusters = members.map((member) => ({ name: member }));
  const type = { '@type': typeUrl('extensions.clusters.composite.v3.ClusterConfig'), clusters };
  return {
    name,
    connect_timeout: '0.25s',
    lb_policy: 'CLUSTER_PROVIDED',
    cluster_type: { name: 'envoy.clusters.composite', typed_config: type },
  };
}

export function endpoints(name: string, ...ports: readonly number[]): Resource {
  const one = (port: number) => ({
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } },
  });
  return { cluster_name: name, endpoints: [{ lb_endpoints: ports.map(one) }] };
}

/** A table that routes these prefixes. */
export function table(name: string, clusters: Readonly<Record<string, string>>): Resource {
  const routes = Object.entries(clusters).map(([prefix, target]) => ({
    match: { prefix },
    route: { cluster: target },
  }));
  return { name, virtual_hosts: [{ name: 'all', domains: ['*'], routes }] };
}

export function listener(name: string, port: number, routeTable: string): Resource {
  return listening(name, port, { rds: { route_config_name: routeTable, config_source: controlSource } });
}

/** One that needs nobody: it answers with its name. */
export function answering(name: string, port: number): Resource {
  const routes = [{ match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: name } } }];
  return listening(name, port, { route_config: { name, virtual_hosts: [{ name: 'all', domains: ['*'], routes }] } });
}

function listening(name: string, port: number, routes: Part): Resource {
  const router = { '@type': typeUrl('extensions.filters.http.router.v3.Router') };
  const manager = {
    '@type': typeUrl('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: name,
    ...routes,
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: router }],
  };
  return {
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    enable_reuse_port: false,
    filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] }],
  };
}
