import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { call } from '../envoy/application.ts';
import { type Lanekeeper, openStage, type Stage } from './stage.ts';

const trace = (start: string) => ({ traceparent: `00-${start.padEnd(32, 'a')}-00f067aa0ba902b7-01` });
const labelled = (start: string) => ({ headers: { ...trace(start), 'x-opensergo-traffic': 'gray' } });

const rule = `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: by-header }
spec: { selector: { app: a }, trafficLabel: gray, match: [{ condition: "==", type: header, key: location, value: here }] }`;

describe('after Envoy was killed and started again', () => {
  let stage: Stage;
  let lanekeeper: Lanekeeper;
  let restarts = 0;
  beforeAll(async () => {
    stage = await openStage();
    lanekeeper = await stage.start();
  });
  afterAll(() => stage?.close());

  async function restartEnvoy(): Promise<void> {
    for (const pid of stage.envoys()) process.kill(pid, 'SIGKILL');
    await vi.waitFor(async () => expect(await metric('lanekeeper_envoy_up')).toBe('0'), { interval: 5 });
    restarts++;
    await vi.waitFor(async () => expect(await metric('lanekeeper_envoy_starts_total')).toBe(String(restarts + 1)), {
      timeout: 10_000,
    });
  }

  async function metric(name: string): Promise<string | undefined> {
    const { body } = await call(lanekeeper.adminPort, { path: '/metrics' });
    return new RegExp(`^${name} (.*)$`, 'm').exec(body)?.[1];
  }

  test('while it is down, lanekeeper says so and is not ready; then it is', async () => {
    for (const pid of stage.envoys()) process.kill(pid, 'SIGKILL');
    await vi.waitFor(
      async () =>
        expect(await call(lanekeeper.adminPort, { path: '/ready' })).toMatchObject({
          status: 503,
          body: 'Envoy is down\n',
        }),
      { interval: 5 },
    );
    restarts++;
    await vi.waitFor(async () =>
      expect(await call(lanekeeper.adminPort, { path: '/ready' })).toMatchObject({ status: 200 }),
    );
    expect(await metric('lanekeeper_envoy_up')).toBe('1');
    expect(await metric('lanekeeper_envoy_starts_total')).toBe('2');
  });

  test('nothing is asked, where nothing is remembered', async () => {
    await restartEnvoy();
    for (let i = 0; i < 5; i++) await call(stage.outbound, { headers: trace(`0${i}`) });
    expect(await metric('lanekeeper_decisions_total\\{direction="outbound".*\\}')).toBeUndefined();
  });

  test('what was remembered before is recalled by the very first request', async () => {
    await call(stage.inbound, labelled('1'));
    await restartEnvoy();
    // It does not wait to be told: the gate is open in what it reads before it listens.
    expect(readFileSync(join(stage.run, 'bootstrap.json'), 'utf8')).toMatch(/"lanekeeper\.remembering": 100\b/);
    expect(await call(stage.outbound, { headers: trace('1') })).toMatchObject({ body: 'b-gray' });
    expect(await metric('lanekeeper_ask_gate_open')).toBe('1');
  });

  test('the rules are those of the present, not those of its first start', async () => {
    writeFileSync(stage.rulesFile, rule);
    await vi.waitFor(async () => expect(await metric('lanekeeper_generation')).toBe('2'), { timeout: 5_000 });
    await restartEnvoy();
    let seen: unknown;
    stage.state.respond = (request) => {
      seen = request.headers['x-opensergo-traffic'];
      return 'a';
    };
    await vi.waitFor(
      async () => {
        await call(stage.inbound, { headers: { location: 'here' } });
        expect(seen).toBe('gray');
      },
      { timeout: 3_000 },
    );
  });
});

describe('where the memory runs empty again and again', () => {
  const stages: Stage[] = [];
  const rounds = 40;
  beforeAll(async () => {
    for (let i = 0; i < 3; i++) stages.push(await openStage());
  });
  afterAll(() => Promise.all(stages.map((stage) => stage.close())));

  /** Labelled requests, each the first one after a time of silence, to an application that calls at once; the lanes of those calls. */
  async function firstCalls(stage: Stage): Promise<string[]> {
    const lanekeeper = await stage.start(['--memory-ttl', '150ms']);
    const metrics = async () => (await call(lanekeeper.adminPort, { path: '/metrics' })).body;
    stage.state.respond = async ({ headers: { traceparent } }) => {
      const headers = { traceparent: String(traceparent) };
      return (await call(stage.outbound, { headers })).body;
    };
    const lanes: string[] = [];
    for (let round = 0; round < rounds; round++) {
      await vi.waitFor(async () => expect(await metrics()).toMatch(/^lanekeeper_ask_gate_open 0$/m), {
        timeout: 5_000,
      });
      lanes.push((await call(stage.inbound, labelled(String(round).padStart(4, '0')))).body);
    }
    const asked = /^lanekeeper_decisions_total\{direction="outbound".*\} (\d+)$/m.exec(await metrics())?.[1];
    expect(Number(asked), 'calls for which the processor was asked').toBe(rounds);
    return lanes;
  }

  test('the first call of each of 120 labelled requests finds its lane: none passes a gate that is still closed', async () => {
    const lanes = (await Promise.all(stages.map(firstCalls))).flat();
    expect(lanes.filter((lane) => lane !== 'b-gray')).toEqual([]);
    expect(lanes).toHaveLength(120);
  }, 120_000);
});
