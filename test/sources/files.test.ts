import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SourceFile } from '../../src/mesh/assemble.ts';
import { formatProblem, type Problem } from '../../src/problem.ts';
import { type FileSource, watchFiles } from '../../src/sources/files.ts';

type Call = { readonly files: readonly SourceFile[]; readonly problems: readonly Problem[] };

let folder: string;
let calls: Call[];
let source: FileSource | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanekeeper-files-'));
  calls = [];
});
afterEach(() => {
  source?.close();
  source = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function open(...paths: string[]): Promise<void> {
  source = await watchFiles({
    paths: paths.map((path) => join(folder, path)),
    onFiles: (files, problems) => calls.push({ files, problems }),
  });
}

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

/** The last call's texts, by name below the folder of the test. */
function texts(call = calls.at(-1)): Record<string, string> {
  return Object.fromEntries((call?.files ?? []).map(({ file, text }) => [file.slice(folder.length + 1), text]));
}

function problems(): string[] {
  return (calls.at(-1)?.problems ?? []).map((problem) => formatProblem(problem).replace(`${folder}/`, ''));
}

const within = { timeout: 5_000, interval: 5 };
const seen = (expected: Record<string, string>): Promise<void> =>
  vi.waitFor(() => expect(texts()).toEqual(expected), within);

/** Waits until a change that comes after all others has been read. */
async function settled(): Promise<void> {
  write('zz.yaml', 'marker');
  await vi.waitFor(() => expect(texts()).toHaveProperty('zz.yaml', 'marker'), within);
}

describe('what is read', () => {
  test('a file, whatever its name', async () => {
    write('rules', 'a');
    await open('rules');
    expect(texts()).toEqual({ rules: 'a' });
  });

  test('of a folder the YAML and JSON, in the order of their names; no hidden file, other ending or folder in it', async () => {
    for (const name of ['b.yml', 'a.yaml', 'c.json', '.d.yaml', 'e.txt', 'f.yaml~', 'g.yaml.bak', 'yaml'])
      write(name, name);
    mkdirSync(join(folder, 'sub'));
    write('sub/h.yaml', 'h');
    await open('.');
    expect(texts()).toEqual({ 'a.yaml': 'a.yaml', 'b.yml': 'b.yml', 'c.json': 'c.json' });
    expect(Object.keys(texts())).toEqual(['a.yaml', 'b.yml', 'c.json']);
    expect(problems()).toEqual([]);
  });

  test('several paths, in their order', async () => {
    mkdirSync(join(folder, 'services'));
    write('services/a.yaml', 's');
    write('rules.yaml', 'r');
    await open('services', 'rules.yaml');
    expect(Object.keys(texts())).toEqual(['services/a.yaml', 'rules.yaml']);
  });

  test('an empty folder', async () => {
    await open('.');
    expect(calls).toEqual([{ files: [], problems: [] }]);
  });
});

describe('what changes is handed on whole', () => {
  test.each(['.', 'a.yaml'])('a file that is edited in place, of %s', async (path) => {
    write('a.yaml', '1');
    await open(path);
    write('a.yaml', '2');
    await seen({ 'a.yaml': '2' });
  });

  test.each(['.', 'a.yaml'])('a file that is replaced by a rename, as editors do, of %s', async (path) => {
    write('a.yaml', '1');
    await open(path);
    for (const text of ['2', '3']) {
      write('.a.yaml.swp', text);
      renameSync(join(folder, '.a.yaml.swp'), join(folder, 'a.yaml'));
      await seen({ 'a.yaml': text });
    }
  });

  test('a file that is new, and one that is removed', async () => {
    write('a.yaml', '1');
    await open('.');
    write('b.yaml', '2');
    await seen({ 'a.yaml': '1', 'b.yaml': '2' });
    unlinkSync(join(folder, 'a.yaml'));
    await seen({ 'b.yaml': '2' });
  });

  test('a change of several files within a moment is one', async () => {
    await open('.');
    for (const name of ['a.yaml', 'b.yaml', 'c.yaml']) write(name, name);
    await seen({ 'a.yaml': 'a.yaml', 'b.yaml': 'b.yaml', 'c.yaml': 'c.yaml' });
    expect(calls).toHaveLength(2);
  });

  test('within a second', async () => {
    write('a.yaml', '1');
    await open('.');
    const started = performance.now();
    write('a.yaml', '2');
    await seen({ 'a.yaml': '2' });
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  test('what was touched, or written as it was, is no change', async () => {
    write('a.yaml', '1');
    await open('.');
    write('a.yaml', '1');
    utimesSync(join(folder, 'a.yaml'), 1, 1);
    write('b.txt', 'x');
    await settled();
    expect(calls.map(texts)).toEqual([{ 'a.yaml': '1' }, { 'a.yaml': '1', 'zz.yaml': 'marker' }]);
  });
});

describe('a Kubernetes volume', () => {
  /** What the kubelet does: a new folder, a new link to it, and a rename over the old link. */
  function swap(version: number): void {
    const target = `..2026_${version}`;
    mkdirSync(join(folder, 'volume', target), { recursive: true });
    for (const name of ['a.yaml', 'b.yaml']) write(`volume/${target}/${name}`, `${name} ${version}`);
    symlinkSync(target, join(folder, 'volume/..data_tmp'));
    renameSync(join(folder, 'volume/..data_tmp'), join(folder, 'volume/..data'));
    rmSync(join(folder, `volume/..2026_${version - 1}`), { recursive: true, force: true });
  }
  const version = (number: number): Record<string, string> => ({
    'volume/a.yaml': `a.yaml ${number}`,
    'volume/b.yaml': `b.yaml ${number}`,
  });

  beforeEach(() => {
    swap(1);
    for (const name of ['a.yaml', 'b.yaml']) symlinkSync(`..data/${name}`, join(folder, 'volume', name));
  });

  test.each([['volume'], ['volume/a.yaml', 'volume/b.yaml']])('is seen to change as one: %s', async (...paths) => {
    await open(...paths);
    swap(2);
    await seen(version(2));
    swap(3);
    await seen(version(3));
    expect(calls.map(texts)).toEqual([version(1), version(2), version(3)]);
    expect(problems()).toEqual([]);
  });

  test('is never seen half, however fast it changes', async () => {
    await open('volume');
    for (let number = 2; number <= 300; number++) {
      swap(number);
      await new Promise(setImmediate);
    }
    await seen(version(300));
    for (const call of calls) {
      expect(call.problems).toEqual([]);
      expect(new Set(Object.values(texts(call)).map((text) => text.split(' ')[1])).size).toBe(1);
    }
  });
});

const missing = 'cannot be read: there is no such file or folder; expected a YAML file or a folder of them';

describe('what cannot be read is a problem, and its last texts stay', () => {
  test('at the start: the rest is there, and it is taken up when it comes', async () => {
    write('a.yaml', '1');
    await open('a.yaml', 'later');
    expect(texts()).toEqual({ 'a.yaml': '1' });
    expect(problems()).toEqual([`later: ${missing}`]);
    mkdirSync(join(folder, 'later'));
    write('later/b.yaml', '2');
    await seen({ 'a.yaml': '1', 'later/b.yaml': '2' });
    await vi.waitFor(() => expect(problems()).toEqual([]), within);
  });

  test('a folder that is removed, and comes back; then its changes are seen as before', async () => {
    mkdirSync(join(folder, 'rules'));
    write('rules/a.yaml', '1');
    await open('rules');
    for (const round of ['2', '3']) {
      rmSync(join(folder, 'rules'), { recursive: true });
      await vi.waitFor(() => expect(problems()).toEqual([`rules: ${missing}`]), within);
      expect(Object.keys(texts())).toEqual(['rules/a.yaml']);
      mkdirSync(join(folder, 'rules'));
      write('rules/a.yaml', round);
      await seen({ 'rules/a.yaml': round });
      await vi.waitFor(() => expect(problems()).toEqual([]), within);
      const started = performance.now();
      write('rules/a.yaml', `${round}, edited`);
      await seen({ 'rules/a.yaml': `${round}, edited` });
      expect(performance.now() - started).toBeLessThan(1_000);
    }
  });

  test('a folder that is replaced by another within a moment; then its changes are seen as before', async () => {
    for (const name of ['rules', 'next']) mkdirSync(join(folder, name));
    write('rules/a.yaml', '1');
    write('next/a.yaml', '2');
    await open('rules');
    renameSync(join(folder, 'rules'), join(folder, 'old'));
    renameSync(join(folder, 'next'), join(folder, 'rules'));
    await seen({ 'rules/a.yaml': '2' });
    const started = performance.now();
    write('rules/a.yaml', '3');
    await seen({ 'rules/a.yaml': '3' });
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  test('a file that was named and is removed', async () => {
    write('a.yaml', '1');
    await open('a.yaml');
    unlinkSync(join(folder, 'a.yaml'));
    await vi.waitFor(() => expect(problems()).toEqual([`a.yaml: ${missing}`]), within);
    expect(texts()).toEqual({ 'a.yaml': '1' });
  });

  test('one file of a folder: the others of it go on', async () => {
    write('a.yaml', '1');
    write('b.yaml', '1');
    await open('.');
    unlinkSync(join(folder, 'a.yaml'));
    symlinkSync('nowhere', join(folder, 'a.yaml'));
    write('b.yaml', '2');
    await seen({ 'a.yaml': '1', 'b.yaml': '2' });
    expect(problems()).toEqual([`a.yaml: ${missing}`]);
  });

  test('one path of several: changes of the others are taken up', async () => {
    for (const name of ['rules', 'services']) mkdirSync(join(folder, name));
    write('rules/a.yaml', '1');
    write('services/a.yaml', '1');
    await open('rules', 'services');
    rmSync(join(folder, 'services'), { recursive: true });
    await vi.waitFor(() => expect(problems()).toEqual([`services: ${missing}`]), within);
    write('rules/a.yaml', '2');
    await seen({ 'rules/a.yaml': '2', 'services/a.yaml': '1' });
  });

  test('a folder whose name looks like a file', async () => {
    mkdirSync(join(folder, 'a.yaml'));
    await open('.');
    expect(problems()).toEqual([
      'a.yaml: cannot be read: it is a folder within a folder; expected a YAML file or a folder of them',
    ]);
  });

  // Root reads everything.
  test.skipIf(process.getuid?.() === 0)('a file without permission', async () => {
    write('a.yaml', '1');
    chmodSync(join(folder, 'a.yaml'), 0);
    await open('.');
    expect(problems()).toEqual(['a.yaml: cannot be read: permission denied; expected a YAML file or a folder of them']);
  });
});

describe('after close', () => {
  test('nothing is handed on', async () => {
    write('a.yaml', '1');
    await open('.');
    write('a.yaml', '2');
    source?.close();
    await open('.');
    const before = calls.length;
    write('a.yaml', '3');
    await seen({ 'a.yaml': '3' });
    expect(calls).toHaveLength(before + 1);
  });

  test('a process has no timer and no watch left, and ends', () => {
    write('a.yaml', '1');
    const module = fileURLToPath(new URL('../../src/sources/files.ts', import.meta.url));
    const script = `
      import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
      const { watchFiles } = await import(${JSON.stringify(module)});
      const source = await watchFiles({ paths: [${JSON.stringify(folder)}], onFiles: () => {} });
      writeFileSync(${JSON.stringify(join(folder, 'a.yaml'))}, '2');
      source.close();
      const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
      const read = (fd) => { try { return readFileSync('/proc/self/fdinfo/' + fd, 'utf8'); } catch { return ''; } };
      const watches = process.platform === 'linux' && readdirSync('/proc/self/fdinfo').map(read).join('').split('inotify wd:').length - 1;
      console.log(timers + watches);
    `;
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 10_000 }).toString()).toBe(
      '0\n',
    );
  });
});
