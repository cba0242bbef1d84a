// One conversation with an Envoy: what it has, what it is owed, and in which order (ads.md 3).
import type { DeltaRequest } from './protocol.ts';
import { encodeResponse } from './protocol.ts';
import { type ResourceType, resourceTypes, type Store, typeOf, typeUrlOf } from './store.ts';

export type StreamOptions = {
  readonly store: Store;
  readonly send: (bytes: Buffer) => void;
  /** How long an answer is waited for before what depends on it goes on without. */
  readonly patienceMs: number;
  /** True while route tables have changed and are held back for a moment: nothing that they name may go yet. */
  readonly routesAreHeld: () => boolean;
  /** Called after everything that may have changed what is owed or refused. */
  readonly onStep: () => void;
};

export type Stream = {
  receive(request: DeltaRequest): void;
  /** These have changed, come or gone. */
  mark(type: ResourceType, names: Iterable<string>): void;
  step(): void;
  /** True where Envoy has everything, but for what it refused. */
  readonly isSettled: boolean;
  close(): void;
};

type Subscription = {
  readonly isWildcard: boolean;
  readonly names: Set<string>;
  /** Versions that Envoy has, or will have once it has answered. */
  readonly known: Map<string, string>;
  /** What it may have to be told about. */
  readonly dirty: Set<string>;
  /** It is owed an answer, if only an empty one. */
  isOwed: boolean;
  sent: Sent | undefined;
  /** Halves of a response that was refused: sent one by one until the bad resource is alone. */
  readonly parts: string[][];
};

type Sent = {
  readonly nonce: string;
  readonly names: readonly string[];
  readonly before: ReadonlyMap<string, string | undefined>;
};

