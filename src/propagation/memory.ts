// The label memory: what label a trace had when it entered this pod, for as long as somebody asks.

import { type Label, parseLabel } from '../traffic/label.ts';
import { createOrder } from './order.ts';
import type { TraceId } from './trace.ts';

/** What is known of a trace. `conflict`: different labels, so that none is propagated by it. */
export type Recollection =
  | { readonly outcome: 'label'; readonly label: Label }
  | { readonly outcome: 'none' }
  | { readonly outcome: 'conflict' };

/**
 * Counted since the start. `remembered`, `hits`, `misses` and `conflicts` (of both verbs) are calls, each counted once,
 * by its answer; `evicted` and `expired` are entries.
 */
export type MemoryStats = {
  readonly remembered: number;
  readonly hits: number;
  readonly misses: number;
  readonly conflicts: number;
  readonly evicted: number;
  readonly expired: number;
};

export type Memory = {
  /** Keeps the label under each identity for the time to live; another label on a live one makes it a conflict. HOT */
  remember(ids: readonly TraceId[], label: Label): 'remembered' | 'conflict';
  /** What is known under these identities, and renews the time to live of what it finds. HOT */
  recall(ids: readonly TraceId[]): Recollection;
  /** Drops all that has expired. */
  sweep(): void;
  /** Entries held, the expired that nobody has dropped yet among them. */
  readonly size: number;
  /** Estimate of the bytes held: of each entry the characters of identity and label, and `entryOverheadBytes`. */
  readonly bytes: number;
  readonly stats: MemoryStats;
};

export type MemoryOptions = {
  readonly maxEntries: number;
  readonly maxBytes: number;
  /** How long an entry lives after it was last remembered or recalled. */
  readonly ttlMs: number;
  /** Milliseconds of a clock that never goes back (`performance.now`). */
  readonly now: () => number;
};

type Found = Extract<Recollection, { outcome: 'label' }>;

type Entry = {
  readonly id: string;
  answer: Recollection;
  expiresAtMs: number;
  older: Entry | undefined;
  newer: Entry | undefined;
};

/**
 * What an entry holds beside its characters: strings, answer, links, its share of the Map's table. Measured on Node 24,
 * 10,000 to 140,000 entries: 106 to 195 where all have one label, up to 284 where neighbours differ; the upper end is
 * taken, so that the estimate is rather too large.
 */
const entryOverheadBytes = 280;

/**
 * Expired entries that one call drops at most: more than it adds (a request has ten identities at most, with that of
 * Envoy's own trace), and so few that no request waits for what a busy hour left.
 */
const dropsPerCall = 16;

const none: Recollection = { outcome: 'none' };
const conflict: Recollection = { outcome: 'conflict' };

/**
 * A memory that holds at most `maxEntries` and `maxBytes`; what was used longest ago goes first. A call takes constant
 * time, and allocates nothing where it adds nothing.
 */
export function createMemory({ maxEntries, maxBytes, ttlMs, now }: MemoryOptions): Memory {
  const entries = new Map<string, Entry>();
  const order = createOrder<Entry>();
  const stats = { remembered: 0, hits: 0, misses: 0, conflicts: 0, evicted: 0, expired: 0 };
  let bytes = 0;
  let latest: Found | undefined;

  function remember(ids: readonly TraceId[], label: Label): 'remembered' | 'conflict' {
    const nowMs = now();
    let outcome: 'remembered' | 'conflict' = 'remembered';
    for (const id of ids) {
      const entry = find(id, nowMs);
      if (entry === undefined) {
        add(id, label, nowMs);
      } else if (entry.answer.outcome !== 'label' || entry.answer.label !== label) {
        outcome = 'conflict';
        bytes -= bytesOf(entry);
        entry.answer = conflict;
        bytes += bytesOf(entry);
      }
    }
    dropExpired(nowMs, dropsPerCall);
    while (order.oldest !== undefined && (entries.size > maxEntries || bytes > maxBytes)) drop(order.oldest, nowMs);
    if (outcome === 'conflict') stats.conflicts += 1;
    else stats.remembered += 1;
    return outcome;
  }

  function recall(ids: readonly TraceId[]): Recollection {
    const nowMs = now();
    let answer = none;
    for (const id of ids) {
      const entry = find(id, nowMs);
      if (entry !== undefined) answer = answer === none ? entry.answer : join(answer, entry.answer);
    }
    dropExpired(nowMs, dropsPerCall);
    if (answer.outcome === 'label') stats.hits += 1;
    else if (answer.outcome === 'none') stats.misses += 1;
    else stats.conflicts += 1;
    return answer;
  }

  /** The live entry of an identity, renewed. */
  function find(id: string, nowMs: number): Entry | undefined {
    const entry = entries.get(id);
    if (entry === undefined) return undefined;
    if (entry.expiresAtMs <= nowMs) {
      drop(entry, nowMs);
      return undefined;
    }
    entry.expiresAtMs = nowMs + ttlMs;
    order.remove(entry);
    order.append(entry);
    return entry;
  }

  function add(id: string, label: Label, nowMs: number): void {
    // Most pods see one label: its entries share one answer.
    if (latest?.label !== label) latest = { outcome: 'label', label: parseLabel(detached(label)) ?? label };
    const entry: Entry = {
      id: detached(id),
      answer: latest,
      expiresAtMs: nowMs + ttlMs,
      older: undefined,
      newer: undefined,
    };
    entries.set(entry.id, entry);
    order.append(entry);
    bytes += bytesOf(entry);
  }

  function dropExpired(nowMs: number, most: number): void {
    for (let dropped = 0; dropped < most; dropped += 1) {
      const { oldest } = order;
      if (oldest === undefined || oldest.expiresAtMs > nowMs) return;
      drop(oldest, nowMs);
    }
  }

  function drop(entry: Entry, nowMs: number): void {
    entries.delete(entry.id);
    order.remove(entry);
    bytes -= bytesOf(entry);
    if (entry.expiresAtMs <= nowMs) stats.expired += 1;
    else stats.evicted += 1;
  }

  return {
    remember,
    recall,
    sweep: () => dropExpired(now(), Number.POSITIVE_INFINITY),
    get size() {
      return entries.size;
    },
    get bytes() {
      return bytes;
    },
    stats,
  };
}

function join(one: Recollection, other: Recollection): Recollection {
  return one.outcome === 'label' && other.outcome === 'label' && one.label === other.label ? one : conflict;
}

function bytesOf(entry: Entry): number {
  const label = entry.answer.outcome === 'label' ? entry.answer.label.length : 0;
  return entry.id.length + label + entryOverheadBytes;
}

/**
 * The same text in memory of its own. What V8 cuts out of a header keeps the whole header alive (measured: 20,114 bytes
 * for an entry of a `traceparent` of 20,000), which no bound of ours would see.
 */
function detached(text: string): string {
  const codes: number[] = [];
  for (let index = 0; index < text.length; index += 1) codes.push(text.charCodeAt(index));
  return String.fromCharCode(...codes);
}
