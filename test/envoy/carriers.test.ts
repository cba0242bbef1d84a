import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startWorld, type World } from './world.ts';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
let number = 0;
/** A trace that no other test has used: memory outlives a test. */
const nextTrace = () => (++number).toString(16).padStart(8, '0') + trace.slice(8);

const members = [
  { service: 'a', sidecar: true, calls: 'b' },
  { service: 'b', sidecar: true, calls: 'c' },
  { service: 'c' },
  { service: 'c', label: 'gray' },
];

const carriers: [carrier: string, forward: string[], headers: () => Record<string, string>][] = [
  ['the label header', ['x-opensergo-traffic'], () => ({})],
  ['baggage', ['baggage'], () => ({ baggage: 'a=1,OpenSergo-Label=gray;p=1,b=2' })],
  ['traceparent', ['traceparent'], () => ({ traceparent: `00-${nextTrace()}-00f067aa0ba902b7-01` })],
  ['b3', ['b3'], () => ({ b3: `${nextTrace()}-00f067aa0ba902b7-1` })],
  [
    'b3 in several headers',
    ['x-b3-traceid', 'x-b3-spanid'],
    () => ({ 'x-b3-traceid': nextTrace(), 'x-b3-spanid': '00f067aa0ba902b7' }),
  ],
  ['uber-trace-id', ['uber-trace-id'], () => ({ 'uber-trace-id': `${nextTrace()}%3A00f067aa0ba902b7%3A0%3A1` })],
  [
    'x-amzn-trace-id',
    ['x-amzn-trace-id'],
    () => ({ 'x-amzn-trace-id': `Root=1-${nextTrace().replace(/^(.{8})/, '$1-')};Parent=53995c3f42cd8ad8;Sampled=1` }),
  ],
  [
    'x-cloud-trace-context',
    ['x-cloud-trace-context'],
    () => ({ 'x-cloud-trace-context': `${nextTrace()}/67667974448284343;o=1` }),
  ],
  [
    'sw8',
    ['sw8'],
    () => ({ sw8: `1-${btoa(`${nextTrace()}.58.16123456789010001`)}-${btoa('segment')}-3-c2Vydg==-aW5z-L2E=-MQ==` }),
  ],
  [
    'x-datadog-trace-id',
    ['x-datadog-trace-id', 'x-datadog-parent-id'],
    () => ({
      'x-datadog-trace-id': BigInt(`0x${nextTrace().slice(0, 16)}`).toString(),
      'x-datadog-parent-id': '67667974448284343',
    }),
  ],
  ['x-request-id', ['x-request-id'], () => ({ 'x-request-id': `request-${nextTrace()}` })],
];

describe('through two base hops the label travels with an application that forwards only', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ members, client: {} });
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  test.each(carriers)('%s', async (_carrier, forward, headers) => {
    world.state.forward = forward;
    const carried = { ...headers(), 'x-opensergo-traffic': 'gray' };
    expect(await world.viaClient('a', { headers: carried })).toMatchObject({
      status: 200,
      body: 'a-base b-base c-gray',
    });
    const { baggage: _, ...unlabelled } = headers();
    expect(await world.viaClient('a', { headers: unlabelled })).toMatchObject({
      status: 200,
      body: 'a-base b-base c-base',
    });
  });

  test('nothing: then it is lost, and base answers', async () => {
    world.state.forward = [];
    expect(await world.viaClient('a', { headers: { 'x-opensergo-traffic': 'gray' } })).toMatchObject({
      body: 'a-base b-base c-base',
    });
  });

  test('two different labels on one live trace: none is propagated by it, and it is counted', async () => {
    world.state.forward = ['traceparent'];
    const headers = { traceparent: `00-${nextTrace()}-00f067aa0ba902b7-01` };
    const labelAtB = async (label: string) => {
      await world.viaClient('a', { headers: { ...headers, 'x-opensergo-traffic': label } });
      return world.seen.findLast(({ member }) => member === 'b-base')?.label;
    };
    expect(await labelAtB('gray')).toBe('gray');
    expect(await labelAtB('blue')).toBe(undefined);
    expect(await labelAtB('gray')).toBe(undefined);
    expect(await world.metric('a-base', 'lanekeeper_decisions_total', 'reason="conflict"')).toBe(2);
  });

  test('header beats baggage, and the disagreement is counted', async () => {
    world.state.forward = ['x-opensergo-traffic'];
    const headers = {
      'x-opensergo-traffic': 'gray',
      baggage: 'OpenSergo-Label=blue',
      traceparent: `00-${nextTrace()}-00f067aa0ba902b7-01`,
    };
    expect(await world.viaClient('a', { headers })).toMatchObject({ body: 'a-base b-base c-gray' });
    expect(await world.metric('a-base', 'lanekeeper_disagreements_total')).toBe(1);
  });
});