export function createStream({ store, send, patienceMs, routesAreHeld, onStep }: StreamOptions): Stream {
  const subscriptions = new Map<ResourceType, Subscription>();
  let nonces = 0;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  return {
    receive,
    mark(type, names) {
      const subscription = subscriptions.get(type);
      for (const name of names) subscription?.dirty.add(name);
    },
    step,
    get isSettled() {
      return resourceTypes.every(isSettled);
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };

  function receive(request: DeltaRequest): void {
    const type = typeOf(request.typeUrl);
    if (type === undefined) return; // a kind that nothing of ours asks for
    const subscription = subscriptions.get(type) ?? subscribe(type, request);
    answered(type, subscription, request);
    for (const name of request.resourceNamesUnsubscribe ?? []) {
      subscription.names.delete(name);
      subscription.known.delete(name);
    }
    for (const name of request.resourceNamesSubscribe ?? []) {
      if (name === '*') continue;
      subscription.names.add(name);
      subscription.dirty.add(name);
      // Asked for again, it is answered again; the first message says what Envoy has already.
      if (request.initialResourceVersions?.[name] === undefined) subscription.known.delete(name);
    }
    step();
  }

  function subscribe(type: ResourceType, { initialResourceVersions = {} }: DeltaRequest): Subscription {
    const isWildcard = type === 'clusters' || type === 'listeners';
    const known = new Map(Object.entries(initialResourceVersions));
    const dirty = new Set(isWildcard ? [...store.entries(type).keys(), ...known.keys()] : known.keys());
    const subscription = {
      isWildcard,
      names: new Set(known.keys()),
      known,
      dirty,
      isOwed: true,
      sent: undefined,
      parts: [],
    };
    subscriptions.set(type, subscription);
    return subscription;
  }

  function answered(
    type: ResourceType,
    subscription: Subscription,
    { responseNonce, errorDetail }: DeltaRequest,
  ): void {
    const { sent } = subscription;
    if (sent === undefined || responseNonce !== sent.nonce) return;
    subscription.sent = undefined;
    if (errorDetail === undefined) return;
    for (const [name, version] of sent.before) {
      if (version === undefined) subscription.known.delete(name);
      else subscription.known.set(name, version);
    }
    const [only, ...others] = sent.names;
    if (only !== undefined && others.length === 0) {
      const version = store.entries(type).get(only)?.version;
      if (version !== undefined)
        store.refuse(type, only, { version, reason: errorDetail.message?.trim() ?? 'no reason given' });
    } else if (others.length > 0) {
      const middle = Math.ceil(sent.names.length / 2);
      subscription.parts.push(sent.names.slice(0, middle), sent.names.slice(middle));
    }
  }

  function step(patient = true): void {
    if (isClosed) return;
    clearTimeout(timer);
    for (const type of ['clusters', 'endpoints', 'listeners', 'routes'] as const) sendUp(type, patient);
    const isUp =
      !routesAreHeld() && !isWaiting('listeners') && !isWaiting('routes') && (!isWaiting('clusters') || !patient);
    if (isUp || !patient) {
      sendDown('routes');
      sendDown('listeners');
      if (!isWaiting('routes') || !patient) {
        sendDown('endpoints');
        sendDown('clusters');
      }
    }
    if (patient && resourceTypes.some(isWaiting)) timer = setTimeout(() => step(false), patienceMs).unref();
    onStep();
  }

  /** Sent and unanswered, or still to be sent for the first time. */
  function isWaiting(type: ResourceType): boolean {
    const subscription = subscriptions.get(type);
    return subscription !== undefined && (subscription.sent !== undefined || upsOf(type, subscription).length > 0);
  }

  function sendUp(type: ResourceType, patient: boolean): void {
    const subscription = subscriptions.get(type);
    if (subscription === undefined || subscription.sent !== undefined) return;
    const part = subscription.parts.shift();
    const names = (part ?? upsOf(type, subscription)).filter((name) => !patient || isReady(type, name));
    const absent = type === 'endpoints' || type === 'routes' ? absentOf(type, subscription) : [];
    if (names.length === 0 && absent.length === 0 && !subscription.isOwed) {
      if (part) sendUp(type, patient);
      return;
    }
    transmit(type, subscription, { names, removed: absent });
    // A cluster that changed warms until its endpoints come again, changed or not (ads.md 2).
    const endpoints = subscriptions.get('endpoints');
    if (type === 'clusters' && endpoints)
      for (const name of names.filter((each) => endpoints.names.has(each))) {
        endpoints.known.delete(name);
        endpoints.dirty.add(name);
      }
  }

  function upsOf(type: ResourceType, { dirty, known, names, isWildcard }: Subscription): string[] {
    const entries = store.entries(type);
    return [...dirty].filter((name) => {
      const entry = entries.get(name);
      const isWanted = entry !== undefined && (isWildcard || names.has(name)) && !store.isRefused(type, name);
      return isWanted && entry.version !== known.get(name);
    });
  }

  /** Subscribed, but nowhere to be had, and Envoy has not been told. */
  function absentOf(type: ResourceType, { dirty, known, names }: Subscription): string[] {
    const entries = store.entries(type);
    return [...dirty].filter((name) => names.has(name) && !known.has(name) && !entries.has(name));
  }

  /** A route table waits for the clusters that it names, and for no others. */
  function isReady(type: ResourceType, name: string): boolean {
    const clusters = subscriptions.get('clusters');
    if (type !== 'routes' || clusters === undefined) return true;
    const unanswered = new Set([
      ...(clusters.sent?.names ?? []),
      ...clusters.parts.flat(),
      ...upsOf('clusters', clusters),
    ]);
    return (
      store
        .entries('routes')
        .get(name)
        ?.clusters.every((cluster) => !unanswered.has(cluster)) !== false
    );
  }

  function sendDown(type: ResourceType): void {
    const subscription = subscriptions.get(type);
    if (subscription === undefined || subscription.sent !== undefined || subscription.parts.length > 0) return;
    const entries = store.entries(type);
    const removed = [...subscription.dirty].filter((name) => subscription.known.has(name) && !entries.has(name));
    if (removed.length > 0) transmit(type, subscription, { names: [], removed });
  }

  function transmit(
    type: ResourceType,
    subscription: Subscription,
    { names, removed }: { readonly names: readonly string[]; readonly removed: readonly string[] },
  ): void {
    const entries = store.entries(type);
    const before = new Map(names.map((name) => [name, subscription.known.get(name)]));
    for (const name of names) {
      subscription.known.set(name, entries.get(name)?.version ?? '');
      subscription.dirty.delete(name);
    }
    for (const name of removed) {
      subscription.known.delete(name);
      subscription.dirty.delete(name);
    }
    subscription.isOwed = false;
    const nonce = String(++nonces);
    subscription.sent = { nonce, names, before };
    const resources = names.flatMap((name) => entries.get(name)?.bytes ?? []);
    send(encodeResponse({ typeUrl: typeUrlOf(type), nonce, resources, removed }));
  }

  function isSettled(type: ResourceType): boolean {
    const subscription = subscriptions.get(type);
    const entries = [...store.entries(type)].filter(([name]) => !store.isRefused(type, name));
    if (subscription === undefined) return entries.length === 0;
    if (subscription.sent !== undefined || subscription.parts.length > 0) return false;
    // What belongs to a refused listener or cluster is never asked for.
    const owner = type === 'routes' ? 'listeners' : type === 'endpoints' ? 'clusters' : undefined;
    const isLoose = owner !== undefined && store.refusals.some((refusal) => refusal.type === owner);
    const isThere = entries.every(([name, { version }]) => subscription.known.get(name) === version);
    return (isThere || isLoose) && [...subscription.known.keys()].every((name) => store.entries(type).has(name));
  }
}
