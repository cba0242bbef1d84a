// One file that Envoy can load as it is: bootstrap and everything that changes inside, for a person, a diff, or --mode validate.

import type { PodResources } from './render.ts';
import { controlCluster, type Resource } from './resource.ts';

/** The bootstrap with everything inline that a control plane would send: nothing in it changes any more. */
export function renderStandalone(bootstrap: Resource, resources: PodResources): Resource {
  const { dynamic_resources: _, static_resources, ...rest } = bootstrap;
  const { listeners, clusters } = static_resources as { listeners: Resource[]; clusters: Resource[] };
  return {
    ...rest,
    static_resources: {
      listeners: [...listeners, ...resources.listeners.values()].map((each) => withRoutes(each, resources.routes)),
      clusters: [
        ...clusters.filter(({ name }) => name !== controlCluster),
        ...[...resources.clusters.values()].map((each) => withEndpoints(each, resources.endpoints)),
      ],
    },
  };
}

/** Every connection manager's table in place of the subscription to it. */
function withRoutes(part: unknown, tables: ReadonlyMap<string, Resource>): unknown {
  if (Array.isArray(part)) return part.map((each) => withRoutes(each, tables));
  if (typeof part !== 'object' || part === null) return part;
  const fields = Object.entries(part).map(([name, value]) =>
    name === 'rds' ? ['route_config', tableOf(value, tables)] : [name, withRoutes(value, tables)],
  );
  return Object.fromEntries(fields);
}

function tableOf(rds: { readonly route_config_name: string }, tables: ReadonlyMap<string, Resource>): Resource {
  return tables.get(rds.route_config_name) ?? {};
}

function withEndpoints(cluster: Resource, endpoints: ReadonlyMap<string, Resource>): Resource {
  if (cluster['type'] !== 'EDS') return cluster;
  const { eds_cluster_config: _, ...rest } = cluster;
  return { ...rest, type: 'STATIC', load_assignment: endpoints.get(String(cluster['name'])) };
}
