import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect, test, vi } from 'vitest';
import { folderOf, interrupt, processesOf, startCommand } from './command.ts';

// Each test starts a demo of up to 13 processes, or two.
vi.setConfig({ testTimeout: 90_000 });

const shenzhen = { location: 'cn-shenzhen' };
test('the article: base answers through base, gray through gray, and a spoofed label goes to base', async () => {
  const demo = await startCommand([]);
  try {
    expect(await demo.chain()).toBe('A[base] -> B[base] -> C[base]');
    expect(await demo.chain(shenzhen)).toBe('A[gray] -> B[gray] -> C[gray]');
    expect(await demo.chain({ 'x-opensergo-traffic': 'gray' })).toBe('A[base] -> B[base] -> C[base]');
    expect(await demo.chain({ baggage: 'OpenSergo-Label=gray' })).toBe('A[base] -> B[base] -> C[base]');
    expect(demo.output()).toContain(`curl -H 'location: cn-shenzhen' http://127.0.0.1:${demo.port}/a`);
  } finally {
    expect(await interrupt(demo)).toBe(0);
  }
  expect(processesOf(demo.port)).toEqual([]);
  expect(existsSync(folderOf(demo.port))).toBe(false);
});

test.each([
  [['--without', 'c:gray'], 'A[gray] -> B[gray] -> C[base]'],
  [['--without', 'b:gray'], 'A[gray] -> B[base] -> C[gray]'],
  [['--without', 'a:gray', '--without', 'c:gray'], 'A[base] -> B[gray] -> C[base]'],
])('the label travels through base applications: %j', async (args, chain) => {
  const demo = await startCommand(args);
  try {
    expect(await demo.chain(shenzhen)).toBe(chain);
    expect(await demo.chain()).toBe('A[base] -> B[base] -> C[base]');
  } finally {
    expect(await interrupt(demo)).toBe(0);
  }
});

test('with propagation switched off the same rows go red: the label ends at A, which forwards only traceparent', async () => {
  const demo = await startCommand(['--without', 'a:gray', '--without', 'c:gray', '--propagation', 'header']);
  try {
    expect(await demo.chain(shenzhen)).toBe('A[base] -> B[base] -> C[base]');
  } finally {
    await interrupt(demo);
  }
});

test('a demo that was killed hard leaves nothing that the next one does not clear', async () => {
  const first = await startCommand(['--without', 'c:gray']);
  const [lanekeeper] = processesOf(first.port).filter((line) => line.includes('sidecar --name b-base'));
  process.kill(Number(lanekeeper?.trim().split(' ')[0]), 'SIGKILL'); // its Envoy has nobody left
  first.child.kill('SIGKILL');
  await first.exited;
  const second = await startCommand([], first.port);
  try {
    expect(await second.chain(shenzhen)).toBe('A[gray] -> B[gray] -> C[gray]');
  } finally {
    expect(await interrupt(second)).toBe(0);
  }
  await vi.waitFor(() => expect(processesOf(first.port)).toEqual([]));
  expect(existsSync(folderOf(first.port))).toBe(false);
});

test('a second demo on the same port, and a port that is taken, are refused with a clear message', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const address = taken.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await expect(startCommand([], port)).rejects.toThrow(`port ${port} is taken; choose another with --port`);
  taken.close();
});

test.each([
  [
    ['--without', 'd:gray'],
    '--without: found "d:gray", expected one of a:base, a:gray, b:base, b:gray, c:base, c:gray',
  ],
  [['--port', '99999'], '--port: found "99999", expected a port, 1 to 65535'],
  [['--nacos', '--pods'], '--nacos: found with --pods'],
  [['--propagation', 'off'], '--propagation: found "off", expected trace or header'],
])('wrong usage %j is said, with exit code 64', async (args, message) => {
  await expect(startCommand(args)).rejects.toThrow(/^the demo ended \(64\)/);
  await expect(startCommand(args)).rejects.toThrow(message);
});
