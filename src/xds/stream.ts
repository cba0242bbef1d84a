// The conversation with one Envoy: what may be sent now, and in which order. The rules were measured (ads.md 3): clusters and
// endpoints first, then what names them, then what nobody names any more; Envoy keeps back its answer for clusters while one
// of them is warming, so waiting for it is make-before-break.
import type { Catalogue, Served } from './catalogue.ts';
import type { DeltaRequest } from './request.ts';
import { type Changes, type Refusal, type ResourceType, resourceTypes } from './resources.ts';
import { encodeResponse, typeUrlOf } from './response.ts';
import {
  type Delivery,
  type Due,
  dueOf,
  enter,
  resubscribe,
  type Subscription,
  subscribe,
  takeBack,
} from './subscription.ts';

export type StreamOptions = {
  readonly catalogue: Catalogue;
  /** An answer is not waited for longer than this. */
  readonly patienceMs: number;
  /** A changed route table whose turn has not come. */
  isHeld(name: string): boolean;
  /** False while Envoy does not read; `step` is called when it does again. */
  canSend(): boolean;
  send(response: Buffer): void;
  /** Envoy has refused this one alone. */
  onRefused(refusal: Refusal, served: Served): void;
  /** Envoy has closed listeners: a refused one may find its port free now. */
  onListenersClosed(): void;
};

export type Stream = {
  receive(request: DeltaRequest): void;
  /** Names of what may be served otherwise than before. */
  note(changes: Partial<Changes>): void;
  /** Sends what may be sent now. */
  step(): void;
  /** Nothing is owed and every response was answered. */
  isSettled(): boolean;
  close(): void;
};

