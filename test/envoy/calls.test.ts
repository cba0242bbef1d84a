import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { startWorld, type World } from './world.ts';

const traceparent = (start: string) => `00-${start.padEnd(32, 'a')}-00f067aa0ba902b7-01`;
const members = [{ service: 'a', sidecar: true, calls: 'b' }, { service: 'b' }, { service: 'b', label: 'gray' }];

describe('the processor is asked', () => {
  let world: World;
  const asked = (direction: string) => world.metric('a-base', 'lanekeeper_decisions_total', `direction="${direction}"`);
  beforeAll(async () => {
    world = await startWorld({ members, client: {} });
    world.state.forward = ['traceparent'];
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  test('0 times, inbound and outbound, for base traffic with a trace while nothing is remembered', async () => {
    for (let i = 0; i < 30; i++) await world.viaClient('a', { headers: { traceparent: traceparent(`b${i}`) } });
    expect(await asked('inbound')).toBe(0);
    expect(await asked('outbound')).toBe(0);
  });

  test('once inbound and once outbound for a labelled request with a trace', async () => {
    const headers = { traceparent: traceparent('1'), 'x-opensergo-traffic': 'gray' };
    expect(await world.viaClient('a', { headers })).toMatchObject({ body: 'a-base b-gray' });
    expect(await asked('inbound')).toBe(1);
    expect(await asked('outbound')).toBe(1);
  });

  test('once outbound for a request with a trace and no label while something is remembered, 0 times inbound', async () => {
    const before = await asked('outbound');
    for (let i = 0; i < 10; i++) await world.viaClient('a', { headers: { traceparent: traceparent(`c${i}`) } });
    expect(await asked('outbound')).toBe(before + 10);
    expect(await asked('inbound')).toBe(1);
  });

  test('0 times for a request without label and trace', async () => {
    const before = await asked('outbound');
    for (let i = 0; i < 10; i++) await world.viaClient('a');
    expect(await asked('outbound')).toBe(before);
  });
});

describe('the processor of a pod whose memory has run empty', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ members, client: {}, args: ['--memory-ttl', '300ms'] });
    world.state.forward = ['traceparent'];
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  test('is asked no longer', async () => {
    const asked = () => world.metric('a-base', 'lanekeeper_decisions_total', 'direction="outbound"');
    await world.viaClient('a', { headers: { traceparent: traceparent('1'), 'x-opensergo-traffic': 'gray' } });
    expect(await asked()).toBe(1);
    await vi.waitFor(async () => expect(await world.metric('a-base', 'lanekeeper_ask_gate_open')).toBe(0), {
      timeout: 5_000,
    });
    for (let i = 0; i < 10; i++) await world.viaClient('a', { headers: { traceparent: traceparent(`d${i}`) } });
    expect(await asked()).toBe(1);
  });
});
