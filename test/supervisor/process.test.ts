import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { envoyAdmin } from '../../src/supervisor/admin.ts';
import { backoffMs } from '../../src/supervisor/process.ts';
import { call } from '../envoy/application.ts';
import { holdPort, openStage, type Stage } from './stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.close());

const quick = { firstMs: 20, longestMs: 50, forgottenAfterMs: 60_000 };

/** What the binary does from its second start on, told by a file; each start leaves its mark in `starts`. */
function unreliable(later: string): string {
  const file = join(stage.folder, 'unreliable');
  const body = `echo >> ${file}.starts\nif [ $(wc -l < ${file}.starts) -gt 1 ]; then\n${later}\nfi`;
  writeFileSync(file, `#!/bin/sh\n${body}\nexec ${stage.options.binary} "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}

describe('the process that watches Envoy:', () => {
  test('an Envoy that is killed is started again, is ready again, and reads the present bootstrap', async () => {
    const envoy = await stage.start({ backoff: quick });
    const [first] = stage.envoys();
    process.kill(first as number, 'SIGKILL');
    expect(await stage.entered('down')).toMatch(/^Envoy was ended by SIGKILL; started again in \d+ ms$/);
    stage.answer = 'after';
    await stage.entered('ready', 2);
    expect(envoy.state).toBe('ready');
    expect(stage.envoys()).toHaveLength(1);
    expect(stage.envoys()).not.toContain(first);
    expect(await call(stage.port)).toMatchObject({ status: 200, body: 'after' });
  });

  /** How long each restart waits, after so many deaths. */
  async function waits(deaths: number, forgottenAfterMs: number): Promise<number[]> {
    await stage.start({ backoff: { firstMs: 40, longestMs: 1_000, forgottenAfterMs } });
    const found: number[] = [];
    for (let death = 1; death <= deaths; death++) {
      for (const pid of stage.envoys()) process.kill(pid, 'SIGKILL');
      found.push(Number(/in (\d+) ms/.exec(await stage.entered('down', death))?.[1]));
      await stage.entered('ready', death + 1);
    }
    return found;
  }

  test('an Envoy that is killed again and again is started after ever longer waits', async () => {
    const [first = 0, second = 0, third = 0] = await waits(3, 60_000);
    expect(first).toBeGreaterThanOrEqual(20);
    expect(first).toBeLessThanOrEqual(40);
    expect(second).toBeGreaterThanOrEqual(40);
    expect(third).toBeGreaterThanOrEqual(80);
  });

  test('an Envoy that is killed after it had lived long enough waits as the first time', async () => {
    for (const wait of await waits(3, 0)) expect(wait).toBeLessThanOrEqual(40);
  });

  test('an Envoy that is killed and cannot be started at first is tried until it can', async () => {
    await stage.start({ backoff: quick, binary: unreliable(`[ $(wc -l < "$0.starts") -gt 3 ] || exit 7`) });
    for (const pid of stage.envoys()) process.kill(pid, 'SIGKILL');
    expect(await stage.entered('down', 2)).toMatch(/^Envoy ended with code 7 before it was ready; .*again in \d+ ms$/);
    await stage.entered('ready', 2);
    expect(stage.envoys()).toHaveLength(1);
  });
});

test.each([
  [1, 0, 100],
  [1, 1, 200],
  [2, 1, 400],
  [4, 0, 800],
  [6, 1, 5_000],
  [2_000, 1, 5_000],
])('after %i deaths, with %d of the luck, a restart waits %i ms', (deaths, random, expected) => {
  expect(backoffMs(deaths, random, { firstMs: 200, longestMs: 5_000, forgottenAfterMs: 10_000 })).toBe(expected);
});

describe('an Envoy that cannot start is refused with a reason, and leaves nothing behind:', () => {
  afterEach(() => {
    expect(stage.envoys()).toEqual([]);
    expect(readdirSync(stage.folder).filter((name) => !/^(routes|script.*)$/.test(name))).toEqual([]);
  });

  test('its port is taken', async () => {
    const holder = await holdPort(stage.port);
    try {
      await expect(stage.start()).rejects.toThrow('Envoy ended with code 1 before it was ready; its own log says why');
    } finally {
      holder.close();
    }
  });

  test('its bootstrap is not valid', async () => {
    await expect(stage.start({ bootstrap: () => '{"admin": {"no_such_field": 1}}' })).rejects.toThrow(
      'Envoy ended with code 1 before it was ready; its own log says why',
    );
  });

  test('there is no such file', async () => {
    const binary = join(stage.folder, 'missing');
    await expect(stage.start({ binary })).rejects.toThrow(`Envoy could not be started: spawn ${binary} ENOENT`);
  });

  test('the file is not executable', async () => {
    const binary = join(stage.folder, 'script');
    writeFileSync(binary, '#!/bin/sh\n', { mode: 0o600 });
    await expect(stage.start({ binary })).rejects.toThrow(`Envoy could not be started: spawn ${binary} EACCES`);
  });

  test('the start is given up', async () => {
    const binary = join(stage.folder, 'script');
    writeFileSync(binary, '#!/bin/sh\necho > "$0.runs"\nexec tail -f "$0"\n', { mode: 0o700 });
    const aborter = new AbortController();
    const starting = stage.start({ binary, signal: aborter.signal });
    const refused = expect(starting).rejects.toThrow('Envoy was ended by SIGKILL before it was ready');
    await vi.waitFor(() => expect(existsSync(`${binary}.runs`)).toBe(true));
    aborter.abort();
    await refused;
  });
});

describe('stop ends at once and starts no other Envoy', () => {
  const lastState = () => stage.states.at(-1)?.state;

  test('while one waits to be started again', async () => {
    const envoy = await stage.start({ backoff: { firstMs: 300, longestMs: 300, forgottenAfterMs: 0 } });
    for (const pid of stage.envoys()) process.kill(pid, 'SIGKILL');
    await stage.entered('down');
    const begun = performance.now();
    await envoy.stop(10_000);
    expect(performance.now() - begun).toBeLessThan(150);
    await sleep(400); // longer than the wait: none is started after it either
    expect(stage.envoys()).toEqual([]);
    expect(lastState()).toBe('stopped');
  });

  test('while one is being started again, and waits for its end', async () => {
    const binary = unreliable('echo > "$0.hangs"\nexec tail -f "$0"');
    const envoy = await stage.start({ backoff: quick, binary });
    for (const pid of stage.envoys()) process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(existsSync(`${binary}.hangs`)).toBe(true), { timeout: 5_000 });
    const begun = performance.now();
    await envoy.stop(10_000);
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(stage.envoys()).toEqual([]);
    expect(lastState()).toBe('stopped');
  });

  test('wherever in a restart it comes', async () => {
    for (const delayMs of [0, 30, 60, 90, 120, 150, 180, 240, 300]) {
      const envoy = await stage.start({ backoff: { ...quick, firstMs: 2 } });
      const [pid] = stage.envoys();
      process.kill(pid as number, 'SIGKILL');
      // The moment is the point of this test: anywhere between the death and the time at which the next one serves.
      await sleep(delayMs);
      await envoy.stop(1_000);
      expect(stage.envoys(), `stopped ${delayMs} ms after the death`).toEqual([]);
      expect(lastState()).toBe('stopped');
      expect(envoy.state).toBe('stopped');
    }
  });

  test('the second time as well', async () => {
    const envoy = await stage.start();
    await Promise.all([envoy.stop(1_000), envoy.stop(1_000)]);
    expect(stage.envoys()).toEqual([]);
    expect(stage.states.map(({ state }) => state)).toEqual(['starting', 'ready', 'draining', 'stopped']);
  });
});

test('where somebody holds the admin socket and does not end, none is started beside it, and its socket is left', async () => {
  const holder = createServer().listen(stage.options.adminSocket);
  try {
    await expect(stage.start()).rejects.toThrow('an Envoy runs here already and does not end');
    expect(stage.envoys()).toEqual([]);
    expect(existsSync(stage.options.adminSocket)).toBe(true);
  } finally {
    holder.close();
  }
});

test('an Envoy that hangs is killed two seconds after its drain time, and nothing of it stays', async () => {
  const envoy = await stage.start();
  const [pid] = stage.envoys();
  process.kill(pid as number, 'SIGSTOP');
  const begun = performance.now();
  await envoy.stop(500);
  expect(performance.now() - begun).toBeGreaterThan(2_400);
  expect(performance.now() - begun).toBeLessThan(5_000);
  expect(stage.envoys()).toEqual([]);
  expect(readdirSync(stage.folder)).toEqual([]);
});

test('stop leaves no file of its own', async () => {
  const envoy = await stage.start();
  expect(await envoyAdmin(stage.options.adminSocket).isReady()).toBe(true);
  await envoy.stop(1_000);
  expect(readdirSync(stage.folder)).toEqual([]);
});
