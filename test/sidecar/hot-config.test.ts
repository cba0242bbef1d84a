import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { call } from '../envoy/application.ts';
import { startWorld, type World } from '../envoy/world.ts';
import { openStage, type Stage } from './stage.ts';

const location = { location: 'cn-shenzhen' };

const rule = (condition = '==') => `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: by-header }
spec:
  selector: { app: gateway }
  trafficLabel: gray
  match: [{ condition: "${condition}", type: header, key: location, value: cn-shenzhen }]
---
`;

const workloadRule = (app: string, label: string) => `
apiVersion: traffic.opensergo.io/v1alpha1
kind: WorkloadLabelRule
metadata: { name: ${app} }
spec: { selector: { app: ${app} }, workloadLabels: [${label}] }
---
`;

describe('while a sidecar runs', () => {
  let world: World;
  let services: string;
  beforeAll(async () => {
    world = await startWorld({
      members: [{ service: 'b' }, { service: 'b', label: 'gray' }],
      gateway: { app: 'gateway' },
      client: { app: 'job' },
      rules: rule(),
    });
    services = readFileSync(join(world.folder, 'services.yaml'), 'utf8');
  });
  afterAll(() => world?.close());
  beforeEach(() => use(rule()));

  const admin = (name: string, path: string) => call(world.find(name).adminPort, { path });
  const generation = (name: string) => world.metric(name, 'lanekeeper_generation');
  const log = (name: string) => world.find(name).log.join('');

  /** Writes a file of the configuration, and waits until both sidecars use it. */
  async function use(rules: string, file = world.rulesFile): Promise<void> {
    const text = readFileSync(file, 'utf8');
    if (text === rules) return;
    const before = { gateway: await generation('gateway'), client: await generation('client') };
    writeFileSync(file, rules);
    await vi.waitFor(
      async () => {
        expect(await generation('gateway')).toBeGreaterThan(before.gateway);
        expect(await generation('client')).toBeGreaterThan(before.client);
      },
      { timeout: 5_000 },
    );
  }

  const member = (name: 'gateway' | 'client', headers = {}) =>
    name === 'gateway' ? world.viaGateway({ path: '/b', headers }) : world.viaClient('b', { headers });

  const comesTo = (name: 'gateway' | 'client', headers: object, body: string) =>
    vi.waitFor(async () => expect(await member(name, headers)).toMatchObject({ status: 200, body }), {
      timeout: 3_000,
    });

  test('a rule that is removed labels nothing any more, and the processor is not asked any more', async () => {
    await comesTo('gateway', location, 'b-gray');
    await use('');
    await comesTo('gateway', location, 'b-base');
    const asked = await world.metric('gateway', 'lanekeeper_decisions_total');
    for (let i = 0; i < 10; i++) expect(await member('gateway', location)).toMatchObject({ body: 'b-base' });
    expect(await world.metric('gateway', 'lanekeeper_decisions_total')).toBe(asked);
  });

  test('a workload label rule gives its workload a label, and takes it away again', async () => {
    expect(await member('client')).toMatchObject({ body: 'b-base' });
    await use(rule() + workloadRule('job', 'gray'));
    await comesTo('client', {}, 'b-gray');
    await use(rule());
    await comesTo('client', {}, 'b-base');
  });

  test('a rule with a mistake is reported with its place, in log, metrics and on /problems; the last good one stays', async () => {
    await use(rule('=~'));
    const problem = /rules\.yaml:8:24: spec\.match\[0\]\.condition: found "=~", expected/;
    expect((await admin('gateway', '/problems')).body).toMatch(problem);
    expect(log('gateway').replaceAll('\\"', '"')).toMatch(problem);
    expect(await world.metric('gateway', 'lanekeeper_problems', 'severity="error"')).toBe(1);
    for (let i = 0; i < 10; i++) expect(await member('gateway', location)).toMatchObject({ body: 'b-gray' });
    await use(rule());
    expect((await admin('gateway', '/problems')).body.trim()).toBe('');
    expect(await world.metric('gateway', 'lanekeeper_problems', 'severity="error"')).toBe(0);
    expect((await admin('gateway', '/ready')).status).toBe(200);
  });

  test('a file that is lost is reported, and what it said last stays', async () => {
    rmSync(world.rulesFile);
    await vi.waitFor(
      async () =>
        expect((await admin('gateway', '/problems')).body).toMatch(/rules\.yaml: cannot be read: there is no such/),
      { timeout: 5_000 },
    );
    expect(await member('gateway', location)).toMatchObject({ body: 'b-gray' });
    writeFileSync(world.rulesFile, rule());
    await vi.waitFor(async () => expect((await admin('gateway', '/problems')).body.trim()).toBe(''), {
      timeout: 5_000,
    });
    expect(await member('gateway', location)).toMatchObject({ body: 'b-gray' });
  });

  test('services that change are in force at once: a lane that is renamed takes the requests of its new label', async () => {
    const file = join(world.folder, 'services.yaml');
    await use(services.replace('label: gray', 'label: blue'), file);
    await vi.waitFor(async () =>
      expect(await member('client', { 'x-opensergo-traffic': 'blue' })).toMatchObject({ status: 200, body: 'b-gray' }),
    );
    expect(await member('client', { 'x-opensergo-traffic': 'gray' })).toMatchObject({ status: 200, body: 'b-base' });
    expect(await world.sum('lanekeeper_resources_rejected_total')).toBe(0);
    await use(services, file);
  });
});

describe('a sidecar that is not ready says what it waits for:', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage?.close());

  test('an Envoy that does not answer', async () => {
    const { adminPort } = await stage.start();
    const ready = () => call(adminPort, { path: '/ready' });
    expect(await ready()).toMatchObject({ status: 200, body: 'ready\n' });
    const [envoy = 0] = stage.envoys();
    process.kill(envoy, 'SIGSTOP');
    try {
      expect(await ready()).toMatchObject({ status: 503, body: 'Envoy does not answer\n' });
      expect(await call(adminPort, { path: '/live' })).toMatchObject({ status: 200 });
    } finally {
      process.kill(envoy, 'SIGCONT');
    }
    expect(await ready()).toMatchObject({ status: 200 });
  });
});

test('a sidecar that starts without its source serves what was good last, and says so', async () => {
  const stage = await openStage();
  try {
    const files = ['rules.yaml', 'services.yaml'].map((name) => join(stage.folder, name));
    const config = ['--config', files.join(',')];
    const first = await stage.start(config);
    expect(await call(stage.outbound)).toMatchObject({ status: 200, body: 'b-base' });
    process.kill(first.pid, 'SIGTERM');
    await first.exited;
    for (const file of files) rmSync(file);
    const { adminPort } = await stage.start(config);
    expect(await call(stage.outbound)).toMatchObject({ status: 200, body: 'b-base' });
    const { body } = await call(adminPort, { path: '/problems' });
    expect(body).toContain('what it held last stands');
  } finally {
    await stage.close();
  }
});
