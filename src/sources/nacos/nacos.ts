// Services and rules from Nacos: a connection to each namespace, another server where one fails, and no end of trying.
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Contribution, OpenSource, Source } from '../source.ts';
import { openConnection } from './connection.ts';
import { createLogin, type Login } from './login.ts';
import { createMemory } from './memory.ts';
import { type Message, nameOf, type Server } from './protocol.ts';
import type { Namespace } from './service.ts';
import { type Configuration, type Subscription, subscribe, type Wanted } from './subscription.ts';

export type NacosOptions = {
  /** Of one cluster; each begins with any of them. */
  readonly servers: readonly Server[];
  readonly namespaces: readonly Namespace[];
  readonly groups: readonly string[];
  /** Names without their group; all where absent. */
  readonly services?: readonly string[];
  readonly user?: string;
  /** Read at each login. */
  readonly password?: () => string;
  /** Configurations that hold rules; in the first namespace where they name none. */
  readonly rules: readonly (Configuration & { readonly namespace?: string })[];
  /** How often new services are looked for; what changes in those that are known is pushed. */
  readonly listEveryMs: number;
  /** How long what a server no longer knows after a loss is kept: those who register need their time to notice. */
  readonly graceMs?: number;
};

type Follower = { readonly first: Promise<void>; readonly ended: Promise<void>; contribution(): Contribution };

const firstMs = 3_000;
const coalesceMs = 2;
const shortestDelayMs = 200;
const longestDelayMs = 10_000;
/** A connection that lived as long was a good one: the next delay is the shortest again. */
const goodAfterMs = 5_000;

export function nacosSource(options: NacosOptions): Source {
  return { name: `nacos ${options.servers.map(nameOf).join(',')}`, open: (onChange) => open(options, onChange) };
}

async function open(options: NacosOptions, onChange: (contribution: Contribution) => void): Promise<OpenSource> {
  const closing = new AbortController();
  const { user: name, password = () => '' } = options;
  const login = createLogin(name === undefined ? undefined : { name, password });
  let timer: NodeJS.Timeout | undefined;
  let last: Contribution | undefined;
  let isOpen = false;
  const change = (): void => {
    if (isOpen) timer ??= setTimeout(publish, coalesceMs);
  };
  const followers = namespacesOf(options).map((part) => follow({ ...part, login, change, signal: closing.signal }));
  await Promise.all(followers.map(({ first }) => first));
  isOpen = true;
  publish();
  return {
    async close() {
      isOpen = false;
      clearTimeout(timer);
      closing.abort();
      await Promise.all(followers.map(({ ended }) => ended));
    },
  };

  function publish(): void {
    timer = undefined;
    const next = merged(followers.map((follower) => follower.contribution()));
    if (last !== undefined && isSame(last, next)) return;
    last = next;
    onChange(next);
  }
}

/** One that only rules name has no services for us. */
function namespacesOf(options: NacosOptions) {
  const [first = { id: 'public' }] = options.namespaces;
  const rulesOf = ({ id }: Namespace) =>
    options.rules
      .filter(({ namespace = first.id }) => (namespace || 'public') === (id || 'public'))
      .map(({ dataId, group }) => ({ dataId, group }));
  const known = new Set(options.namespaces.map(({ id }) => id || 'public'));
  const named = new Set(options.rules.map(({ namespace = first.id }) => namespace || 'public'));
  const others = [...named].filter((id) => !known.has(id));
  return [
    ...options.namespaces.map((namespace) => ({ ...options, namespace, rules: rulesOf(namespace) })),
    ...others.map((id) => ({ ...options, namespace: { id }, groups: [], rules: rulesOf({ id }) })),
  ];
}

function merged(parts: readonly Contribution[]): Contribution {
  const lost = [...new Set(parts.flatMap((part) => part.lost ?? []))].join('; ');
  return {
    documents: parts.flatMap(({ documents }) => documents),
    problems: parts.flatMap(({ problems }) => problems),
    ...(lost !== '' && { lost }),
  };
}

function isSame(a: Contribution, b: Contribution): boolean {
  return (
    a.lost === b.lost &&
    a.documents.length === b.documents.length &&
    a.documents.every((document, index) => document === b.documents[index]) &&
    isDeepStrictEqual(a.problems, b.problems)
  );
}

/** After as many rounds in vain; `random`, 0 to 1, keeps those apart who lost the same server. */
export function delayMs(rounds: number, random: number): number {
  return Math.min(longestDelayMs, shortestDelayMs * 2 ** (rounds - 1)) * (0.5 + random / 2);
}

type FollowOptions = Wanted & {
  readonly servers: readonly Server[];
  readonly graceMs?: number;
  readonly login: Login;
  readonly change: () => void;
  readonly signal: AbortSignal;
};

/** One namespace, from server to server. */
function follow(options: FollowOptions): Follower {
  const { servers, namespace, login, change, signal, graceMs = 15_000 } = options;
  const first = Promise.withResolvers<void>();
  const patience = setTimeout(first.resolve, firstMs);
  /** Why each server cannot be had, since one could be. */
  const failures = new Map<string, string>([['', 'no server has answered yet']]);
  let known: Contribution = { documents: [], problems: [] };
  const memory = createMemory({
    ...options,
    graceMs,
    onChange() {
      known = memory.contribution();
      change();
    },
  });
  const ended = run().finally(() => {
    memory.close();
    clearTimeout(patience);
    first.resolve();
  });
  return {
    first: first.promise,
    ended,
    contribution: () => (failures.size === 0 ? known : { ...known, lost: [...failures.values()].join('; ') }),
  };

  async function run(): Promise<void> {
    let index = Math.floor(Math.random() * servers.length);
    for (let inVain = 0; !signal.aborted; index++) {
      const server = servers[index % servers.length] as Server;
      const livedMs = await live(server);
      inVain = livedMs > goodAfterMs ? 0 : inVain + 1;
      change();
      const rounds = inVain / servers.length;
      if (rounds === 0 || !Number.isInteger(rounds)) continue; // the next server, at once
      first.resolve();
      await sleep(delayMs(rounds, Math.random()), undefined, { signal }).catch(() => {});
    }
  }

  /** How long it was up to date; afterwards it is at its end. */
  async function live(server: Server): Promise<number> {
    let subscription: Subscription | undefined;
    let since: number | undefined;
    try {
      const onPush = (message: Message): void => subscription?.push(message);
      const connection = await openConnection({ server, login, namespace: namespace.id, onPush, signal });
      memory.begin();
      subscription = subscribe(connection, options, memory);
      subscription.first.then(upToDate).catch((error: unknown) => connection.close(String(error)));
      const { why, moved } = await connection.ended;
      if (!moved) fail(why);
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
    }
    subscription?.close();
    subscription = undefined;
    return since === undefined ? 0 : performance.now() - since;

    function upToDate(): void {
      if (subscription === undefined) return; // it ended meanwhile
      since = performance.now();
      failures.clear();
      memory.complete();
      first.resolve();
    }

    function fail(why: string): void {
      failures.delete('');
      failures.set(nameOf(server), `${nameOf(server)}: ${why}`);
    }
  }
}