describe('with propagation: header', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ members, client: {}, propagation: 'header' });
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  test.each(carriers)('only what Envoy reads by itself carries the label: %s', async (_, forward, headers) => {
    world.state.forward = forward;
    const byEnvoy = forward.includes('x-opensergo-traffic') || forward.includes('baggage');
    const answer = await world.viaClient('a', { headers: { ...headers(), 'x-opensergo-traffic': 'gray' } });
    expect(answer.body).toBe(byEnvoy ? 'a-base b-base c-gray' : 'a-base b-base c-base');
  });

  test('and the processor is never asked', async () => {
    expect(await world.sum('lanekeeper_decisions_total')).toBe(0);
  });
});

describe('at a workload with rules of its own', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members: [
        { service: 'a', sidecar: true, calls: 'b' },
        { service: 'x', sidecar: true, calls: 'b' },
        { service: 'b' },
        { service: 'b', label: 'gray' },
      ],
      client: {},
      rules: `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: at-a }
spec: { selector: { app: a }, trafficLabel: gray, match: [{ condition: "==", type: header, key: location, value: cn-shenzhen }] }`,
    });
    world.state.forward = ['traceparent'];
  });
  afterAll(() => world?.close());

  const gray = { location: 'cn-shenzhen' };
  const traceparent = () => ({ traceparent: `00-${nextTrace()}-00f067aa0ba902b7-01` });
  const via = async (service: string, headers: Record<string, string>) =>
    (await world.viaClient(service, { headers })).body;

  test('base requests with a trace are shown to the processor on entry, and not when they leave: nothing is to be found', async () => {
    const asked = (direction: string) =>
      world.metric('a-base', 'lanekeeper_decisions_total', `direction="${direction}"`);
    for (let i = 0; i < 10; i++) await via('a', traceparent());
    for (let i = 0; i < 10; i++) await via('a', {});
    expect([await asked('inbound'), await asked('outbound')]).toEqual([10, 0]);
  });

  test('a label and no label on one trace are a conflict: base is no lost label there', async () => {
    const trace = traceparent();
    expect(await via('a', { ...trace, ...gray })).toBe('a-base b-gray');
    const counted = await world.metric('a-base', 'lanekeeper_decisions_total', 'reason="conflict"');
    expect(await via('a', trace)).toBe('a-base b-base');
    expect(await via('a', { ...trace, ...gray })).toBe('a-base b-base');
    expect(await world.metric('a-base', 'lanekeeper_decisions_total', 'reason="conflict"')).toBe(counted + 2);
  });

  test('in either order', async () => {
    const trace = traceparent();
    expect(await via('a', trace)).toBe('a-base b-base');
    expect(await via('a', { ...trace, ...gray })).toBe('a-base b-base');
  });

  test('elsewhere a label and no label on one trace are the label, and base is not shown to the processor', async () => {
    const trace = traceparent();
    expect(await via('x', { ...trace, 'x-opensergo-traffic': 'gray' })).toBe('x-base b-gray');
    expect(await via('x', trace)).toBe('x-base b-gray');
    expect(await world.metric('x-base', 'lanekeeper_decisions_total', 'direction="inbound"')).toBe(1);
  });
});