export function openStream({ catalogue, patienceMs, ...events }: StreamOptions): Stream {
  const subscriptions = new Map<ResourceType, Subscription>();
  let nonces = 0;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  /** Of the step: patience that ended for one half of it alone would leave what waits without a timer. */
  let now = performance.now();
  return { receive, note, step, isSettled, close };

  function receive(request: DeltaRequest): void {
    const type = resourceTypes.find((each) => typeUrlOf(each) === request.typeUrl);
    if (type === undefined) deny(request);
    else hear(type, request);
    step();
  }

  function hear(type: ResourceType, request: DeltaRequest): void {
    const subscription = subscriptions.get(type);
    if (subscription === undefined) {
      subscriptions.set(type, subscribe(type, request, catalogue));
      // It was written before Envoy had seen these clusters, and speaks of the endpoints of their earlier forms.
      if (type === 'endpoints') for (const each of unanswered('clusters')) oweEndpoints(each.served.values());
      return;
    }
    const delivery = subscription.deliveries.get(request.nonce);
    subscription.deliveries.delete(request.nonce);
    resubscribe(subscription, request, catalogue);
    if (delivery === undefined) return;
    if (request.error !== undefined) refused(subscription, delivery, request.error);
    else accepted(subscription, delivery);
  }

  /** What Envoy has of an earlier stream it once accepted. */
  function believe({ type, known }: Subscription): void {
    for (const [name, version] of known) {
      const found = catalogue.find(type, name);
      if (typeof found === 'object' && found.version === version) catalogue.accept(type, name, found);
    }
  }

  function accepted({ type }: Subscription, { served, removed }: Delivery): void {
    for (const [name, { served: form }] of served) catalogue.accept(type, name, form);
    if (type === 'listeners' && removed.length > 0) events.onListenersClosed();
  }

  /** Envoy may have thrown away all of it for one bad resource: halves are sent alone, until that one is known. */
  function refused(subscription: Subscription, delivery: Delivery, reason: string): void {
    const { type, halves } = subscription;
    takeBack(subscription, delivery);
    const names = [...delivery.served.keys()];
    const [only] = delivery.served;
    if (names.length > 1) halves.unshift(names.slice(0, names.length / 2), names.slice(names.length / 2));
    else if (only) events.onRefused({ type, name: only[0], reason }, only[1].served);
  }

  function note(changes: Partial<Changes>): void {
    for (const subscription of subscriptions.values()) {
      const { type, isWildcard, names, known, owed } = subscription;
      for (const name of changes[type] ?? []) if (isWildcard || names.has(name) || known.has(name)) owed.add(name);
    }
  }

  function step(): void {
    clearTimeout(timer);
    if (isClosed || !catalogue.isFilled || !events.canSend()) return;
    now = performance.now();
    for (const subscription of subscriptions.values()) if (subscription.isAnswerDue) believe(subscription);
    supply('clusters');
    supply('endpoints'); // never waits for the answer about clusters: Envoy gives it when it has the endpoints
    supply('routes');
    supply('listeners');
    if (isQuiet('routes', isSupply) && isQuiet('listeners', isSupply)) {
      remove('listeners');
      remove('routes');
      if (isQuiet('routes') && isQuiet('listeners')) {
        remove('clusters');
        if (isQuiet('clusters')) remove('endpoints'); // most are gone by then: Envoy has unsubscribed
      }
    }
    const waits = resourceTypes.flatMap(unanswered).filter(isAwaited);
    const since = Math.min(...waits.map(({ sentAt }) => sentAt));
    if (waits.length > 0) timer = setTimeout(step, since + patienceMs - performance.now() + 1);
  }

  /** Sends what is new or changed and may go, and says what does not exist to an Envoy that asked. */
  function supply(type: ResourceType): void {
    const subscription = subscriptions.get(type);
    if (subscription === undefined || isWaiting(subscription)) return;
    const { owed, halves } = subscription;
    while (halves.length > 0) if (supplyOf(subscription, halves.shift() ?? [])) return;
    supplyOf(subscription, owed);
  }

  /** True where there was something to send. */
  function supplyOf(subscription: Subscription, names: Iterable<string>): boolean {
    const served = new Map<string, Served>();
    const absent: string[] = [];
    let waits = false;
    for (const name of names) {
      const due = dueOf(subscription, name, catalogue);
      if (due === 'absence') absent.push(name);
      else if (due === undefined) subscription.owed.delete(name);
      else if (due !== 'removal' && mayGo(subscription, name, due.send)) served.set(name, due.send);
      else if (due !== 'removal') waits = true;
    }
    const isDue = served.size > 0 || absent.length > 0 || (subscription.isAnswerDue && !waits);
    if (isDue) deliver(subscription, served, absent);
    return isDue;
  }

  /** Envoy takes what names a cluster that it has not, and answers 503. (For its tables a listener waits by itself.) */
  function mayGo({ type, asked }: Subscription, name: string, served: Served): boolean {
    if (type !== 'routes' && type !== 'listeners') return true;
    if (type === 'routes' && events.isHeld(name) && !asked.has(name)) return false;
    const clusters = subscriptions.get('clusters');
    if (clusters === undefined) return true;
    const seen = new Set(served.clusters);
    for (const cluster of seen) {
      if (isPending(clusters, cluster)) return false;
      const found = catalogue.find('clusters', cluster);
      if (typeof found === 'object') for (const member of found.clusters) seen.add(member);
    }
    return true;
  }

  function isPending(subscription: Subscription, name: string): boolean {
    if (subscription.owed.has(name) && isSupply(dueOf(subscription, name, catalogue))) return true;
    return unanswered(subscription.type).some((each) => each.served.has(name) && isAwaited(each));
  }

  function remove(type: ResourceType): void {
    const subscription = subscriptions.get(type);
    if (subscription === undefined || isWaiting(subscription)) return;
    const gone = [...subscription.owed].filter((name) => dueOf(subscription, name, catalogue) === 'removal');
    if (gone.length > 0) deliver(subscription, new Map(), gone);
  }

  function deliver(subscription: Subscription, all: ReadonlyMap<string, Served>, removed: readonly string[]): void {
    const { type } = subscription;
    const nonce = String(++nonces);
    const { served } = enter(subscription, nonce, { all, removed, sentAt: performance.now() });
    if (type === 'clusters') oweEndpoints(served.values());
    const resources = [...all.values()].map(({ bytes }) => bytes);
    events.send(encodeResponse({ typeUrl: typeUrlOf(type), nonce, resources, removed }));
  }

  /** A changed cluster waits for endpoints, also for those that Envoy has; and Envoy does not always ask. */
  function oweEndpoints(clusters: Iterable<{ readonly served: Served }>): void {
    const subscription = subscriptions.get('endpoints');
    for (const { served } of clusters) {
      const name = served.endpoints;
      if (name === undefined || !subscription?.names.has(name)) continue;
      subscription.owed.add(name);
      subscription.asked.add(name);
    }
  }

  /** Of a type that is not served there is nothing. */
  function deny({ typeUrl, subscribe: removed, nonce: answered }: DeltaRequest): void {
    if (answered !== '' && removed.length === 0) return;
    events.send(encodeResponse({ typeUrl, nonce: String(++nonces), resources: [], removed }));
  }

  function unanswered(type: ResourceType): Delivery[] {
    return [...(subscriptions.get(type)?.deliveries.values() ?? [])];
  }

  function isWaiting({ type }: Subscription): boolean {
    return unanswered(type).some(isAwaited);
  }

  function isAwaited({ sentAt }: Delivery): boolean {
    return now - sentAt < patienceMs;
  }

  /** Nothing is waited for, and nothing of this kind is left to send. */
  function isQuiet(type: ResourceType, is: (due: Due) => boolean = isAnything): boolean {
    const subscription = subscriptions.get(type);
    if (subscription === undefined) return true;
    if (subscription.isAnswerDue || isWaiting(subscription)) return false;
    return ![...subscription.owed].some((name) => is(dueOf(subscription, name, catalogue)));
  }

  function isSettled(): boolean {
    if (!catalogue.isFilled || [...subscriptions.values()].some(({ deliveries }) => deliveries.size > 0)) return false;
    return resourceTypes.every((type) => isQuiet(type) && (subscriptions.has(type) || !isNeeded(type)));
  }

  /** Envoy asks for these by itself, a moment after its start. */
  function isNeeded(type: ResourceType): boolean {
    if (type !== 'clusters' && type !== 'listeners') return false;
    return [...catalogue.names(type)].some((name) => typeof catalogue.find(type, name) === 'object');
  }

  function close(): void {
    isClosed = true;
    clearTimeout(timer);
  }
}

const isAnything = (due: Due): boolean => due !== undefined;

const isSupply = (due: Due): boolean => due !== undefined && due !== 'removal';
