import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { envoyAdmin } from '../../src/supervisor/admin.ts';
import { startWorld, type World } from '../envoy/world.ts';

const traceparent = (start: string) => `00-${start.padEnd(32, 'a')}-00f067aa0ba902b7-01`;
const gray = { 'x-opensergo-traffic': 'gray' };

describe('a lanekeeper that takes over from the one that runs', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members: [{ service: 'a', sidecar: true, calls: 'b' }, { service: 'b' }, { service: 'b', label: 'gray' }],
      client: {},
      gateway: { app: 'gateway' },
      rules: `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: gray }
spec: { selector: { app: gateway }, trafficLabel: gray, match: [{ condition: "==", type: header, key: x-gray, value: "1" }] }`,
      processes: ['a-base', 'gateway'],
    });
    world.state.forward = ['traceparent'];
  });
  afterAll(() => world?.close());

  test('remembers what the earlier one remembered, conflicts too, and keeps its Envoy', async () => {
    const headers = { traceparent: traceparent('1') };
    await world.viaClient('a', { headers: { ...headers, ...gray } });
    const conflict = { traceparent: traceparent('2') };
    await world.viaClient('a', { headers: { ...conflict, ...gray } });
    await world.viaClient('a', { headers: { ...conflict, 'x-opensergo-traffic': 'blue' } });
    const sidecar = world.find('a-base');
    const uptime = async () =>
      JSON.parse(await envoyAdmin(join(sidecar.folder, 'admin.sock')).get('/server_info')).uptime_all_epochs as string;
    const before = sidecar.pid;
    await sidecar.upgrade();
    expect(sidecar.pid).not.toBe(before);
    expect(() => process.kill(before, 0), 'the earlier one has ended').toThrow('ESRCH');
    expect(await world.viaClient('a', { headers })).toMatchObject({ body: 'a-base b-gray' });
    expect(await world.viaClient('a', { headers: conflict })).toMatchObject({ body: 'a-base b-base' });
    expect(await uptime(), 'Envoy was not started again').not.toBe('0s');
    expect(readdirSync(sidecar.folder).filter((file) => file.startsWith('extproc.sock.'))).toEqual([
      `extproc.sock.${sidecar.pid}`,
    ]);
  });

  test('starts as ever where none runs', async () => {
    const sidecar = world.find('gateway');
    process.kill(sidecar.pid, 'SIGKILL');
    await sidecar.upgrade();
    expect(await world.viaGateway({ path: '/b', headers: {} })).toMatchObject({ body: 'b-base' });
    expect(existsSync(join(sidecar.folder, 'handover.sock'))).toBe(true);
  });
});
