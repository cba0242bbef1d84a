import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startWorld, type World } from './world.ts';

const gray = { headers: { 'x-opensergo-traffic': 'gray' } };
const label = (value: string) => ({ headers: { 'x-opensergo-traffic': value } });

const rule = (name: string, spec: string) => `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: ${name} }
spec: { selector: { app: gateway }, ${spec} }
---`;

describe('a label whose rule says onFailure: refuse', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members: [
        { service: 'b' },
        { service: 'b', label: 'load' },
        { service: 'b', label: 'gray' },
        { service: 'onlybase' },
        { service: 'dead' },
        { service: 'dead', label: 'load' },
        { service: 'tree' },
        { service: 'tree', label: 'gray' },
      ],
      hierarchical: ['tree'],
      gateway: { app: 'gateway' },
      client: {},
      rules:
        rule(
          'load',
          'trafficLabel: load, onFailure: refuse, match: [{ condition: "==", type: header, key: x-load, value: "1" }]',
        ) +
        rule(
          'some',
          'trafficLabel: load, onFailure: refuse, percentage: 0.01, stickyBy: { type: header, key: x-user }, match: [{ condition: "==", type: header, key: x-some, value: "1" }]',
        ) +
        rule(
          'child',
          'trafficLabel: gray.load, onFailure: refuse, match: [{ condition: "==", type: header, key: x-child, value: "1" }]',
        ) +
        rule('gray', 'trafficLabel: gray, match: [{ condition: "==", type: header, key: x-gray, value: "1" }]'),
      processes: ['gateway'],
    });
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  test('takes its lane, and others fall back as ever', async () => {
    expect(await world.viaGateway({ path: '/b', headers: { 'x-load': '1' } })).toMatchObject({
      status: 200,
      body: 'b-load',
    });
    expect(await world.viaGateway({ path: '/onlybase', headers: { 'x-gray': '1' } })).toMatchObject({
      status: 200,
      body: 'onlybase-base',
    });
    expect(await world.viaGateway({ path: '/b' })).toMatchObject({ status: 200, body: 'b-base' });
  });

  test('is refused with a reason where its lane is missing', async () => {
    const refused = await world.viaClient('onlybase', label('load'));
    expect(refused).toMatchObject({
      status: 503,
      headers: { 'x-lanekeeper-reason': 'onlybase has no lane load, and load refuses base' },
    });
    expect(await world.viaGateway({ path: '/onlybase', headers: { 'x-load': '1' } })).toMatchObject({ status: 503 });
  });

  test('is refused with a reason where its lane is dead', async () => {
    await world.applications.get('dead-load')?.kill();
    for (let i = 0; i < 10; i++) {
      const refused = await world.viaClient('dead', label('load'));
      expect(refused).toMatchObject({
        status: 503,
        headers: { 'x-lanekeeper-reason': expect.stringMatching(/^(URX,UF|UH) dead\/load$/) },
      });
    }
  });

  test('does not fall into the lane of its parent either', async () => {
    expect(await world.viaClient('tree', label('gray.other'))).toMatchObject({ body: 'tree-gray' });
    expect(await world.viaClient('tree', label('gray.load'))).toMatchObject({ status: 503 });
  });

  test('a request that its rule matches but the percentage does not choose goes to base', async () => {
    expect(await world.viaGateway({ path: '/b', headers: { 'x-some': '1', 'x-user': 'nobody' } })).toMatchObject({
      status: 200,
      body: 'b-base',
    });
  });

  test('is refused at the gateway while the processor is away; base and other labels go on', async () => {
    process.kill(world.find('gateway').pid, 'SIGKILL');
    const refused = await world.viaGateway({ path: '/b', headers: { 'x-load': '1' } });
    expect(refused).toMatchObject({
      status: 503,
      headers: { 'x-lanekeeper-reason': 'lanekeeper cannot be asked whether this request may reach base' },
    });
    expect(await world.viaGateway({ path: '/b', headers: { 'x-gray': '1' } })).toMatchObject({
      status: 200,
      body: 'b-base',
    });
    expect(await world.viaGateway({ path: '/b' })).toMatchObject({ status: 200, body: 'b-base' });
  });
});

