// What every source promises, whatever it is: each runs this suite.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Document } from '../../src/documents/parse.ts';
import { valueAt } from '../../src/documents/value.ts';
import type { Contribution, OpenSource, Source } from '../../src/sources/source.ts';

/** Services by name, each with the addresses of its instances. */
export type Held = Readonly<Record<string, readonly string[]>>;

/** A place where services are held, and what can happen to it. */
export type SourceStage = {
  readonly source: Source;
  /** From now on the place holds exactly these. */
  hold(services: Held): Promise<void> | void;
  /** Nobody can reach the place. What it holds may be lost with it. */
  lose(): Promise<void> | void;
  /** The place can be reached again, and holds these. */
  restore(services: Held): Promise<void> | void;
  close(): Promise<void> | void;
};

export function describeSource(what: string, openStage: () => Promise<SourceStage> | SourceStage): void {
  describe(`${what} is a source:`, () => {
    let stage: SourceStage;
    let opened: OpenSource | undefined;
    let states: Contribution[];
    let depth = 0;

    beforeEach(async () => {
      stage = await openStage();
      states = [];
    });
    afterEach(async () => {
      await opened?.close();
      opened = undefined;
      await stage.close();
    });

    async function open(): Promise<void> {
      opened = await stage.source.open((contribution) => {
        expect(++depth, 'onChange within onChange').toBe(1);
        states.push(contribution);
        depth--;
      });
    }

    const last = (): Contribution | undefined => states.at(-1);
    const within = { timeout: 15_000, interval: 10 };
    const seen = (services: Held): Promise<void> => vi.waitFor(() => expect(heldIn(last())).toEqual(services), within);
    const isLost = (expected: boolean): Promise<void> =>
      vi.waitFor(() => expect(last()?.lost !== undefined).toBe(expected), within);
    const documentOf = (name: string): Document | undefined =>
      last()?.documents.find((document) => document.name === name);

    test('it has a name', () => {
      expect(stage.source.name).toMatch(/^[a-z]+ \S/);
    });

    test('its first state is known when it is open', async () => {
      await stage.hold({ a: ['10.0.0.1'], b: [] });
      await open();
      expect(states).toHaveLength(1);
      expect(heldIn(last())).toMatchObject({ a: ['10.0.0.1'] });
      expect(last()).toMatchObject({ problems: [] });
      expect(last()?.lost).toBeUndefined();
    });

    test('what is added, changed and removed is handed on, whole', async () => {
      await stage.hold({ a: ['10.0.0.1'] });
      await open();
      await stage.hold({ a: ['10.0.0.1'], b: ['10.0.0.2'] });
      await seen({ a: ['10.0.0.1'], b: ['10.0.0.2'] });
      await stage.hold({ a: ['10.0.0.1', '10.0.0.3'], b: ['10.0.0.2'] });
      await seen({ a: ['10.0.0.1', '10.0.0.3'], b: ['10.0.0.2'] });
      await stage.hold({ b: ['10.0.0.2'] });
      await vi.waitFor(() => expect(heldIn(last())['a'] ?? []).toEqual([]), within);
    });

    test('what has not changed is the same object', async () => {
      await stage.hold({ a: ['10.0.0.1'], b: ['10.0.0.2'] });
      await open();
      await seen({ a: ['10.0.0.1'], b: ['10.0.0.2'] });
      const before = { a: documentOf('a'), b: documentOf('b') };
      await stage.hold({ a: ['10.0.0.1'], b: ['10.0.0.2', '10.0.0.3'] });
      await seen({ a: ['10.0.0.1'], b: ['10.0.0.2', '10.0.0.3'] });
      expect(documentOf('a')).toBe(before.a);
      expect(documentOf('b')).not.toBe(before.b);
    });

    test('while it cannot be reached that is said, and its last documents stand, the same objects', async () => {
      await stage.hold({ a: ['10.0.0.1'] });
      await open();
      await seen({ a: ['10.0.0.1'] });
      const before = documentOf('a');
      await stage.lose();
      await isLost(true);
      expect(last()?.lost).not.toBe('');
      expect(heldIn(last())).toEqual({ a: ['10.0.0.1'] });
      expect(documentOf('a')).toBe(before);
      await stage.restore({ a: ['10.0.0.1'], b: ['10.0.0.2'] });
      await seen({ a: ['10.0.0.1'], b: ['10.0.0.2'] });
      await isLost(false);
    });

    test('where it cannot be reached at the start it opens nevertheless, lost, and is taken up when it comes', async () => {
      await stage.lose();
      await open();
      expect(last()).toMatchObject({ documents: [], lost: expect.stringMatching(/./) });
      await stage.restore({ a: ['10.0.0.1'] });
      await seen({ a: ['10.0.0.1'] });
      await isLost(false);
    });

    test('after it is closed nothing is handed on', async () => {
      await stage.hold({ a: ['10.0.0.1'] });
      await open();
      await opened?.close();
      const before = states.length;
      await stage.hold({ a: ['10.0.0.2'] });
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(states).toHaveLength(before);
    });
  });
}

function heldIn(contribution: Contribution | undefined): Held {
  const services = (contribution?.documents ?? []).filter(({ kind }) => kind === 'Service');
  return Object.fromEntries(
    services.map((document) => {
      const instances = valueAt(document.value, ['spec', 'instances']);
      const addresses = Array.isArray(instances) ? instances.map((one) => String(valueAt(one, ['address']))) : [];
      return [document.name, addresses.sort()];
    }),
  );
}
