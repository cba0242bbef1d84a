// One file that Envoy can load as it is: the bootstrap with its route tables inside, for a person, a diff, or --mode validate.
import type { Resource } from './resource.ts';

/** The bootstrap with every connection manager's table in place of the file that it would watch. */
export function renderStandalone(bootstrap: Resource, tables: ReadonlyMap<string, Resource>): Resource {
  return replaceRoutes(bootstrap) as Resource;

  function replaceRoutes(part: unknown): unknown {
    if (Array.isArray(part)) return part.map(replaceRoutes);
    if (typeof part !== 'object' || part === null) return part;
    const fields = Object.entries(part).map(([name, value]) =>
      name === 'rds' ? inline(value) : [name, replaceRoutes(value)],
    );
    return Object.fromEntries(fields);
  }

  function inline(rds: { readonly route_config_name: string }): [string, unknown] {
    const { '@type': _, ...table } = tables.get(rds.route_config_name) ?? {};
    return ['route_config', table];
  }
}
