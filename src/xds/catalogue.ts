// What is to be served: every resource encoded once for all streams, in its last form that holds.
import { hash } from 'node:crypto';
import type { Resource } from '../envoy/resource.ts';
import { encode } from './encoding/encode.ts';
import {
  type Changes,
  clustersNamed,
  endpointsOf,
  messageNames,
  type Refusal,
  type Resources,
  type ResourceType,
} from './resources.ts';
import { encodeResource } from './response.ts';

export type Served = {
  /** By content, so that another process, or this one started again, sends nothing twice. */
  readonly version: string;
  /** As it stands in a response. */
  readonly bytes: Buffer;
  readonly clusters: ReadonlySet<string>;
  /** Under which name its endpoints are asked for, where it is an EDS cluster. */
  readonly endpoints?: string;
};

/** `withheld`: it is there, and was refused, and of an earlier form nothing is known. Envoy keeps what it has. */
export type Found = Served | 'withheld' | 'absent';

type Entry = {
  source: Resource;
  current?: Served | undefined;
  /** The last that an Envoy has taken: what is served while the current one is refused. */
  accepted?: Served | undefined;
  /** Version of the current one, where Envoy has refused it. */
  refused?: string | undefined;
  /** It may be sent once more. */
  isRetried?: boolean;
};

export type Catalogue = ReturnType<typeof createCatalogue>;

export function createCatalogue() {
  const entries: Record<ResourceType, Map<string, Entry>> = {
    clusters: new Map(),
    endpoints: new Map(),
    routes: new Map(),
    listeners: new Map(),
  };
  const refusals = new Map<string, Refusal>();
  let last: Resources | undefined;
  let given: Resources['endpoints'] | undefined;
  let isChanged = false;

  return {
    /** False until there was an update: before it nobody is told that something does not exist. */
    get isFilled() {
      return last !== undefined;
    },
    get refusals(): readonly Refusal[] {
      return [...refusals.values()];
    },
    /** Whether the refusals are others than when this was asked last. */
    refusalsChanged(): boolean {
      const was = isChanged;
      isChanged = false;
      return was;
    },
    names: (type: ResourceType): Iterable<string> => entries[type].keys(),
    find,
    update,
    accept,
    refuse,
    retry,
  };

  function find(type: ResourceType, name: string): Found {
    const entry = entries[type].get(name);
    return entry === undefined ? 'absent' : (servedOf(entry) ?? 'withheld');
  }

  /** The names of what is there otherwise than before; what is served of it may be the same after all. */
  function update(resources: Resources): Changes {
    const clusters = take('clusters', resources.clusters);
    const isSame = clusters.size === 0 && resources.endpoints === given;
    const endpoints = isSame && last ? last.endpoints : withEmpty(resources.endpoints);
    const changes = {
      clusters,
      endpoints: take('endpoints', endpoints),
      routes: take('routes', resources.routes),
      listeners: take('listeners', resources.listeners),
    };
    last = { ...resources, endpoints };
    given = resources.endpoints;
    return changes;
  }

  function take(type: ResourceType, resources: ReadonlyMap<string, Resource>): Set<string> {
    const changed = new Set<string>();
    if (resources === last?.[type]) return changed;
    const own = entries[type];
    for (const [name, source] of resources) {
      const entry = own.get(name);
      if (entry?.source === source) continue;
      own.set(name, renew(type, name, source, entry));
      changed.add(name);
    }
    for (const name of own.keys()) {
      if (resources.has(name)) continue;
      own.delete(name);
      mend(type, name);
      changed.add(name);
    }
    return changed;
  }

  function renew(type: ResourceType, name: string, source: Resource, earlier: Entry | undefined): Entry {
    const encoding = encode(messageNames[type], source);
    if (!encoding.ok) {
      report({ type, name, reason: encoding.mistakes.join('; ') });
      return { source, current: earlier && servedOf(earlier), accepted: earlier?.accepted };
    }
    const version = hash('sha256', encoding.bytes, 'base64url').slice(0, 16);
    const isSame = version === earlier?.current?.version;
    if (isSame && earlier?.refused !== undefined) return { ...earlier, source };
    mend(type, name);
    if (isSame) return { ...earlier, source };
    const endpoints = type === 'clusters' ? endpointsOf(source) : undefined;
    const current = {
      version,
      bytes: encodeResource({ type, name, version, content: encoding.bytes }),
      clusters: type === 'endpoints' ? none : clustersNamed(source),
      ...(endpoints !== undefined && { endpoints }),
    };
    return { source, current, accepted: earlier?.accepted };
  }

  /** Else Envoy would wait 15 s for them, and answer for no cluster until then. */
  function withEmpty(endpoints: ReadonlyMap<string, Resource>): ReadonlyMap<string, Resource> {
    const all = new Map(endpoints);
    for (const { current, accepted } of entries.clusters.values()) {
      for (const name of [current?.endpoints, accepted?.endpoints]) {
        if (name === undefined || all.has(name)) continue;
        const before = last?.endpoints.get(name);
        all.set(name, before && isEmpty(before) ? before : { cluster_name: name });
      }
    }
    return all;
  }

  /** Envoy has this form. */
  function accept(type: ResourceType, name: string, served: Served): void {
    const entry = entries[type].get(name);
    if (entry === undefined) return;
    entry.accepted = served;
    if (entry.refused !== served.version) return;
    entry.refused = undefined;
    mend(type, name);
  }

  /** Envoy has refused this form, alone in its response: it is not sent again until it changes. */
  function refuse(refusal: Refusal, { version }: Served): void {
    const entry = entries[refusal.type].get(refusal.name);
    if (entry === undefined || entry.current?.version !== version) return;
    entry.refused = version;
    entry.isRetried = false;
    report(refusal);
  }

  /** What Envoy has refused of a type may be sent once more; their names. */
  function retry(type: ResourceType): Set<string> {
    const refused = [...entries[type]].filter(([, entry]) => entry.refused !== undefined);
    for (const [, entry] of refused) entry.isRetried = true;
    return new Set(refused.map(([name]) => name));
  }

  function report(refusal: Refusal): void {
    const key = keyOf(refusal.type, refusal.name);
    if (refusals.get(key)?.reason === refusal.reason) return;
    refusals.set(key, refusal);
    isChanged = true;
  }

  function mend(type: ResourceType, name: string): void {
    if (refusals.delete(keyOf(type, name))) isChanged = true;
  }
}

const none: ReadonlySet<string> = new Set();

const keyOf = (type: ResourceType, name: string) => `${type}/${name}`;

/** A form that cannot be encoded never becomes the current one, so this is always the last that may be sent. */
function servedOf({ current, accepted, refused, isRetried }: Entry): Served | undefined {
  return refused === undefined || isRetried ? current : accepted;
}

function isEmpty(assignment: Resource): boolean {
  return Object.keys(assignment).length === 1;
}
