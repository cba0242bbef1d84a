import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { formatProblem } from '../../src/problem.ts';
import { filesSource } from '../../src/sources/files.ts';
import { type Generation, type InForce, openInForce } from '../../src/sources/in-force.ts';
import { serviceText } from '../mesh/fixture.ts';

let folder: string;
let inForce: InForce;
let generations: Generation[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanekeeper-in-force-'));
  generations = [];
});
afterEach(() => {
  inForce.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(): Promise<void> {
  inForce = await openInForce({
    sources: [filesSource([join(folder, 'a.yaml')])],
    onGeneration: (generation) => generations.push(generation),
  });
}

const write = (text: string): void => writeFileSync(join(folder, 'a.yaml'), text);
const ports = (): unknown[] => [...inForce.generation.mesh.services.values()].map((service) => service.ports[0].port);
const problems = (): string[] =>
  inForce.generation.problems.map((problem) => formatProblem(problem).replaceAll(`${folder}/`, ''));
const number = (expected: number): Promise<void> =>
  vi.waitFor(() => expect(inForce.generation.number).toBe(expected), { timeout: 5_000, interval: 5 });

test('every change is a generation; a wrong one keeps what was good, and says what is wrong', async () => {
  write(serviceText('a', { ports: [{ port: 1 }] }));
  await open();
  expect([inForce.generation.number, ports(), problems()]).toEqual([1, [1], []]);
  write(serviceText('a', { ports: [{ port: 0 }] }));
  await number(2);
  expect([ports(), problems()]).toEqual([
    [1],
    ['a.yaml:2:106: spec.ports[0].port: found 0, expected a port, 1 to 65535'],
  ]);
  write(serviceText('a', { ports: [{ port: 2 }] }));
  await number(3);
  expect([ports(), problems()]).toEqual([[2], []]);
  expect(generations.map((generation) => generation.number)).toEqual([1, 2, 3]);
});

test('a source that is lost keeps what was in force, and is said before all other problems', async () => {
  write(`${serviceText('a')}---\nkind: [`);
  await open();
  const before = problems();
  rmSync(join(folder, 'a.yaml'));
  await number(2);
  expect(ports()).toEqual([80]);
  expect(problems()).toEqual([
    'files a.yaml: warning: cannot be reached: none of a.yaml can be read; what it held last stands',
    expect.stringMatching(/^a\.yaml: cannot be read: /),
    ...before,
  ]);
  expect(inForce.generation.sources).toEqual([
    { name: `files ${join(folder, 'a.yaml')}`, lost: `none of ${join(folder, 'a.yaml')} can be read` },
  ]);
});

test('a source that was never there gives an empty mesh and a problem', async () => {
  await open();
  expect(ports()).toEqual([]);
  expect(problems()).toEqual([
    'files a.yaml: warning: cannot be reached: none of a.yaml can be read; nothing that it held is known',
    expect.stringMatching(/^a\.yaml: cannot be read: /),
  ]);
});
