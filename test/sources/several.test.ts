import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parse } from '../../src/documents/parse.ts';
import { formatProblem } from '../../src/problem.ts';
import { type Generation, type InForce, openInForce } from '../../src/sources/in-force.ts';
import type { Contribution, Source } from '../../src/sources/source.ts';
import { serviceText } from '../mesh/fixture.ts';

/** A source whose place is this test. */
function placeOf(name: string, first?: Contribution) {
  let listener: ((contribution: Contribution) => void) | undefined;
  let opening: (() => void) | undefined;
  const state = { isClosed: false };
  const source: Source = {
    name,
    open(onChange) {
      listener = onChange;
      const opened = {
        close() {
          state.isClosed = true;
        },
      };
      if (first !== undefined) {
        onChange(first);
        return Promise.resolve(opened);
      }
      return new Promise((resolve) => {
        opening = () => resolve(opened);
      });
    },
  };
  return {
    source,
    state,
    say: (contribution: Contribution) => listener?.(contribution),
    open: () => opening?.(),
  };
}

const holding = (text: string, file = 'x'): Contribution => parse(text, file);
const on = (port: number, name = 'a'): string => serviceText(name, { ports: [{ port }] });
const refused: Contribution = { documents: [], problems: [], lost: 'connection refused' };

let folder: string;
let generations: Generation[];
let inForce: InForce | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanekeeper-several-'));
  generations = [];
});
afterEach(async () => {
  await inForce?.close();
  inForce = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const snapshot = (): string => join(folder, 'last-good.json');

async function open(sources: readonly Source[], options: { snapshot?: string } = {}): Promise<void> {
  const onGeneration = (generation: Generation) => generations.push(generation);
  inForce = await openInForce({ sources, onGeneration, ...options });
}

const ports = (generation = generations.at(-1)): Record<string, number> =>
  Object.fromEntries([...(generation?.mesh.services ?? [])].map(([name, service]) => [name, service.ports[0].port]));
const problems = (): string[] => (generations.at(-1)?.problems ?? []).map(formatProblem);

describe('several sources', () => {
  test('are in force together, when each has said its first word', async () => {
    const [fast, slow] = [placeOf('fast', holding(on(1))), placeOf('slow')];
    const opening = open([fast.source, slow.source]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    slow.say(holding(on(2, 'b')));
    expect(generations).toEqual([]);
    slow.open();
    await opening;
    expect(generations).toHaveLength(1);
    expect(ports()).toEqual({ 'default/a': 1, 'default/b': 2 });
  });

  test('come in the order in which they are given, whoever speaks first', async () => {
    const [one, two] = [placeOf('one'), placeOf('two', holding(on(2)))];
    const opening = open([one.source, two.source]);
    one.say(holding(on(1)));
    one.open();
    await opening;
    expect(ports()).toEqual({ 'default/a': 1 });
  });

  test('each make a generation when they change, with what changed; none when nothing did', async () => {
    const [one, two] = [placeOf('one', holding(on(1))), placeOf('two', holding(on(2, 'b')))];
    await open([one.source, two.source]);
    two.say(holding(on(3, 'b')));
    two.say(holding(on(3, 'b')));
    one.say(holding(''));
    expect(generations.map(({ number, difference }) => [number, difference.services])).toEqual([
      [1, { added: ['default/a', 'default/b'], changed: [], removed: [] }],
      [2, { added: [], changed: ['default/b'], removed: [] }],
      [3, { added: [], changed: [], removed: ['default/a'] }],
    ]);
    expect(inForce?.generation).toBe(generations[2]);
  });

  test('are closed together, and nothing is in force after that', async () => {
    const places = [placeOf('one', holding(on(1))), placeOf('two', holding(''))] as const;
    await open(places.map(({ source }) => source));
    await inForce?.close();
    expect(places.map(({ state }) => state.isClosed)).toEqual([true, true]);
    places[0].say(holding(on(2)));
    expect(generations).toHaveLength(1);
  });

  test('of one name are a mistake of the caller', async () => {
    const [one, other] = [placeOf('one', holding('')), placeOf('one', holding(''))];
    await expect(open([one.source, other.source])).rejects.toThrow('two sources have one name');
  });

  test('may be none', async () => {
    await open([]);
    expect(generations).toMatchObject([{ number: 1, problems: [], sources: [] }]);
  });
});

describe('a source that is lost', () => {
  test('is said to be, and what it held stands, beside what others change', async () => {
    const [one, two] = [placeOf('one', holding(on(1))), placeOf('nacos 10.0.0.1:8848', holding(on(2, 'b')))];
    await open([one.source, two.source]);
    two.say({ ...holding(on(2, 'b')), lost: 'connection refused' });
    one.say(holding(on(3)));
    expect(ports()).toEqual({ 'default/a': 3, 'default/b': 2 });
    expect(problems()).toEqual([
      'nacos 10.0.0.1:8848: warning: cannot be reached: connection refused; what it held last stands',
    ]);
    const names = [{ name: 'one' }, { name: 'nacos 10.0.0.1:8848', lost: 'connection refused' }];
    expect(generations.at(-1)?.sources).toEqual(names);
    two.say(holding(on(2, 'b')));
    expect(problems()).toEqual([]);
    expect(generations.at(-1)?.sources).toEqual([{ name: 'one' }, { name: 'nacos 10.0.0.1:8848' }]);
  });

  test('from the start holds nothing up', async () => {
    await open([placeOf('one', refused).source, placeOf('two', holding(on(1))).source]);
    expect(ports()).toEqual({ 'default/a': 1 });
    expect(problems()).toEqual(['one: warning: cannot be reached: connection refused; nothing that it held is known']);
  });
});

describe('with a snapshot', () => {
  /** One life, which ends with these states of two sources. */
  async function life(one: Contribution, two: Contribution, later?: () => void): Promise<void> {
    const places = [placeOf('one', one), placeOf('two', two)] as const;
    await open(
      places.map(({ source }) => source),
      { snapshot: snapshot() },
    );
    later?.();
    await inForce?.close();
  }

  test('a source that cannot be reached at the start begins with what it had, until it is back', async () => {
    await life(holding(on(1)), holding(on(2, 'b')));
    const one = placeOf('one', refused);
    await open([one.source, placeOf('two', holding(on(3, 'b'))).source], { snapshot: snapshot() });
    expect(ports()).toEqual({ 'default/a': 1, 'default/b': 3 });
    expect(problems()).toEqual(['one: warning: cannot be reached: connection refused; what it held last stands']);
    expect(generations.at(-1)?.sources[0]).toEqual({ name: 'one', lost: 'connection refused' });
    one.say(holding(''));
    expect(ports()).toEqual({ 'default/b': 3 });
  });

  test('it outlives several starts at which the source is away', async () => {
    await life(holding(on(1)), holding(''));
    await life(refused, holding(on(2, 'b')));
    await life(refused, holding(''));
    expect(ports()).toEqual({ 'default/a': 1 });
  });

  test('a document that is wrong at the start has its last good form, and the file keeps that', async () => {
    await life(holding(on(1)), holding(''));
    for (let round = 0; round < 2; round++) {
      await life(holding(on(0)), holding(''));
      expect(ports()).toEqual({ 'default/a': 1 });
    }
    expect(readFileSync(snapshot(), 'utf8')).toContain('"port":1');
  });

  test('that is broken, the start is told, and goes on', async () => {
    writeFileSync(snapshot(), '{');
    const one = placeOf('one', holding(on(1)));
    await open([one.source], { snapshot: snapshot() });
    expect(ports()).toEqual({ 'default/a': 1 });
    expect(problems()).toEqual([expect.stringMatching(/last-good\.json: warning: cannot be used: /)]);
    // The next write mends it, and then it is no problem any more.
    await vi.waitFor(() => expect(problems()).toEqual([]), { timeout: 5_000 });
    expect(generations.map(({ number }) => number)).toEqual([1, 2]);
  });
});
