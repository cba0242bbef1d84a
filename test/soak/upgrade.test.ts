// An upgrade in place under load. A label counts as lost after 0.2 s, so nothing else may have the cores meanwhile.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startWorld, type World } from '../envoy/world.ts';

describe('a lanekeeper that takes over from the one that runs', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members: [{ service: 'b' }, { service: 'b', label: 'gray' }],
      gateway: { app: 'gateway' },
      rules: `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: gray }
spec: { selector: { app: gateway }, trafficLabel: gray, match: [{ condition: "==", type: header, key: x-gray, value: "1" }] }`,
      processes: ['gateway'],
    });
  });
  afterAll(() => world?.close());

  test('takes no request its label: five times, under load', async () => {
    const answers: Record<string, number> = {};
    let going = true;
    const worker = async () => {
      while (going) {
        const { status, body } = await world.viaGateway({ path: '/b', headers: { 'x-gray': '1' } });
        const who = `${status} ${body}`;
        answers[who] = (answers[who] ?? 0) + 1;
      }
    };
    const workers = Array.from({ length: 4 }, worker);
    for (let i = 0; i < 5; i++) {
      const before = answers['200 b-gray'] ?? 0;
      await world.find('gateway').upgrade();
      await vi.waitFor(() => expect(answers['200 b-gray']).toBeGreaterThan(before + 20), { timeout: 10_000 });
    }
    going = false;
    await Promise.all(workers);
    expect(Object.keys(answers)).toEqual(['200 b-gray']);
  }, 90_000);
});
