// What one stream has subscribed to of one type, what of it Envoy has, and what it is owed.
import type { Catalogue, Served } from './catalogue.ts';
import type { DeltaRequest } from './request.ts';
import type { ResourceType } from './resources.ts';

/** A response that was sent and not answered yet. */
export type Delivery = {
  readonly sentAt: number;
  readonly served: ReadonlyMap<string, { readonly served: Served; readonly before: string | undefined }>;
  readonly removed: readonly string[];
  readonly asked: ReadonlySet<string>;
};

export type Subscription = {
  readonly type: ResourceType;
  isWildcard: boolean;
  readonly names: Set<string>;
  /** Versions of what Envoy has, or was sent and has not refused. */
  readonly known: Map<string, string>;
  /** What may have to be sent; `dueOf` says whether and how. */
  readonly owed: Set<string>;
  /** What it named in a later request: answered even if unchanged or absent, or a cluster would wait for it for ever. */
  readonly asked: Set<string>;
  /** The first request of a type is always answered. */
  isAnswerDue: boolean;
  /** Halves of a response that was refused: each goes in a response of its own. */
  readonly halves: (readonly string[])[];
  /** By nonce. More than one where an answer was not waited for. */
  readonly deliveries: Map<string, Delivery>;
};

/** Sent, or named as absent because Envoy asked, or taken away. */
export type Due = { readonly send: Served } | 'absence' | 'removal' | undefined;

/** The first request of a type on a stream. Without a name it asks for all there are, where Envoy may ask so. */
export function subscribe(type: ResourceType, request: DeltaRequest, catalogue: Catalogue): Subscription {
  const { subscribe: names } = request;
  const known = new Map(request.versions);
  const subscription: Subscription = {
    type,
    isWildcard: false,
    names: new Set(names.filter((name) => name !== '*')),
    known,
    owed: new Set([...known.keys(), ...names]),
    asked: new Set(names.filter((name) => name !== '*' && !known.has(name))),
    isAnswerDue: true,
    halves: [],
    deliveries: new Map(),
  };
  const isImplied = names.length === 0 && (type === 'clusters' || type === 'listeners');
  if (isImplied || names.includes('*')) widen(subscription, catalogue);
  return subscription;
}

/** A later request. */
export function resubscribe(subscription: Subscription, request: DeltaRequest, catalogue: Catalogue): void {
  const { names, owed, asked } = subscription;
  for (const name of request.unsubscribe) drop(subscription, name);
  for (const name of request.subscribe) {
    if (name === '*') {
      widen(subscription, catalogue);
      continue;
    }
    names.add(name);
    owed.add(name);
    asked.add(name);
  }
}

function widen(subscription: Subscription, catalogue: Catalogue): void {
  subscription.isWildcard = true;
  for (const name of catalogue.names(subscription.type)) subscription.owed.add(name);
}

function drop(subscription: Subscription, dropped: string): void {
  const { names, known, owed, asked } = subscription;
  if (dropped === '*') subscription.isWildcard = false;
  names.delete(dropped);
  asked.delete(dropped);
  if (subscription.isWildcard) return;
  for (const name of dropped === '*' ? [...known.keys(), ...owed] : [dropped]) {
    if (names.has(name)) continue;
    known.delete(name);
    owed.delete(name);
  }
}

export function dueOf({ type, known, asked }: Subscription, name: string, catalogue: Catalogue): Due {
  const found = catalogue.find(type, name);
  if (found === 'absent') return asked.has(name) ? 'absence' : known.has(name) ? 'removal' : undefined;
  if (found === 'withheld') return asked.has(name) && !known.has(name) ? 'absence' : undefined;
  return asked.has(name) || known.get(name) !== found.version ? { send: found } : undefined;
}

type Sent = { readonly all: ReadonlyMap<string, Served>; readonly removed: readonly string[]; readonly sentAt: number };

/** What is sent now is owed no more. */
export function enter(subscription: Subscription, nonce: string, { all, removed, sentAt }: Sent): Delivery {
  const { known, owed, asked, deliveries } = subscription;
  const names = [...all.keys(), ...removed];
  const delivery: Delivery = {
    sentAt,
    served: new Map([...all].map(([name, served]) => [name, { served, before: known.get(name) }])),
    removed,
    asked: new Set(names.filter((name) => asked.has(name))),
  };
  for (const [name, { version }] of all) known.set(name, version);
  for (const name of removed) known.delete(name);
  for (const name of names) {
    owed.delete(name);
    asked.delete(name);
  }
  subscription.isAnswerDue = false;
  deliveries.set(nonce, delivery);
  return delivery;
}

/** Envoy has refused it: all of it counts as before. */
export function takeBack({ known, owed, asked }: Subscription, delivery: Delivery): void {
  for (const [name, { served, before }] of delivery.served) {
    if (known.get(name) === served.version) {
      if (before === undefined) known.delete(name);
      else known.set(name, before);
    }
    owed.add(name);
    if (delivery.asked.has(name)) asked.add(name);
  }
}
