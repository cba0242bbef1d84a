// The label memory: what label a trace had when it entered this pod, for as long as somebody asks.

import { type Label, parseLabel } from '../traffic/label.ts';
import { createOrder, type Order } from './order.ts';
import { agrees, conflict, join, none, type Recollection } from './recollection.ts';
import type { TraceId } from './trace.ts';

/**
 * Counted since the start. `remembered`, `hits`, `misses` and `conflicts` (of every verb) are calls, each counted once,
 * by its answer; base that meets no label is not counted. `evicted` and `expired` are entries.
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
  /**
   * Base counts as if it were a label: with one on a live identity it makes a conflict, in either order. For workloads
   * that label by rules of their own: there a request without a label has been judged, elsewhere it has lost one. HOT
   */
  rememberBase(ids: readonly TraceId[]): 'remembered' | 'conflict';
  /** What is known under these identities, and renews the time to live of what it finds; of base, `none`. HOT */
  recall(ids: readonly TraceId[]): Recollection;
  /** What would answer a recall, for the next process: identity and label, no label for a conflict. */
  dump(): readonly Remembered[];
  /** Takes a dump in, as if it were said now; what is none is passed over. */
  load(dump: readonly unknown[]): void;
  /** Drops all that has expired. */
  sweep(): void;
  /**
   * Entries held that could answer a recall, the expired that nobody has dropped yet among them: of labels and conflicts,
   * not of base.
   */
  readonly size: number;
  /** Estimate of the bytes held, by base too: of each entry the characters of identity and label, and `entryOverheadBytes`. */
  readonly bytes: number;
  readonly stats: MemoryStats;
};

export type Remembered = readonly [id: string, label: string | null];

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
  /** `none` is base. */
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

/**
 * A memory that holds at most `maxEntries` and `maxBytes`. Base goes first, however many base requests there are; then
 * what was used longest ago. A call takes constant time, and allocates nothing where it adds nothing.
 */
export function createMemory({ maxEntries, maxBytes, ttlMs, now }: MemoryOptions): Memory {
  const entries = new Map<string, Entry>();
  const base = createOrder<Entry>();
  const labelled = createOrder<Entry>();
  const stats = { remembered: 0, hits: 0, misses: 0, conflicts: 0, evicted: 0, expired: 0 };
  let baseEntries = 0;
  let bytes = 0;
  let latest: Found | undefined;

  function remember(ids: readonly TraceId[], label: Label): 'remembered' | 'conflict' {
    const outcome = keep(ids, label);
    if (outcome === 'remembered') stats.remembered += 1;
    return outcome;
  }

  function keep(ids: readonly TraceId[], label: Label | undefined): 'remembered' | 'conflict' {
    const nowMs = now();
    let outcome: 'remembered' | 'conflict' = 'remembered';
    for (const id of ids) {
      const entry = find(id, nowMs);
      if (entry === undefined) {
        add(id, label, nowMs);
      } else if (!agrees(entry.answer, label)) {
        outcome = 'conflict';
        unlink(entry);
        entry.answer = conflict;
        link(entry);
      }
    }
    dropExpired(nowMs, dropsPerCall);
    while (entries.size > maxEntries || bytes > maxBytes) {
      const last = base.oldest ?? labelled.oldest;
      if (last === undefined) break;
      drop(last, nowMs);
    }
    if (outcome === 'conflict') stats.conflicts += 1;
    return outcome;
  }

  function recall(ids: readonly TraceId[]): Recollection {
    const nowMs = now();
    let found: Recollection | undefined;
    for (const id of ids) {
      const entry = find(id, nowMs);
      if (entry !== undefined) found = found === undefined ? entry.answer : join(found, entry.answer);
    }
    const answer = found ?? none;
    dropExpired(nowMs, dropsPerCall);
    if (answer.outcome === 'label') stats.hits += 1;
    else if (answer.outcome === 'none') stats.misses += 1;
    else stats.conflicts += 1;
    return answer;
  }

  function load(dump: readonly unknown[]): void {
    for (const each of dump) {
      if (!Array.isArray(each) || typeof each[0] !== 'string') continue;
      const id = each[0] as TraceId; // made by a process like this one
      const label = typeof each[1] === 'string' ? parseLabel(each[1]) : undefined;
      keep([id], label);
      const entry = entries.get(id);
      if (label !== undefined || entry === undefined) continue;
      unlink(entry);
      entry.answer = conflict;
      link(entry);
    }
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
    const order = orderOf(entry);
    order.remove(entry);
    order.append(entry);
    return entry;
  }

  function add(id: string, label: Label | undefined, nowMs: number): void {
    const answer = label === undefined ? none : answerOf(label);
    const entry: Entry = { id: detached(id), answer, expiresAtMs: nowMs + ttlMs, older: undefined, newer: undefined };
    entries.set(entry.id, entry);
    link(entry);
  }

  /** Most pods see one label: its entries share one answer. */
  function answerOf(label: Label): Found {
    if (latest?.label !== label) latest = { outcome: 'label', label: parseLabel(detached(label)) ?? label };
    return latest;
  }

  function dropExpired(nowMs: number, most: number): void {
    for (let dropped = 0; dropped < most; dropped += 1) {
      const expired = expiredOf(labelled, nowMs) ?? expiredOf(base, nowMs);
      if (expired === undefined) return;
      drop(expired, nowMs);
    }
  }

  function drop(entry: Entry, nowMs: number): void {
    entries.delete(entry.id);
    unlink(entry);
    if (entry.expiresAtMs <= nowMs) stats.expired += 1;
    else stats.evicted += 1;
  }

  function link(entry: Entry): void {
    orderOf(entry).append(entry);
    if (entry.answer === none) baseEntries += 1;
    bytes += bytesOf(entry);
  }

  function unlink(entry: Entry): void {
    orderOf(entry).remove(entry);
    if (entry.answer === none) baseEntries -= 1;
    bytes -= bytesOf(entry);
  }

  function orderOf(entry: Entry): Order<Entry> {
    return entry.answer === none ? base : labelled;
  }

  return {
    remember,
    rememberBase: (ids) => keep(ids, undefined),
    recall,
    dump: () =>
      [...entries.values()]
        .filter(({ answer }) => answer !== none)
        .map(({ id, answer }) => [id, answer.outcome === 'label' ? answer.label : null]),
    load,
    sweep: () => dropExpired(now(), Number.POSITIVE_INFINITY),
    get size() {
      return entries.size - baseEntries;
    },
    get bytes() {
      return bytes;
    },
    stats,
  };
}

function expiredOf({ oldest }: Order<Entry>, nowMs: number): Entry | undefined {
  return oldest !== undefined && oldest.expiresAtMs <= nowMs ? oldest : undefined;
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
