import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { labelOf } from '../../src/propagation/baggage.ts';
import { createMemory, type Memory } from '../../src/propagation/memory.ts';
import type { Recollection } from '../../src/propagation/recollection.ts';
import { type TraceId, traceIds } from '../../src/propagation/trace.ts';
import type { Label } from '../../src/traffic/label.ts';
import { label, requestWith } from './given.ts';

const gray = label('gray');
const blue = label('blue');
const none = { outcome: 'none' };
const conflict = { outcome: 'conflict' };

describe('a trace has the label that was remembered for it', () => {
  test('under each of its identities', () => {
    const { memory } = given();
    expect(memory.remember([id('a'), id('b')], gray)).toBe('remembered');
    expect(memory.recall([id('a')])).toEqual({ outcome: 'label', label: gray });
    expect(memory.recall([id('b')])).toEqual({ outcome: 'label', label: gray });
    expect(memory.recall([id('x'), id('b')])).toEqual({ outcome: 'label', label: gray });
    expect(memory.recall([id('c')])).toEqual(none);
    expect(memory.recall([])).toEqual(none);
  });

  test('until the time to live has passed since it was last used, not sooner', () => {
    const { memory, clock } = given();
    memory.remember([id('a'), id('b'), id('c')], gray);
    clock.ms = 999;
    expect(memory.recall([id('a')])).toEqual({ outcome: 'label', label: gray });
    memory.remember([id('b')], gray);
    clock.ms = 1000;
    expect(memory.recall([id('c')])).toEqual(none);
    clock.ms = 1998;
    expect(memory.recall([id('a')])).toEqual({ outcome: 'label', label: gray });
    expect(memory.recall([id('b')])).toEqual({ outcome: 'label', label: gray });
    clock.ms = 2998;
    expect(memory.recall([id('a'), id('b')])).toEqual(none);
  });

  test('and another one once the first has expired', () => {
    const { memory, clock } = given();
    memory.remember([id('a')], gray);
    clock.ms = 1000;
    expect(memory.remember([id('a')], blue)).toBe('remembered');
    expect(memory.recall([id('a')])).toEqual({ outcome: 'label', label: blue });
  });
});

describe('two different labels on one live trace are none', () => {
  test('whatever is remembered afterwards, for as long as somebody uses the trace', () => {
    const { memory, clock } = given();
    memory.remember([id('a')], gray);
    expect(memory.remember([id('a')], blue)).toBe('conflict');
    expect(memory.recall([id('a')])).toEqual(conflict);
    expect(memory.remember([id('a')], gray)).toBe('conflict');
    clock.ms = 999;
    expect(memory.recall([id('a')])).toEqual(conflict);
    clock.ms = 1998;
    expect(memory.recall([id('a')])).toEqual(conflict);
    clock.ms = 2998;
    expect(memory.recall([id('a')])).toEqual(none);
  });

  test('and leave the request’s other identities their label', () => {
    const { memory } = given();
    memory.remember([id('trace'), id('one')], gray);
    expect(memory.remember([id('trace'), id('two')], blue)).toBe('conflict');
    expect(memory.recall([id('trace'), id('one')])).toEqual(conflict);
    expect(memory.recall([id('one')])).toEqual({ outcome: 'label', label: gray });
    expect(memory.recall([id('two')])).toEqual({ outcome: 'label', label: blue });
  });

  test('also where they are found under two identities of one request', () => {
    const { memory } = given();
    memory.remember([id('a')], gray);
    memory.remember([id('b')], blue);
    expect(memory.recall([id('a'), id('b')])).toEqual(conflict);
    expect(memory.recall([id('a')])).toEqual({ outcome: 'label', label: gray });
  });
});

describe('base counts where it is remembered', () => {
  test.each(['label first', 'base first'])('a label and base on one live trace are none: %s', (order) => {
    const { memory, clock } = given();
    const steps = [() => memory.remember([id('a')], gray), () => memory.rememberBase([id('a')])];
    const [first, second] = order === 'label first' ? steps : steps.toReversed();
    expect(first?.()).toBe('remembered');
    expect(second?.()).toBe('conflict');
    clock.ms = 999;
    expect(memory.recall([id('a')])).toEqual(conflict);
    clock.ms = 1999;
    expect(memory.recall([id('a')])).toEqual(none);
  });

  test('base alone is none, however often, and no conflict', () => {
    const { memory } = given();
    expect(memory.rememberBase([id('a'), id('b')])).toBe('remembered');
    expect(memory.rememberBase([id('a')])).toBe('remembered');
    expect(memory.recall([id('a'), id('b')])).toEqual(none);
    expect(memory.stats).toMatchObject({ remembered: 0, hits: 0, misses: 1, conflicts: 0 });
  });

  test('a label and base under two identities of one request are none', () => {
    const { memory } = given();
    memory.remember([id('a')], gray);
    memory.rememberBase([id('b')]);
    expect(memory.recall([id('a'), id('b')])).toEqual(conflict);
    expect(memory.recall([id('a'), id('unknown')])).toEqual({ outcome: 'label', label: gray });
  });

  test('base is not asked for: it has no part in the size, but in the bounds', () => {
    const { memory } = given({ maxEntries: 3 });
    memory.rememberBase([id('a'), id('b')]);
    expect([memory.size, memory.bytes > 0]).toEqual([0, true]);
    memory.remember([id('a')], gray);
    expect(memory.size).toBe(1);
    memory.rememberBase([id('c'), id('d')]);
    expect([memory.size, memory.stats.evicted]).toEqual([1, 1]);
  });

  test('base goes before any label, however many base requests there are', () => {
    const { memory } = given({ maxEntries: 3 });
    memory.remember([id('a')], gray);
    for (let index = 0; index < 100; index += 1) memory.rememberBase([id(`base${index}`)]);
    memory.remember([id('b'), id('c')], gray);
    expect(memory.recall([id('a')])).toEqual({ outcome: 'label', label: gray });
    expect(memory.recall([id('b'), id('c')])).toEqual({ outcome: 'label', label: gray });
    expect(memory.stats.evicted).toBe(100);
  });
});