describe('hierarchical labels', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members: [
        { service: 'tree' },
        { service: 'tree', label: 'gray' },
        { service: 'tree', label: 'gray.eu' },
        { service: 'tree', label: 'gray.eu.fr' },
        { service: 'flat' },
        { service: 'flat', label: 'gray' },
      ],
      hierarchical: ['tree'],
      client: {},
    });
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  test.each([
    ['gray.eu.fr', 'tree-gray.eu.fr'],
    ['gray.eu.fr.paris', 'tree-gray.eu.fr'],
    ['gray.eu.de', 'tree-gray.eu'],
    ['gray.eu', 'tree-gray.eu'],
    ['gray.us', 'tree-gray'],
    ['gray', 'tree-gray'],
    ['grayx', 'tree-base'],
    ['gray.', 'tree-base'],
    ['gray./../x', 'tree-base'],
    ['x.gray', 'tree-base'],
  ])('%s takes the deepest lane that there is: %s', async (value, member) => {
    expect(await world.viaClient('tree', label(value))).toMatchObject({ status: 200, body: member });
  });

  test('are off unless a service asks for them', async () => {
    expect(await world.viaClient('flat', label('gray.eu'))).toMatchObject({ body: 'flat-base' });
  });

  test('three levels of dead lanes end at base, GET and POST, with the first request', async () => {
    for (const name of ['tree-gray.eu.fr', 'tree-gray.eu', 'tree-gray']) await world.applications.get(name)?.kill();
    expect(await world.viaClient('tree', label('gray.eu.fr'))).toMatchObject({ status: 200, body: 'tree-base' });
    expect(
      await world.viaClient('tree', { ...label('gray.eu.fr'), method: 'POST', body: 'x'.repeat(1000) }),
    ).toMatchObject({ body: 'tree-base' });
  });
});

describe('a request without a label that enters a labelled workload', () => {
  let world: World;
  const named = (name: string) => world.seen.findLast(({ member }) => member === name);
  beforeAll(async () => {
    world = await startWorld({
      members: [
        { service: 'a', label: 'gray', sidecar: true, calls: 'b' },
        { service: 'b' },
        { service: 'b', label: 'gray' },
      ],
    });
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  test('takes its label on entry, in header and baggage, so that its calls agree', async () => {
    expect(await world.viaPort('a-gray', { headers: { baggage: 'x=1' } })).toMatchObject({ body: 'a-gray b-gray' });
    expect(named('a-gray')?.label).toBe('gray');
    expect(String(named('a-gray')?.headers['baggage']).replaceAll(' ', '')).toBe('x=1,OpenSergo-Label=gray');
  });

  test('but not where it carries another label, which goes its own way', async () => {
    expect(await world.viaPort('a-gray', label('blue'))).toMatchObject({ body: 'a-gray b-gray' });
    expect(named('a-gray')?.label).toBe('blue');
  });

  test('and not where it is a probe of the kubelet', async () => {
    await world.viaPort('a-gray', { headers: { 'user-agent': 'kube-probe/1.32' } });
    expect(named('a-gray')?.label).toBe(undefined);
  });
});

describe('on a port with trusted peers', () => {
  const members = [{ service: 'a', sidecar: true, calls: 'b' }, { service: 'b' }, { service: 'b', label: 'gray' }];
  test.each([
    ['a peer inside the ranges is believed', '127.0.0.0/8', 'a-base b-gray'],
    ['a peer outside of them is met as at an edge', '10.0.0.0/8,fd00::/8', 'a-base b-base'],
  ])('%s', async (_, ranges, chain) => {
    const world = await startWorld({ members, args: ['--trusted-peers', ranges] });
    try {
      world.state.forward = ['x-opensergo-traffic', 'baggage', 'traceparent'];
      expect(await world.viaPort('a-base', gray)).toMatchObject({ body: chain });
      expect(await world.viaPort('a-base', { headers: { baggage: 'OpenSergo-Label=gray' } })).toMatchObject({
        body: chain,
      });
    } finally {
      await world.close();
    }
  });
});
