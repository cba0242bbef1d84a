import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { freePorts } from '../../src/demo/topology.ts';
import { health } from '../../src/extproc/protocol.ts';
import { type Answer, call } from '../envoy/application.ts';
import { holdPort } from '../supervisor/stage.ts';
import { type Lanekeeper, openStage, readiness, type Stage } from './stage.ts';

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.close());

/** A request that the application has begun, and answers when it is released; what it does then may be said. */
async function inFlight(then = (): string | Promise<string> => 'a') {
  const begun = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  stage.state.respond = async () => {
    begun.resolve();
    await released.promise;
    return then();
  };
  const headers = { traceparent, 'x-opensergo-traffic': 'gray' };
  const answer: Promise<Answer | string> = call(stage.inbound, { headers }).catch(String);
  await begun.promise;
  return { answer, release: () => released.resolve() };
}

const isDraining = ({ adminPort }: Lanekeeper) =>
  vi.waitFor(async () =>
    expect(await readiness(adminPort)).toMatchObject({ status: 503, body: 'Envoy is draining\n' }),
  );

describe('lanekeeper lets a request in flight end, and then ends at once, with code 0 and nothing left,', () => {
  test.each([
    ['on SIGTERM', (lanekeeper: Lanekeeper) => process.kill(lanekeeper.pid, 'SIGTERM'), 'SIGTERM'],
    ['on Ctrl-C', (lanekeeper: Lanekeeper) => process.kill(lanekeeper.pid, 'SIGINT'), 'SIGINT'],
    ['when its terminal closes', (lanekeeper: Lanekeeper) => process.kill(lanekeeper.pid, 'SIGHUP'), 'SIGHUP'],
    ['when its parent is gone', (lanekeeper: Lanekeeper) => lanekeeper.disconnect(), 'the process that started'],
  ])('%s', async (_, end, why) => {
    const lanekeeper = await stage.start(['--drain', '20s']);
    const own = ['extproc.sock', 'handover.sock', 'xds.sock'].flatMap((name) => [name, `${name}.${lanekeeper.pid}`]);
    expect(stage.files()).toEqual(['admin.sock', 'bootstrap.json', 'bootstrap.json.process', ...own]);
    const request = await inFlight();
    end(lanekeeper);
    await isDraining(lanekeeper);
    expect(stage.envoys()).toHaveLength(1);
    request.release();
    expect(await request.answer).toMatchObject({ status: 200, body: 'a' });
    const answeredAt = performance.now();
    expect(await lanekeeper.exited).toBe(0);
    expect(performance.now() - answeredAt).toBeLessThan(2_000);
    await lanekeeper.logged(`"why":"${why}`);
    expect(stage.envoys()).toEqual([]);
    expect(stage.files()).toEqual([]);
  });
});

test('while lanekeeper drains, its processor answers: a call of the request in flight still finds its lane', async () => {
  const lanekeeper = await stage.start(['--drain', '20s']);
  const request = await inFlight(async () => (await call(stage.outbound, { headers: { traceparent } })).body);
  process.kill(lanekeeper.pid, 'SIGTERM');
  await isDraining(lanekeeper);
  const client = new Client(`unix:${join(stage.run, 'extproc.sock')}`, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = health['Check'] as NonNullable<(typeof health)[string]>;
  const status = await new Promise((resolve, reject) =>
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, (error, value) =>
      error ? reject(error) : resolve(value),
    ),
  );
  client.close();
  expect(status).toEqual({ status: 'SERVING' });
  request.release();
  expect(await request.answer).toMatchObject({ status: 200, body: 'b-gray' });
  expect(await lanekeeper.exited).toBe(0);
});

test('whatever reaches the application while callers go on calling is answered', async () => {
  const lanekeeper = await stage.start(['--drain', '20s']);
  let begun = 0;
  let answered = 0;
  stage.state.respond = async () => {
    begun++;
    await sleep(20); // what an application needs
    return 'a';
  };
  let gone = false;
  const caller = async () => {
    while (!gone) if ((await call(stage.inbound).catch(() => undefined))?.status === 200) answered++;
  };
  const callers = [caller(), caller(), caller()];
  await vi.waitFor(() => expect(answered).toBeGreaterThan(20), { timeout: 5_000 });
  process.kill(lanekeeper.pid, 'SIGTERM');
  expect(await lanekeeper.exited).toBe(0);
  gone = true;
  await Promise.all(callers);
  expect(answered).toBe(begun);
});

test('a request that takes longer than the drain time is cut, and the exit code is 0 all the same', async () => {
  const lanekeeper = await stage.start(['--drain', '300ms']);
  const request = await inFlight();
  const begun = performance.now();
  process.kill(lanekeeper.pid, 'SIGTERM');
  expect(await request.answer).toMatch(/socket hang up|ECONNRESET/);
  expect(performance.now() - begun).toBeGreaterThan(300);
  expect(performance.now() - begun).toBeLessThan(2_000); // it was asked to end; by force it would have taken 2.3 s
  expect(await lanekeeper.exited).toBe(0);
  expect(stage.files()).toEqual([]);
});