describe('the memory is bounded', () => {
  test('in entries: what was used longest ago goes first', () => {
    const { memory } = given({ maxEntries: 3 });
    memory.remember([id('a'), id('b'), id('c')], gray);
    memory.recall([id('a')]);
    memory.remember([id('d')], gray);
    expect(memory.size).toBe(3);
    expect(memory.recall([id('b')])).toEqual(none);
    expect(memory.recall([id('a')])).toEqual({ outcome: 'label', label: gray });
    expect(memory.stats.evicted).toBe(1);
  });

  test('in bytes, which grow with identity and label', () => {
    const { memory } = given({ maxBytes: 1000 });
    memory.remember([id('a')], gray);
    const one = memory.bytes;
    memory.remember([id('bcd')], label('gray.eu'));
    expect(memory.bytes).toBe(2 * one + 2 + 3);
    memory.remember([id('bcd')], gray);
    expect(memory.bytes).toBe(2 * one + 2 - 4);
    memory.remember([id('r'.repeat(100)), id('s'.repeat(100))], gray);
    expect(memory.bytes).toBeLessThanOrEqual(1000);
    expect(memory.size).toBe(2);
    expect(memory.recall([id('s'.repeat(100))])).toEqual({ outcome: 'label', label: gray });
  });

  test.each([{ maxEntries: 0 }, { maxBytes: 0 }])('also where there is no room at all: %j', (options) => {
    const { memory } = given(options);
    memory.remember([id('a'), id('b')], gray);
    expect([memory.size, memory.bytes, memory.stats.evicted]).toEqual([0, 0, 2]);
  });

  test('in time: a sweep drops all that has expired and nothing else', () => {
    const { memory, clock } = given();
    for (let index = 0; index < 50; index += 1) memory.remember([id(`old${index}`)], gray);
    clock.ms = 500;
    memory.remember([id('young'), id('old7')], gray);
    clock.ms = 1000;
    memory.sweep();
    expect(memory.size).toBe(2);
    expect(memory.stats).toMatchObject({ expired: 49, evicted: 0 });
    clock.ms = 1500;
    memory.sweep();
    expect([memory.size, memory.bytes]).toEqual([0, 0]);
  });

  test('and without a sweep, calls drop the expired faster than they add', () => {
    const { memory, clock } = given();
    for (let index = 0; index < 400; index += 1) memory.remember([id(`old${index}`)], gray);
    clock.ms = 1000;
    for (let index = 0; index < 50; index += 1) memory.recall([id('nothing')]);
    expect(memory.size).toBe(0);
    expect(memory.stats.expired).toBe(400);
  });
});

test('what is held is no more than the estimate, however long the headers were', () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const { memory } = given({ maxEntries: 1e6, maxBytes: 1e9 });
  const filler = 'x'.repeat(20_000);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < 4000; index += 1) {
    const traceparent = `01-${String(index + 1).padStart(32, '0')}-00f067aa0ba902b7-01-${filler}${index}`;
    const carried = labelOf(`a=${filler}${index},OpenSergo-Label=a-label-that-is-long-${index % 2}`);
    if (carried !== undefined) memory.remember(traceIds(requestWith({ traceparent })), carried);
  }
  collect();
  expect(memory.size).toBe(4000);
  // A megabyte for what the runtime itself does meanwhile; headers kept alive would be eighty.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(memory.bytes + 1e6);
});

test('every call is counted once, by its answer', () => {
  const { memory } = given();
  memory.remember([id('a')], gray);
  memory.remember([id('a')], gray);
  memory.recall([id('a')]);
  memory.recall([id('b')]);
  memory.remember([id('a'), id('c')], blue);
  memory.recall([id('a'), id('c')]);
  expect(memory.stats).toEqual({ remembered: 2, hits: 1, misses: 1, conflicts: 2, evicted: 0, expired: 0 });
});

