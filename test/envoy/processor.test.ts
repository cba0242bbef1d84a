import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { envoyAdmin } from '../../src/supervisor/admin.ts';
import { startWorld, type World } from './world.ts';

const location = { location: 'cn-shenzhen' };

/** Requests one after the other until told to stop; who answered each, and how long it took in ms. */
function load(world: World, headers: Record<string, string>) {
  const results: { who: string; ms: number }[] = [];
  let going = true;
  const done = (async () => {
    while (going) {
      const start = performance.now();
      const { status, body } = await world.viaGateway({ path: '/b', headers });
      results.push({ who: status === 200 ? body : String(status), ms: performance.now() - start });
    }
  })();
  const stop = async () => {
    going = false;
    await done;
    return results;
  };
  return { results, stop };
}

/** A condition on the load, not on the clock: the machine may be slow. */
const reached = (running: { results: readonly unknown[] }, count: number) =>
  vi.waitFor(() => expect(running.results.length).toBeGreaterThan(count), { timeout: 20_000 });

const who = (results: readonly { who: string }[]) => [...new Set(results.map((result) => result.who))].sort();

describe('when the processor', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members: [{ service: 'b' }, { service: 'b', label: 'gray' }],
      gateway: { app: 'gateway' },
      client: {},
      rules: `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: header }
spec: { selector: { app: gateway }, trafficLabel: gray, match: [{ condition: "==", type: header, key: location, value: cn-shenzhen }] }`,
      processes: ['gateway', 'client'],
    });
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  const gatewayIsHealthy = (healthy: boolean) =>
    vi.waitFor(
      async () => {
        const clusters = await envoyAdmin(join(world.find('gateway').folder, 'admin.sock')).get('/clusters');
        const flags = /^lane_processor::.*::health_flags::(.*)$/m.exec(clusters)?.[1];
        expect(flags?.startsWith('/failed_active_hc')).toBe(!healthy);
      },
      { timeout: 5_000 },
    );

  test('is killed under load, requests go on to base, and to their lane again when it is back', async () => {
    await gatewayIsHealthy(true);
    const running = load(world, location);
    await reached(running, 50);
    process.kill(world.find('gateway').pid, 'SIGKILL');
    const killedAt = running.results.length;
    await reached(running, killedAt + 100);
    await world.find('gateway').restart();
    await gatewayIsHealthy(true);
    const backAt = running.results.length;
    await reached(running, backAt + 50);
    const results = await running.stop();
    expect(who(results.slice(0, killedAt - 2))).toEqual(['b-gray']);
    expect(who(results)).toEqual(['b-base', 'b-gray']);
    expect(who(results.slice(backAt + 2))).toEqual(['b-gray']);
    const kept = await envoyAdmin(join(world.find('gateway').folder, 'admin.sock')).get('/server_info');
    expect(JSON.parse(kept).uptime_current_epoch, 'Envoy outlived its processor').not.toBe('0s');
  });

  test('is stopped (SIGSTOP), requests are slow for a second at most, and answered by base', async () => {
    await gatewayIsHealthy(true);
    const { pid } = world.find('gateway');
    process.kill(pid, 'SIGSTOP');
    const results = await (async () => {
      try {
        const running = load(world, location);
        await gatewayIsHealthy(false);
        const out = running.results.length;
        await reached(running, out + 50);
        return await running.stop();
      } finally {
        process.kill(pid, 'SIGCONT');
      }
    })();
    expect(who(results)).toEqual(['b-base']);
    const slow = results.filter(({ ms }) => ms > 150);
    expect(slow.reduce((sum, { ms }) => sum + ms, 0)).toBeLessThan(1_500);
    await gatewayIsHealthy(true);
    expect(await world.viaGateway({ path: '/b', headers: location })).toMatchObject({ body: 'b-gray' });
  });

  test('is switched off (the runtime key of its circuit breaker), requests go to base at once, and back when it is on', async () => {
    await gatewayIsHealthy(true);
    const admin = envoyAdmin(join(world.find('gateway').folder, 'admin.sock'));
    const limit = (value: string) =>
      admin.post(`/runtime_modify?circuit_breakers.lane_processor.default.max_requests=${value}`);
    const asked = await world.metric('gateway', 'lanekeeper_decisions_total');
    await limit('0');
    expect(await world.viaGateway({ path: '/b', headers: location })).toMatchObject({ status: 200, body: 'b-base' });
    expect(await world.metric('gateway', 'lanekeeper_decisions_total')).toBe(asked);
    await limit('');
    expect(await world.viaGateway({ path: '/b', headers: location })).toMatchObject({ status: 200, body: 'b-gray' });
  });

  test('is missing, requests with a label stay in their lane, by Envoy alone', async () => {
    process.kill(world.find('client').pid, 'SIGKILL');
    for (const headers of [{ 'x-opensergo-traffic': 'gray' }, { baggage: 'OpenSergo-Label=gray' }])
      expect(await world.viaClient('b', { headers })).toMatchObject({ status: 200, body: 'b-gray' });
    expect(await world.viaClient('b')).toMatchObject({ status: 200, body: 'b-base' });
  });
});