test('a second signal ends at once, with code 1, takes Envoy along and leaves no file', async () => {
  const lanekeeper = await stage.start(['--drain', '60s']);
  const request = await inFlight();
  process.kill(lanekeeper.pid, 'SIGTERM');
  await isDraining(lanekeeper);
  const begun = performance.now();
  await sleep(250); // one that comes within 0.2 s of the first counts as the same key
  process.kill(lanekeeper.pid, 'SIGTERM');
  expect(await lanekeeper.exited).toBe(1);
  expect(performance.now() - begun).toBeLessThan(2_000);
  expect(await request.answer).toMatch(/socket hang up|ECONNRESET/);
  expect(stage.envoys()).toEqual([]);
  expect(stage.files()).toEqual([]);
});

test('lanekeeper ends at once while its Envoy is down', async () => {
  const lanekeeper = await stage.start(['--drain', '60s']);
  // Dies whenever it comes up, so that the waits grow.
  const deaths = setInterval(() => {
    for (const pid of stage.envoys()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended in this very moment.
      }
    }
  }, 5);
  try {
    await lanekeeper.logged(/started again in [12]\d{3} ms/);
    const begun = performance.now();
    process.kill(lanekeeper.pid, 'SIGTERM');
    expect(await lanekeeper.exited).toBe(0);
    expect(performance.now() - begun).toBeLessThan(800);
  } finally {
    clearInterval(deaths);
  }
  expect(stage.files()).toEqual([]);
});

test('a signal during the start gives it up, with code 0, and leaves nothing behind', async () => {
  const lanekeeper = stage.spawnOne();
  await lanekeeper.logged('Envoy starts');
  process.kill(lanekeeper.pid, 'SIGTERM');
  expect(await lanekeeper.exited).toBe(0);
  expect(lanekeeper.log()).not.toContain('Envoy serves');
  expect(stage.envoys()).toEqual([]);
  expect(stage.files()).toEqual([]);
});

describe('exit code 64 and every mistake, for wrong settings:', () => {
  test('a flag that is unknown, and a value that is none', async () => {
    const lanekeeper = stage.spawnOne(['--drain', 'soon', '--no-such-flag', 'x']);
    expect(await lanekeeper.exited).toBe(64);
    await lanekeeper.logged('--drain: found "soon", expected a duration such as 500ms, 60s or 5m');
    await lanekeeper.logged('--no-such-flag: unknown flag');
    expect(stage.files()).toEqual([]);
  });
});

describe('exit code 1, a reason, and nothing left behind, where lanekeeper cannot start:', () => {
  const failsWith = async (message: string | RegExp, args: readonly string[] = []) => {
    const lanekeeper = stage.spawnOne(args);
    expect(await lanekeeper.exited).toBe(1);
    await lanekeeper.logged(message);
    expect(lanekeeper.log()).not.toMatch(/\n {4}at /); // a stack is for us, not for operators
    expect(stage.envoys()).toEqual([]);
    expect(stage.files()).toEqual([]);
  };

  test("Envoy's port is taken", async () => {
    const holder = await holdPort(stage.inbound);
    await failsWith(/Envoy refused the listener inbound_\d+: .*cannot bind.*Address already in use/s).finally(() =>
      holder.close(),
    );
  });

  test('the admin port is taken', async () => {
    const [port = 0] = await freePorts(1);
    const holder = await holdPort(port);
    await failsWith(`EADDRINUSE: address already in use 127.0.0.1:${port}`, ['--admin', String(port)]).finally(() =>
      holder.close(),
    );
  });

  test('there is no such Envoy', () => failsWith(/\/no\/such\/envoy: found /, ['--envoy', '/no/such/envoy']));

  test('the run directory cannot be made', () =>
    failsWith(/ENOTDIR: not a directory, mkdir/, ['--run-dir', join(stage.rulesFile, 'run')]));

  test('the path of the socket is too long', () =>
    failsWith(/the path of a socket must not exceed 107 bytes; choose a shorter --run-dir/, [
      '--run-dir',
      join(stage.folder, 'x'.repeat(100)),
    ]));

  test('the group of the socket cannot be', () =>
    failsWith(/extproc\.sock\.\d+ cannot be given to group 99999999999/, ['--socket-group', '99999999999']));
});

test('a second lanekeeper with the same run directory is refused, and the first one goes on undisturbed', async () => {
  await stage.start();
  const files = stage.files();
  const second = stage.spawnOne();
  expect(await second.exited).toBe(1);
  await second.logged(/extproc\.sock: another process is serving here; give each sidecar a --run-dir of its own/);
  expect(stage.files()).toEqual(files);
  expect(await call(stage.inbound)).toMatchObject({ status: 200, body: 'a' });
});
