import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const topology = new URL('../../src/demo/topology.ts', import.meta.url).href;
const script = `const { freePorts } = await import('${topology}'); console.log(JSON.stringify(await freePorts(40)))`;

test('processes that look for free ports at once find others, each its own', async () => {
  const found = await Promise.all(
    Array.from({ length: 8 }, () => run(process.execPath, ['--input-type=module', '--eval', script])),
  );
  const ports = found.flatMap(({ stdout }) => JSON.parse(stdout) as number[]);
  expect(new Set(ports).size).toBe(8 * 40);
});
