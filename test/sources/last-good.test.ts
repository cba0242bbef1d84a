import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { documentFrom } from '../../src/documents/envelope.ts';
import { type Document, parse } from '../../src/documents/parse.ts';
import { formatProblem } from '../../src/problem.ts';
import { type LastGood, openLastGood } from '../../src/sources/last-good.ts';
import { serviceText } from '../mesh/fixture.ts';
import { podObject } from '../mesh/kubernetes/objects.ts';

let folder: string;
let path: string;
let lastGood: LastGood | undefined;
let told: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanekeeper-last-good-'));
  path = join(folder, 'run', 'last-good.json');
  told = 0;
});
afterEach(async () => {
  await lastGood?.close();
  rmSync(folder, { recursive: true, force: true });
});

const open = async (): Promise<LastGood> => {
  lastGood = await openLastGood(path, () => told++);
  return lastGood;
};
const service = (name: string, port = 80): Document =>
  parse(serviceText(name, { ports: [{ port }] }), `${name}.yaml`).documents[0] as Document;
const problems = (): string[] => (lastGood?.problems ?? []).map((one) => formatProblem(one).replace(`${folder}/`, ''));
const write = (text: string): void => {
  mkdirSync(join(folder, 'run'), { recursive: true });
  writeFileSync(path, text);
};
const said = (found: LastGood): unknown =>
  Object.fromEntries([...found.documents].map(([name, list]) => [name, list.map(({ value }) => value)]));

test('what was kept is there in the next life, of each source, with where it stood', async () => {
  const { keep, close } = await open();
  const documents = [service('a'), service('b', 90)];
  keep(
    new Map([
      ['files', documents],
      ['nacos', []],
    ]),
  );
  await close();
  const found = await open();
  expect(said(found)).toEqual({ files: documents.map(({ value }) => value), nacos: [] });
  const [a] = found.documents.get('files') ?? [];
  expect(a).toMatchObject({ kind: 'Service', name: 'a', file: 'a.yaml' });
  expect(a?.place(['spec'])).toEqual({ file: 'a.yaml' });
  expect(problems()).toEqual([]);
});

test('the first life has nothing, and that is no problem', async () => {
  expect(said(await open())).toEqual({});
  expect(problems()).toEqual([]);
});

test('it is written within a second of a change, once for many, whole, and for nobody else to read', async () => {
  const { keep } = await open();
  keep(new Map([['files', [service('a')]]]));
  keep(new Map([['files', [service('b')]]]));
  expect(existsSync(path)).toBe(false);
  await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toContain('"b"'), { timeout: 1_000, interval: 10 });
  expect(readFileSync(path, 'utf8')).not.toContain('"a"');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(folder, 'run'))).toEqual(['last-good.json']);
});

test('it is written a second after the first change, however many follow', async () => {
  const { keep } = await open();
  const started = performance.now();
  for (let port = 1; !existsSync(path); port++) {
    keep(new Map([['files', [service('a', port)]]]));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(performance.now() - started).toBeLessThan(1_000);
  }
});

test('what has not changed is not written again', async () => {
  const first = await open();
  const documents = [service('a')];
  first.keep(new Map([['files', documents]]));
  await first.close();
  rmSync(path);
  first.keep(new Map([['files', [...documents]]]));
  await first.close();
  expect(existsSync(path)).toBe(false);
});

test('of what Kubernetes has only what is read is kept', async () => {
  const spec = { containers: [{ env: [{ name: 'TOKEN', value: 'secret' }], ports: [{ containerPort: 80 }] }] };
  const metadata = { name: 'p', labels: { app: 'a' }, creationTimestamp: '2026-01-01T00:00:00Z', uid: 'x' };
  const pod = podObject('p', '10.0.0.1', {}, { metadata, spec });
  const { keep, close } = await open();
  keep(new Map([['kubernetes', [documentFrom(pod as Parameters<typeof documentFrom>[0], 'k')]]]));
  await close();
  expect(readFileSync(path, 'utf8')).not.toMatch(/secret|uid/);
  const [found] = (await open()).documents.get('kubernetes') ?? [];
  expect(found).toMatchObject({
    creationTimestamp: '2026-01-01T00:00:00Z',
    value: {
      apiVersion: 'v1',
      metadata: { name: 'p', namespace: 'default', labels: { app: 'a' } },
      status: { podIP: '10.0.0.1' },
    },
  });
});

describe('a broken file is a problem, not an end, and the next write mends it:', () => {
  test.each([
    [
      'no JSON',
      '{',
      /^run\/last-good\.json: warning: cannot be used: .*JSON.*; sources that cannot be reached begin empty$/,
    ],
    ['cut short', '{"version":1,"sources":{"a":[{"origin":"x","va', /cannot be used: .*JSON/],
    ['of another version', '{"version":2,"sources":{}}', /cannot be used: expected version 1; /],
    ['without sources', '{"version":1}', /cannot be used: expected version 1; /],
    ['no list of documents', '{"version":1,"sources":{"a":{}}}', /cannot be used: expected lists of documents; /],
    ['no documents', '{"version":1,"sources":{"a":[1]}}', /cannot be used: expected documents with an origin; /],
  ])('%s', async (_, text, message) => {
    write(text);
    const { documents, keep, close } = await open();
    expect(documents.size).toBe(0);
    expect(problems()).toEqual([expect.stringMatching(message)]);
    keep(new Map([['files', [service('a')]]]));
    await close();
    expect(problems()).toEqual([]);
    expect(told).toBe(1);
    expect((await open()).documents.get('files')).toHaveLength(1);
  });

  test('a folder', async () => {
    mkdirSync(path, { recursive: true });
    expect((await open()).documents.size).toBe(0);
    expect(problems()).toEqual([expect.stringMatching(/^run\/last-good\.json: warning: cannot be used: EISDIR/)]);
  });

  test('what it has is no document: the others are taken', async () => {
    const good = { origin: 'a', value: service('a').value };
    write(JSON.stringify({ version: 1, sources: { files: [{ origin: 'x', value: { kind: 1 } }, good] } }));
    expect((await open()).documents.get('files')).toHaveLength(1);
  });
});

test('where it cannot be written that is said, once, until it can', async () => {
  write('{"version":1,"sources":{}}');
  const { keep, close } = await open();
  rmSync(join(folder, 'run'), { recursive: true });
  writeFileSync(join(folder, 'run'), 'no folder');
  keep(new Map([['files', [service('a')]]]));
  await close();
  expect(problems()).toEqual([
    expect.stringMatching(/^run\/last-good\.json: warning: cannot be written: (EEXIST|ENOTDIR)/),
  ]);
  keep(new Map([['files', [service('b')]]]));
  await close();
  expect(told).toBe(1);
  rmSync(join(folder, 'run'));
  keep(new Map([['files', [service('a')]]]));
  await close();
  expect([problems(), told]).toEqual([[], 2]);
});

test('a file of an earlier process that was ended while it wrote is written over, with the right mode', async () => {
  write('{"version":1,"sources":{}}');
  writeFileSync(`${path}.${process.pid}.tmp`, 'half');
  chmodSync(`${path}.${process.pid}.tmp`, 0o666);
  const { keep, close } = await open();
  keep(new Map([['files', [service('a')]]]));
  await close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
});