describe('the memory agrees with a list that is searched from end to end', () => {
  const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'long'.repeat(20)), { maxLength: 4 });
  const step = fc.oneof(
    fc.record({
      verb: fc.constant('remember' as const),
      names,
      label: fc.constantFrom(gray, gray, blue, label('gray.eu')),
    }),
    fc.record({ verb: fc.constant('remember base' as const), names }),
    fc.record({ verb: fc.constant('recall' as const), names }),
    fc.record({ verb: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 300, 999, 1000) }),
    fc.record({ verb: fc.constant('sweep' as const) }),
  );

  test.each([
    { maxEntries: 100, maxBytes: 1e6 },
    { maxEntries: 4, maxBytes: 1e6 },
    { maxEntries: 100, maxBytes: 1300 },
    { maxEntries: 1, maxBytes: 300 },
  ])('with $maxEntries entries and $maxBytes bytes', (bounds) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { memory, clock } = given(bounds);
        const model = createModel(bounds, clock);
        for (const one of steps) {
          if (one.verb === 'remember') {
            const ids = [...new Set(one.names)].map(id);
            expect(memory.remember(ids, one.label)).toBe(model.remember(ids, one.label));
          } else if (one.verb === 'remember base') {
            const ids = [...new Set(one.names)].map(id);
            expect(memory.rememberBase(ids)).toBe(model.rememberBase(ids));
          } else if (one.verb === 'recall') {
            const ids = [...new Set(one.names)].map(id);
            expect(memory.recall(ids)).toEqual(model.recall(ids));
          } else if (one.verb === 'wait') {
            clock.ms += one.ms;
          } else {
            memory.sweep();
            expect([memory.size, memory.bytes, memory.stats.evicted, memory.stats.expired]).toEqual(model.totals());
          }
          expect(memory.size).toBeLessThanOrEqual(bounds.maxEntries);
          expect(memory.bytes).toBeLessThanOrEqual(bounds.maxBytes);
        }
        memory.sweep();
        expect([memory.size, memory.bytes, memory.stats.evicted, memory.stats.expired]).toEqual(model.totals());
      }),
      { seed: 20261123, numRuns: 1500 },
    );
  });
});

type Model = Pick<Memory, 'remember' | 'rememberBase' | 'recall'> & { totals(): number[] };

/** Oldest first; expires before every call; evicts after it, base first. Base is a label of its own name here. */
function createModel(bounds: { maxEntries: number; maxBytes: number }, clock: { ms: number }): Model {
  let list: { id: TraceId; labels: Set<Label | 'base'>; usedMs: number }[] = [];
  let evicted = 0;
  let expired = 0;
  const use = (one: TraceId, labels: readonly (Label | 'base')[]) => {
    const found = list.find((entry) => entry.id === one) ?? { id: one, labels: new Set(), usedMs: 0 };
    list = list.filter((entry) => entry !== found);
    list.push({ id: one, labels: new Set([...found.labels, ...labels]), usedMs: clock.ms });
    return list.at(-1)?.labels ?? new Set();
  };
  const expire = () => {
    const live = list.filter((entry) => clock.ms - entry.usedMs < 1000);
    expired += list.length - live.length;
    list = live;
  };
  const bytes = () =>
    list
      .map((entry) => entry.id.length + 280 + (entry.labels.size === 1 && !isBase(entry) ? lengthOf(entry.labels) : 0))
      .reduce((sum, next) => sum + next, 0);
  const isBase = ({ labels }: { labels: Set<Label | 'base'> }) => labels.size === 1 && labels.has('base');
  const lengthOf = (labels: Set<Label | 'base'>) => [...labels].join('').length;
  const remember = (ids: readonly TraceId[], given: Label | 'base') => {
    expire();
    const conflicts = ids.map((one) => use(one, [given]).size > 1);
    while (list.length > bounds.maxEntries || bytes() > bounds.maxBytes) {
      const last = list.find(isBase) ?? list[0];
      list = list.filter((entry) => entry !== last);
      evicted += 1;
    }
    return conflicts.includes(true) ? 'conflict' : 'remembered';
  };
  return {
    remember,
    rememberBase: (ids) => remember(ids, 'base'),
    recall(ids): Recollection {
      expire();
      const known = ids.filter((one) => list.some((entry) => entry.id === one));
      const found = new Set(known.flatMap((one) => [...use(one, [])]));
      const [only] = found;
      if (only === undefined || isBase({ labels: found })) return { outcome: 'none' };
      return found.size > 1 || only === 'base' ? { outcome: 'conflict' } : { outcome: 'label', label: only };
    },
    totals() {
      expire();
      return [list.filter((entry) => !isBase(entry)).length, bytes(), evicted, expired];
    },
  };
}

function given(options: { maxEntries?: number; maxBytes?: number } = {}) {
  const clock = { ms: 0 };
  const memory = createMemory({ maxEntries: 1000, maxBytes: 1e6, ttlMs: 1000, now: () => clock.ms, ...options });
  return { memory, clock };
}

function id(name: string): TraceId {
  const [only] = traceIds(requestWith({ 'x-request-id': name }));
  if (only === undefined) throw new Error(`no identity: ${name}`);
  return only;
}
