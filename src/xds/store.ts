// What Envoy should have: every resource encoded once, by a version that is its content.
import { createHash } from 'node:crypto';
import type { Resource } from '../envoy/resource.ts';
import { encode, encodeAny } from './encode.ts';
import { encodeResource } from './protocol.ts';

export const resourceTypes = ['clusters', 'endpoints', 'listeners', 'routes'] as const;
export type ResourceType = (typeof resourceTypes)[number];

/** JSON by name, as it stands in Envoy's configuration. The same object again means: unchanged. */
export type Resources = Readonly<Record<ResourceType, ReadonlyMap<string, Resource>>>;

/** A resource that Envoy does not have as it should: it could not be encoded, or Envoy refused it. What it had stays. */
export type Refusal = { readonly type: ResourceType; readonly name: string; readonly reason: string };

export type Entry = {
  readonly version: string;
  readonly bytes: Buffer;
  /** Clusters that a route table names: it waits for them. */
  readonly clusters: readonly string[];
};

export type Changed = Readonly<Record<ResourceType, readonly string[]>>;

export type Store = {
  entries(type: ResourceType): ReadonlyMap<string, Entry>;
  /** Takes the resources, and tells what changed, came or went, by name. */
  replace(resources: Resources): Changed;
  /** Envoy refused this version: it is not sent again until it changes. */
  refuse(type: ResourceType, name: string, refused: { readonly version: string; readonly reason: string }): void;
  isRefused(type: ResourceType, name: string): boolean;
  readonly refusals: readonly Refusal[];
};

const messages: Readonly<Record<ResourceType, string>> = {
  clusters: 'envoy.config.cluster.v3.Cluster',
  endpoints: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  listeners: 'envoy.config.listener.v3.Listener',
  routes: 'envoy.config.route.v3.RouteConfiguration',
};

export const typeUrlOf = (type: ResourceType): string => `type.googleapis.com/${messages[type]}`;

export function typeOf(url: string): ResourceType | undefined {
  return resourceTypes.find((type) => typeUrlOf(type) === url);
}

type Known = { readonly json: Resource; readonly entry: Entry | undefined };

export function createStore(): Store {
  const known = byType(() => new Map<string, Known>());
  const entries = byType(() => new Map<string, Entry>());
  const refused = byType(() => new Map<string, { readonly version: string; readonly reason: string }>());
  return {
    entries: (type) => entries[type],
    replace: (resources) => byType((type) => replaceOf(type, resources[type])),
    refuse: (type, name, what) => void refused[type].set(name, what),
    isRefused(type, name) {
      const refusal = refused[type].get(name);
      return refusal !== undefined && refusal.version === entries[type].get(name)?.version;
    },
    get refusals() {
      return resourceTypes.flatMap((type) =>
        [...refused[type]].map(([name, { reason }]): Refusal => ({ type, name, reason })),
      );
    },
  };

  function replaceOf(type: ResourceType, resources: ReadonlyMap<string, Resource>): string[] {
    const changed: string[] = [];
    for (const name of known[type].keys()) {
      if (resources.has(name)) continue;
      known[type].delete(name);
      entries[type].delete(name);
      refused[type].delete(name);
      changed.push(name);
    }
    for (const [name, json] of resources) {
      const before = known[type].get(name);
      if (before?.json === json) continue;
      const entry = entryOf(type, name, json);
      known[type].set(name, { json, entry });
      if (entry === undefined || entry.version === before?.entry?.version) continue;
      refused[type].delete(name);
      entries[type].set(name, entry);
      changed.push(name);
    }
    return changed;
  }

  /** Undefined where it cannot be encoded: that is a refusal, and the last good one stays. */
  function entryOf(type: ResourceType, name: string, json: Resource): Entry | undefined {
    try {
      const any = encodeAny(messages[type], encode(messages[type], json));
      const version = createHash('sha256').update(any).digest('base64url').slice(0, 16);
      const clusters = type === 'routes' ? clustersOf(json) : [];
      return { version, bytes: encodeResource({ name, version, any }), clusters };
    } catch (error) {
      refused[type].set(name, { version: '', reason: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  }
}

function byType<T>(make: (type: ResourceType) => T): Record<ResourceType, T> {
  return {
    clusters: make('clusters'),
    endpoints: make('endpoints'),
    listeners: make('listeners'),
    routes: make('routes'),
  };
}

/** Every `cluster` in a route table. */
function clustersOf(json: Resource): string[] {
  const found = new Set<string>();
  const walk = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    for (const [name, value] of Object.entries(part)) {
      if (name === 'cluster' && typeof value === 'string') found.add(value);
      else walk(value);
    }
  };
  walk(json);
  return [...found];
}
