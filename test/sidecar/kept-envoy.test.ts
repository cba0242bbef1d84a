import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { freePorts } from '../../src/demo/topology.ts';
import { call } from '../envoy/application.ts';
import { type Lanekeeper, openStage, type Stage } from './stage.ts';

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const labelled = { headers: { traceparent, 'x-opensergo-traffic': 'gray' } };

let stage: Stage;
let envoy: number;
beforeEach(async () => {
  stage = await openStage();
  await killLanekeeper(await stage.start());
  [envoy = 0] = stage.envoys();
});
afterEach(() => stage.close());

async function killLanekeeper(lanekeeper: Lanekeeper): Promise<void> {
  process.kill(lanekeeper.pid, 'SIGKILL');
  await lanekeeper.exited;
}

async function gateOfEnvoy(): Promise<string> {
  const { entries } = JSON.parse(await stage.admin.get('/runtime'));
  return entries['lanekeeper.remembering'].final_value;
}

/** A kept Envoy asks a new processor once a health check has found it, half a second later at most. */
const processorIsSeen = () =>
  vi.waitFor(
    async () => expect(await stage.admin.get('/clusters')).toMatch(/^lane_processor::.*::health_flags::healthy$/m),
    {
      timeout: 5_000,
    },
  );

const kept = 'Envoy was running already and is kept';
const replaced = 'an Envoy that cannot be kept runs here, and is ended first';

describe('the Envoy of a lanekeeper that was killed hard', () => {
  test('serves on, and the next lanekeeper keeps it and reports of it', async () => {
    expect(await call(stage.inbound)).toMatchObject({ status: 200, body: 'a' });
    const next = await stage.start();
    await next.logged(kept);
    expect(stage.envoys()).toEqual([envoy]);
    expect(await call(stage.inbound)).toMatchObject({ status: 200, body: 'a' });
    await call(stage.outbound, { headers: { 'x-opensergo-traffic': 'gray' } });
    const metrics = (await call(next.adminPort, { path: '/metrics' })).body;
    expect(metrics).toMatch(/^lanekeeper_envoy_up 1$/m);
    expect(metrics).toMatch(/^lanekeeper_requests_total\{.*wanted="gray".*lane="gray".*\} 1$/m);
  });

  test('is told by the next one that nothing is remembered any more, and of what is remembered again', async () => {
    const second = await stage.start();
    await processorIsSeen();
    await call(stage.inbound, labelled);
    expect(await gateOfEnvoy()).toBe('100');
    await killLanekeeper(second);
    expect(await gateOfEnvoy()).toBe('100');
    const third = await stage.start();
    await third.logged(kept);
    await vi.waitFor(async () => expect(await gateOfEnvoy()).toBe('0'));
    await processorIsSeen();
    await call(stage.inbound, labelled);
    expect(await gateOfEnvoy()).toBe('100');
    expect(await call(stage.outbound, { headers: { traceparent } })).toMatchObject({ body: 'b-gray' });
  });

  test('is started again when it dies, as if it had been started by the one that kept it', async () => {
    const next = await stage.start();
    process.kill(envoy, 'SIGKILL');
    await next.logged(/Envoy ended; started again in \d+ ms/);
    await next.logged('Envoy serves');
    expect(stage.envoys()).toHaveLength(1);
    expect(stage.envoys()).not.toEqual([envoy]);
    expect(await call(stage.inbound)).toMatchObject({ status: 200, body: 'a' });
  });

  test('is ended by the one that kept it, with nothing left', async () => {
    const next = await stage.start();
    process.kill(next.pid, 'SIGTERM');
    expect(await next.exited).toBe(0);
    expect(stage.envoys()).toEqual([]);
    expect(stage.files()).toEqual([]);
  });

  test('and hangs when it is to end is killed two seconds after the drain time', async () => {
    const next = await stage.start(['--drain', '100ms']);
    process.kill(envoy, 'SIGSTOP');
    process.kill(next.pid, 'SIGTERM');
    expect(await next.exited).toBe(0);
    expect(stage.envoys()).toEqual([]);
  });

  test('is kept with other ports: it takes them up', async () => {
    const [port = 0] = await freePorts(1);
    const next = await stage.start(['--outbound', `${port}=b`]);
    await next.logged(kept);
    expect(stage.envoys()).toEqual([envoy]);
    expect(await call(port)).toMatchObject({ status: 200, body: 'b-base' });
    expect(await call(stage.inbound)).toMatchObject({ status: 200, body: 'a' });
  });

  test('is replaced by one with another command line', async () => {
    const next = await stage.start(['--concurrency', '2']);
    await next.logged(replaced);
    expect(stage.envoys()).toHaveLength(1);
    expect(stage.envoys()).not.toEqual([envoy]);
    expect(await call(stage.inbound)).toMatchObject({ status: 200, body: 'a' });
  });

  test.each([
    ['drains', () => stage.admin.post('/healthcheck/fail')],
    ['hangs', async () => process.kill(envoy, 'SIGSTOP')],
  ])('is replaced where it %s', async (_, harm) => {
    await harm();
    const next = await stage.start();
    await next.logged(replaced);
    expect(stage.envoys()).toHaveLength(1);
    expect(stage.envoys()).not.toEqual([envoy]);
    expect(await call(stage.inbound)).toMatchObject({ status: 200, body: 'a' });
  });
});
