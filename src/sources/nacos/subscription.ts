// What one namespace is asked for on a connection: which services there are, each of them from then on, and rules.
import { isMapping } from '../../documents/value.ts';
import type { Connection } from './connection.ts';
import type { Memory } from './memory.ts';
import { type Message, Refusal } from './protocol.ts';
import { type Group, isCallable, meshNameOf, type Namespace, placeOf, type ServiceKey } from './service.ts';

export type Configuration = { readonly dataId: string; readonly group: string };

export type Wanted = {
  readonly namespace: Namespace;
  readonly groups: readonly string[];
  /** All that a list shows, where absent. */
  readonly services?: readonly string[];
  readonly rules: readonly Configuration[];
  readonly listEveryMs: number;
};

export type Subscription = {
  /** Resolves when all was asked for once; then goes on until the connection ends. */
  readonly first: Promise<void>;
  push(message: Message): void;
  close(): void;
};

const pageSize = 1_000;
const atOnce = 32;
const configNotFound = 300;

export function subscribe(connection: Connection, wanted: Wanted, memory: Memory): Subscription {
  const { namespace, groups, rules, listEveryMs } = wanted;
  const naming = { namespace: namespace.id || 'public' };
  const tenant = namespace.id === 'public' ? '' : namespace.id;
  const whole = placeOf(namespace);
  const subscribed = new Map<string, ServiceKey>();
  const pushed = new Set<string>();
  /** Services that may have changed without our being told. */
  const stale = new Set<string>();
  /** How often each was asked for: only the last answer counts. */
  const asked = new Map(rules.map((each) => [each, 0]));
  const unread = new Set(rules);
  const listened = new Set<Configuration>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const first = round();
  return {
    first,
    push(message) {
      try {
        push(message);
      } catch (error) {
        failed(error);
      }
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };

  async function round(): Promise<void> {
    await attempt(whole, () =>
      Promise.all([
        ...groups.map((group) => followGroup({ namespace, group })),
        inTurns([...unread], readConfiguration),
      ]),
    );
    if (closed) return;
    timer = setTimeout(() => round().catch(failed), listEveryMs);
  }

  /** Where the server answers, that is a mistake of ours: a new connection begins with everything. */
  function failed(error: unknown): void {
    if (error instanceof Refusal) return; // of the login, which the next round meets as well
    connection.close(String(error));
  }

  async function followGroup(group: Group): Promise<void> {
    await attempt(placeOf(namespace, group.group), async () => {
      const names = wanted.services ?? (await list(group));
      const keys = names.filter(isCallable).map((name): ServiceKey => ({ ...group, name }));
      const present = new Set(keys.map(meshNameOf));
      await inTurns(
        keys.filter((key) => !subscribed.has(meshNameOf(key)) || stale.has(meshNameOf(key))),
        follow,
      );
      const gone = [...subscribed].filter(([name, key]) => key.group === group.group && !present.has(name));
      await inTurns(
        gone.map(([, key]) => key),
        leave,
      );
    });
  }

  async function list({ group }: Group): Promise<string[]> {
    const names = new Set<string>();
    for (let pageNo = 1; ; pageNo++) {
      const page = { ...naming, groupName: group, serviceName: '', pageNo, pageSize, selector: '' };
      const { serviceNames, count } = await connection.request('ServiceListRequest', page);
      if (!Array.isArray(serviceNames)) throw new Refusal('an answer without a list of services');
      for (const name of serviceNames) names.add(withoutGroup(String(name)));
      if (serviceNames.length < pageSize || names.size >= Number(count)) return [...names];
    }
  }

  async function follow(key: ServiceKey): Promise<void> {
    const name = meshNameOf(key);
    subscribed.set(name, key);
    pushed.delete(name);
    const isRead = await attempt(placeOf(namespace, key.group, key.name), async () => {
      const { serviceInfo } = await connection.request('SubscribeServiceRequest', question(key, true));
      if (!isMapping(serviceInfo)) throw new Refusal('an answer without the service');
      // What was pushed meanwhile is no older.
      if (!pushed.has(name)) memory.service(key, serviceInfo['hosts']);
    });
    if (isRead) stale.delete(name);
    else stale.add(name);
  }

  async function leave(key: ServiceKey): Promise<void> {
    subscribed.delete(meshNameOf(key));
    memory.serviceGone(key);
    await attempt(placeOf(namespace, key.group), () =>
      connection.request('SubscribeServiceRequest', question(key, false)),
    );
  }

  function question({ group, name }: ServiceKey, subscribe: boolean) {
    return { ...naming, groupName: group, serviceName: name, subscribe, clusters: '' };
  }

  async function readConfiguration(each: Configuration): Promise<void> {
    const place = placeOf(namespace, each.group, each.dataId);
    const turn = (asked.get(each) ?? 0) + 1;
    asked.set(each, turn);
    unread.add(each);
    await attempt(place, async () => {
      const listen = { listen: true, configListenContexts: [{ ...each, tenant, md5: '' }] };
      if (!listened.has(each)) await connection.request('ConfigBatchListenRequest', listen);
      listened.add(each);
      const text = await contentOf(each);
      if (asked.get(each) !== turn) return;
      memory.rules(place, text);
      unread.delete(each);
    });
  }

  async function contentOf(each: Configuration): Promise<string | undefined> {
    try {
      const { content } = await connection.request('ConfigQueryRequest', { ...each, tenant });
      return typeof content === 'string' ? content : '';
    } catch (error) {
      if (error instanceof Refusal && error.code === configNotFound) return undefined;
      throw error;
    }
  }

  function push({ type, body }: Message): void {
    if (type === 'NotifySubscriberRequest') pushService(body?.['serviceInfo']);
    if (type !== 'ConfigChangeNotifyRequest') return;
    const changed = rules.find(({ dataId, group }) => dataId === body?.['dataId'] && group === body?.['group']);
    if (changed !== undefined) readConfiguration(changed).catch(failed);
  }

  function pushService(info: unknown): void {
    if (!isMapping(info)) {
      for (const name of subscribed.keys()) stale.add(name);
      return;
    }
    const key = { namespace, group: String(info['groupName']), name: withoutGroup(String(info['name'])) };
    const name = meshNameOf(key);
    if (!subscribed.has(name)) return;
    pushed.add(name);
    memory.service(key, info['hosts']);
  }

  /** False where the server refused it: then what is known stands, and the next round tries again. */
  async function attempt(place: string, act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act();
      memory.refused(place, undefined);
      return true;
    } catch (error) {
      const isOurs = error instanceof Refusal && (error.code !== 'login' || place === whole);
      if (!isOurs) throw error;
      memory.refused(place, error.message);
      return false;
    }
  }
}

function withoutGroup(name: string): string {
  const at = name.lastIndexOf('@@');
  return at < 0 ? name : name.slice(at + 2);
}

async function inTurns<T>(all: readonly T[], act: (one: T) => Promise<void>): Promise<void> {
  const rest = all.values();
  await Promise.all(
    Array.from({ length: Math.min(atOnce, all.length) }, async () => {
      for (const one of rest) await act(one);
    }),
  );
}
