// The demo with services from a real Nacos: npm run test:nacos.
import { existsSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { folderOf, interrupt, processesOf, startCommand } from './command.ts';

const isWanted = process.env['NACOS'] !== undefined;
vi.setConfig({ testTimeout: 300_000 }); // half a minute where it is Java's, and the first time it is fetched

const base = 'A[base] -> B[base] -> C[base]';
const shenzhen = { location: 'cn-shenzhen' };

test.runIf(isWanted)('the article with a real Nacos: base, gray without gray C, and a spoofed label', async () => {
  const demo = await startCommand(['--nacos', '--without', 'c:gray']);
  try {
    expect(await demo.chain()).toBe(base);
    expect(await demo.chain(shenzhen)).toBe('A[gray] -> B[gray] -> C[base]');
    expect(await demo.chain({ 'x-opensergo-traffic': 'gray' })).toBe(base);
  } finally {
    expect(await interrupt(demo)).toBe(0);
  }
  expect(processesOf(demo.port)).toEqual([]);
  expect(existsSync(folderOf(demo.port))).toBe(false);
});

test.runIf(isWanted)('a demo that was killed hard leaves no Nacos behind', async () => {
  const demo = await startCommand(['--nacos', '--without', 'c:gray']);
  demo.child.kill('SIGKILL');
  await demo.exited;
  await vi.waitFor(() => expect(processesOf(demo.port).filter((line) => /nacos/i.test(line))).toEqual([]), {
    timeout: 10_000,
  });
  const next = await startCommand(['--without', 'c:gray'], demo.port);
  expect(await interrupt(next)).toBe(0);
  expect(existsSync(folderOf(demo.port))).toBe(false);
});
