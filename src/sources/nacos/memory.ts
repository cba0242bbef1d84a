// What is known of one namespace, across connections: services, rules, and what is wrong with them.
import { parse } from '../../documents/parse.ts';
import { isMapping } from '../../documents/value.ts';
import type { Problem } from '../../problem.ts';
import type { Contribution } from '../source.ts';
import { type Entry, meshNameOf, type Namespace, placeOf, readService, type ServiceKey } from './service.ts';

export type Memory = {
  /** A new connection begins: nothing is said until `complete`. */
  begin(): void;
  /** All was asked for once. What was there before and is no longer has a grace. */
  complete(): void;
  service(key: ServiceKey, hosts: unknown): void;
  serviceGone(key: ServiceKey): void;
  /** The text of a rule's configuration; undefined where there is none. */
  rules(place: string, text: string | undefined): void;
  /** What could not be read at a place; what it held stands. Undefined: it could be read. */
  refused(place: string, message: string | undefined): void;
  contribution(): Contribution;
  close(): void;
};

export type MemoryOptions = {
  readonly namespace: Namespace;
  readonly groups: readonly string[];
  /** A server that comes back empty is given this time to be told again what it knew. */
  readonly graceMs: number;
  readonly onChange: () => void;
};

type Service = {
  readonly key: ServiceKey;
  readonly entry: Entry;
  readonly hosts: unknown;
  /** Hosts from before the connection that it has not shown yet. */
  readonly absent: ReadonlyMap<string, unknown>;
};

type Rules = Pick<Contribution, 'documents' | 'problems'> & { readonly text: string };

export function createMemory({ namespace, groups, graceMs, onChange }: MemoryOptions): Memory {
  const services = new Map<string, Service>();
  const rules = new Map<string, Rules>();
  const refusals = new Map<string, string>();
  /** Names of services, and places of rules, that this connection has not shown yet. */
  let unseen = new Set<string>();
  let isComplete = true;
  let grace: NodeJS.Timeout | undefined;
  return {
    begin() {
      clearTimeout(grace);
      isComplete = false;
      unseen = new Set([...services.keys(), ...rules.keys()]);
      for (const [name, service] of services) services.set(name, { ...service, absent: hostsById(allHosts(service)) });
    },
    complete() {
      isComplete = true;
      const isWaiting = unseen.size > 0 || [...services.values()].some(({ absent }) => absent.size > 0);
      if (isWaiting) grace = setTimeout(forget, graceMs);
      onChange();
    },
    service(key, hosts) {
      const name = meshNameOf(key);
      const last = services.get(name);
      unseen.delete(name);
      const seen = hostsById(hosts);
      const absent = new Map([...(last?.absent ?? [])].filter(([id]) => !seen.has(id)));
      put(name, { key, hosts, absent });
    },
    serviceGone(key) {
      services.delete(meshNameOf(key));
      refusals.delete(placeOf(key.namespace, key.group, key.name));
      change();
    },
    rules(place, text) {
      if (text === undefined && !isComplete) return; // it has a grace, where it was known
      unseen.delete(place);
      if (text === undefined) rules.delete(place);
      else if (rules.get(place)?.text !== text) rules.set(place, { text, ...parse(text, place) });
      change();
    },
    refused(place, message) {
      if (refusals.get(place) === message) return;
      if (message === undefined) refusals.delete(place);
      else refusals.set(place, message);
      change();
    },
    contribution() {
      const entries = inOrder(services).map(({ entry }) => entry);
      const configurations = inOrder(rules);
      const refused = [...refusals].map(([file, message]): Problem => ({ severity: 'error', file, message }));
      const blocked = groups.map((group) => refusals.get(placeOf(namespace, group)));
      const lost = refusals.get(placeOf(namespace)) ?? (blocked.includes(undefined) ? undefined : blocked[0]);
      return {
        ...(lost !== undefined && { lost }),
        documents: [
          ...configurations.flatMap(({ documents }) => documents),
          ...entries.flatMap(({ document }) => (document === undefined ? [] : [document])),
        ],
        problems: [...refused, ...[...configurations, ...entries].flatMap(({ problems }) => problems)],
      };
    },
    close: () => clearTimeout(grace),
  };

  function put(name: string, { key, hosts, absent }: Omit<Service, 'entry'>): void {
    const last = services.get(name);
    const entry = readService(key, allHosts({ hosts, absent }), last?.entry);
    services.set(name, { key, hosts, absent, entry });
    if (entry.text !== last?.entry.text || entry.problems !== last.entry.problems) change();
  }

  function forget(): void {
    for (const name of unseen) {
      if (isRefused(name)) continue; // nobody could say that it is gone
      unseen.delete(name);
      services.delete(name);
      rules.delete(name);
    }
    if (unseen.size > 0) grace = setTimeout(forget, graceMs);
    for (const [name, service] of services) if (service.absent.size > 0) put(name, { ...service, absent: new Map() });
    change();
  }

  function isRefused(name: string): boolean {
    const key = services.get(name)?.key;
    const places =
      key === undefined ? [name] : [placeOf(namespace, key.group), placeOf(namespace, key.group, key.name)];
    return [placeOf(namespace), ...places].some((place) => refusals.has(place));
  }

  function change(): void {
    if (isComplete) onChange();
  }
}

/** By name, so that what was asked for at once does not stand in the order of the answers. */
function inOrder<T>(all: ReadonlyMap<string, T>): readonly T[] {
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function allHosts({ hosts, absent }: Pick<Service, 'hosts' | 'absent'>): unknown {
  return Array.isArray(hosts) ? [...hosts, ...absent.values()] : hosts;
}

function hostsById(hosts: unknown): Map<string, unknown> {
  const all: readonly unknown[] = Array.isArray(hosts) ? hosts : [];
  return new Map(all.map((host) => [isMapping(host) ? `${host['ip']}:${host['port']}` : '', host]));
}
