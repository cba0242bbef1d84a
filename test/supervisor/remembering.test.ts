import { beforeEach, describe, expect, test } from 'vitest';
import { type AskGate, createAskGate } from '../../src/supervisor/remembering.ts';

/** What Envoy was told, in order; each telling waits until it is answered. */
let told: boolean[];
let failures: unknown[];
let gate: AskGate;
let pending: PromiseWithResolvers<void>[];

beforeEach(() => {
  told = [];
  failures = [];
  pending = [];
  gate = createAskGate(
    (open) => {
      told.push(open);
      const answer = Promise.withResolvers<void>();
      pending.push(answer);
      return answer.promise;
    },
    (error) => failures.push(error),
  );
});

/** Lets everything that is already possible happen. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

async function answer(): Promise<void> {
  await settle();
  pending.shift()?.resolve();
  await settle();
}

async function fail(): Promise<void> {
  await settle();
  pending.shift()?.reject(new Error('no Envoy'));
  await settle();
}

async function isDone(promise: Promise<void> | undefined): Promise<boolean> {
  const nothing = Symbol();
  return (await Promise.race([promise, settle().then(() => nothing)])) !== nothing;
}

test('Envoy is not told before somebody wants it, and what it was told is unknown', () => {
  expect(told).toEqual([]);
  expect(gate).toMatchObject({ isWanted: false, isOpen: undefined });
});

describe('an opening', () => {
  test('is over only when Envoy has been told', async () => {
    const opened = gate.open();
    expect(await isDone(opened)).toBe(false);
    expect(gate).toMatchObject({ isWanted: true, isOpen: undefined });
    await answer();
    expect(await isDone(opened)).toBe(true);
    expect(gate.isOpen).toBe(true);
  });

  test('that comes while another is on its way waits for that one, and tells nothing more', async () => {
    gate.open();
    const second = gate.open();
    expect(await isDone(second)).toBe(false);
    await answer();
    expect(await isDone(second)).toBe(true);
    expect(told).toEqual([true]);
  });

  test('of an open gate costs nothing', async () => {
    gate.open();
    await answer();
    expect(gate.open()).toBeUndefined();
    expect(told).toEqual([true]);
  });

  test('that fails ends all the same, is reported, and the next one tries again', async () => {
    const opened = gate.open();
    await fail();
    expect(await isDone(opened)).toBe(true);
    expect(failures).toEqual([new Error('no Envoy')]);
    const again = gate.open();
    expect(await isDone(again)).toBe(false);
    await answer();
    expect(await isDone(again)).toBe(true);
    expect(gate.isOpen).toBe(true);
    expect(told).toEqual([true, true]);
  });

  test('that fails stays wanted: an Envoy that is started now begins open', async () => {
    gate.open();
    await fail();
    expect(gate).toMatchObject({ isWanted: true, isOpen: undefined });
  });
});

describe('a closing', () => {
  test('of a closed gate tells nothing', async () => {
    gate.repeat();
    await answer();
    gate.close();
    await settle();
    expect(told).toEqual([false]);
  });

  test('that fails is tried again by the next one', async () => {
    gate.open();
    await answer();
    gate.close();
    await fail();
    gate.close();
    await answer();
    expect(told).toEqual([true, false, false]);
    expect(gate).toMatchObject({ isWanted: false, isOpen: false });
  });

  test('is told after the opening before it, and an opening after it waits for its own', async () => {
    gate.open();
    gate.close();
    const reopened = gate.open();
    await settle();
    expect(told).toEqual([true]);
    await answer();
    expect(told).toEqual([true, false]);
    await answer();
    expect(told).toEqual([true, false, true]);
    expect(await isDone(reopened)).toBe(false);
    await answer();
    expect(await isDone(reopened)).toBe(true);
    expect(gate).toMatchObject({ isWanted: true, isOpen: true });
  });

  test('that fails does not undo the opening after it: that one can be closed again', async () => {
    gate.open();
    await answer();
    gate.close();
    const reopened = gate.open();
    await fail();
    await answer();
    expect(await isDone(reopened)).toBe(true);
    expect(gate).toMatchObject({ isWanted: true, isOpen: true });
    gate.close();
    await answer();
    expect(told).toEqual([true, false, true, false]);
  });
});

test.each([true, false])('a repetition tells what is wanted: %s', async (open) => {
  if (open) gate.open();
  await answer();
  gate.repeat();
  await answer();
  expect(told.at(-1)).toBe(open);
  expect(gate).toMatchObject({ isWanted: open, isOpen: open });
});
