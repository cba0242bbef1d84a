import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { traceHeaders } from '../../src/propagation/trace.ts';
import { startWorld, type World } from './world.ts';

const trace = (start: string) => start.padEnd(32, 'a');
const traceparent = (start: string) => `00-${trace(start)}-00f067aa0ba902b7-01`;
const label = { 'x-opensergo-traffic': 'gray' };

/** What an outsider may try, to be answered in a lane. */
const spoofs: [what: string, headers: Record<string, string | string[]>][] = [
  ['the label header', label],
  ['the label header, twice', { 'x-opensergo-traffic': ['gray', 'gray'] }],
  ['our baggage member', { baggage: 'OpenSergo-Label=gray' }],
  ['our baggage member among others', { baggage: 'a=1 , OpenSergo-Label = gray;p=1 , b=2' }],
  ['our baggage member on a line of its own', { baggage: ['a=1', 'OpenSergo-Label=gray'] }],
  ['our baggage member, several times', { baggage: 'OpenSergo-Label=gray,a=1,OpenSergo-Label=gray' }],
  ['a repeated traceparent', { traceparent: traceparent('1') }],
  ['a repeated b3', { b3: `${trace('1')}-00f067aa0ba902b7-1` }],
  ['a repeated x-b3-traceid', { 'x-b3-traceid': trace('1'), 'x-b3-spanid': '00f067aa0ba902b7' }],
  ['a repeated uber-trace-id', { 'uber-trace-id': `${trace('1')}:f067aa0ba902b7:0:1` }],
  ['a repeated x-amzn-trace-id', { 'x-amzn-trace-id': `Root=1-${trace('1').replace(/^(.{8})/, '$1-')}` }],
  ['a repeated x-cloud-trace-context', { 'x-cloud-trace-context': `${trace('1')}/1;o=1` }],
  ['a repeated request id', { 'x-request-id': 'remembered' }],
  [
    'internal headers',
    {
      'x-lanekeeper-dst': 'b',
      'x-lanekeeper-trace': 'x',
      'x-lanekeeper-ask': '1',
      'x-lane-source': 'app=gateway',
      'x-envoy-max-retries': '3',
      'x-envoy-original-dst-host': '127.0.0.1:1',
    },
  ],
];

describe.each([
  ['while the processor is up', false],
  ['while the processor is down', true],
])('at an edge, %s,', (_, down) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members: [{ service: 'a', sidecar: true, calls: 'b' }, { service: 'b' }, { service: 'b', label: 'gray' }],
      gateway: { app: 'gateway' },
      client: {},
      rules: `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: header }
spec: { selector: { app: gateway }, trafficLabel: gray, match: [{ condition: "==", type: header, key: location, value: cn-shenzhen }] }`,
      processes: ['gateway'],
    });
    world.state.forward = [...traceHeaders, 'baggage', 'x-opensergo-traffic'];
    // A labelled request of the mesh, remembered at a.
    const headers = { ...label, traceparent: traceparent('1'), 'x-request-id': 'remembered' };
    expect(await world.viaClient('a', { headers })).toMatchObject({ body: 'a-base b-gray' });
    const { traceparent: again } = headers;
    expect(await world.viaClient('a', { headers: { traceparent: again } }), 'the trace is remembered').toMatchObject({
      body: 'a-base b-gray',
    });
    if (down) process.kill(world.find('gateway').pid, 'SIGKILL');
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  test.each(spoofs)('%s chooses no lane', async (_what, headers) => {
    expect(await world.viaGateway({ path: '/a', headers })).toMatchObject({ status: 200, body: 'a-base b-base' });
    const [a, b] = world.seen.slice(-2);
    for (const seen of [a, b]) {
      const given = Object.entries(seen?.headers ?? {})
        .map(([name, value]) => `${name}: ${value}`)
        .join('\n');
      expect(given).not.toMatch(/^x-lane|^x-opensergo|OpenSergo-Label|remembered/m);
      expect(given).not.toContain(trace('1'));
    }
  });

  test('foreign baggage goes on', async () => {
    await world.viaGateway({ path: '/a', headers: { baggage: 'a=1;p , OpenSergo-Label=gray, b=2' } });
    expect(String(world.seen.at(-2)?.headers['baggage']).replaceAll(' ', '')).toBe('a=1;p,b=2');
  });

  test(
    down ? 'a request that a rule matches goes to base' : 'a request that a rule matches goes to its lane',
    async () => {
      const answer = await world.viaGateway({ path: '/a', headers: { location: 'cn-shenzhen' } });
      expect(answer).toMatchObject({ status: 200, body: down ? 'a-base b-base' : 'a-base b-gray' });
    },
  );
});

describe('at the edge port of a sidecar', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members: [{ service: 'a', sidecar: true, calls: 'b' }, { service: 'b' }, { service: 'b', label: 'gray' }],
      edges: ['a'],
      rules: `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: every-edge }
spec: { trafficLabel: gray, match: [{ condition: "==", type: header, key: location, value: cn-shenzhen }] }`,
    });
    world.state.forward = ['traceparent'];
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  test.each(spoofs)('%s chooses no lane', async (_what, headers) => {
    await world.viaPort('a-base', { headers: { location: 'cn-shenzhen' } }); // something is remembered
    expect(await world.viaPort('a-base', { headers })).toMatchObject({ body: 'a-base b-base' });
  });

  test('a rule without selector labels a request, and its own trace carries it on', async () => {
    expect(await world.viaPort('a-base', { headers: { location: 'cn-shenzhen' } })).toMatchObject({
      body: 'a-base b-gray',
    });
  });
});

describe('the address of a caller, behind a proxy that says it in X-Forwarded-For,', () => {
  test.each([
    ['is believed where one hop is trusted', ['--trusted-hops', '1'], { 'x-forwarded-for': '203.0.113.7' }, 'b-gray'],
    [
      'is the one before the last hop, whatever stands before it',
      ['--trusted-hops', '1'],
      { 'x-forwarded-for': '10.9.9.9, 203.0.113.7' },
      'b-gray',
    ],
    [
      'is not one that a stranger wrote before it',
      ['--trusted-hops', '1'],
      { 'x-forwarded-for': '203.0.113.7, 10.9.9.9' },
      'b-base',
    ],
    ['is the peer where no hop is trusted', [], { 'x-forwarded-for': '203.0.113.7' }, 'b-base'],
  ])('%s', async (_, args, headers, member) => {
    const world = await startWorld({
      members: [{ service: 'b' }, { service: 'b', label: 'gray' }],
      gateway: { app: 'gateway' },
      args,
      rules: `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: address }
spec: { selector: { app: gateway }, trafficLabel: gray, match: [{ condition: "==", type: sourceIp, value: 203.0.113.0/24 }] }`,
    });
    try {
      expect(await world.viaGateway({ path: '/b', headers: headers as Record<string, string> })).toMatchObject({
        status: 200,
        body: member,
      });
    } finally {
      await world.close();
    }
  });
});
