import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { formatProblem } from '../../src/problem.ts';
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
  inForce = await openInForce([join(folder, 'a.yaml')], (generation) => generations.push(generation));
}

const write = (text: string): void => writeFileSync(join(folder, 'a.yaml'), text);
const ports = (): unknown[] => [...inForce.generation.mesh.services.values()].map((service) => service.ports[0].port);
const problems = (): string[] =>
  inForce.generation.problems.map((problem) => formatProblem(problem).replace(`${folder}/`, ''));
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
  expect(problems()).toEqual([expect.stringMatching(/^a\.yaml: cannot be read: /), ...before]);
});

test('a source that was never there gives an empty mesh and a problem', async () => {
  await open();
  expect(ports()).toEqual([]);
  expect(problems()).toHaveLength(1);
});
