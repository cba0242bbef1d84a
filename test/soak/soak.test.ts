// What is promised under failure, under load: minutes long, so it has a command of its own (npm run test:soak).
import { renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readLaneCounts, unanswered } from '../../src/admin/statistics.ts';
import { startWorld, type World } from '../envoy/world.ts';

const requests = Number(process.env['SOAK_REQUESTS'] ?? 200_000);
const kills = 20;
const stops = 5;
const reloads = 20;
const upgrades = 5;

const rule = (name: string, header: string, label: string, more = '') => `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: ${name} }
spec: { selector: { app: gateway }, trafficLabel: ${label}, ${more} match: [{ condition: "==", type: header, key: ${header}, value: "1" }] }
---`;
const rules = (generation: number) =>
  rule('gray', 'x-gray', 'gray') +
  rule('load', 'x-load', 'load', 'onFailure: refuse,') +
  rule(`unused-${generation}`, 'x-nobody', 'gray');

let world: World;
beforeAll(async () => {
  world = await startWorld({
    members: [{ service: 'b' }, { service: 'b', label: 'gray' }, { service: 'b', label: 'load' }],
    gateway: { app: 'gateway' },
    client: {},
    rules: rules(0),
    processes: ['gateway'],
  });
});
afterAll(() => world?.close());

const kinds = [
  { name: 'base', via: 'gateway', headers: {} },
  { name: 'gray by rule', via: 'gateway', headers: { 'x-gray': '1' } },
  { name: 'load by rule', via: 'gateway', headers: { 'x-load': '1' } },
  { name: 'base of a client', via: 'client', headers: {} },
  { name: 'gray by header', via: 'client', headers: { 'x-opensergo-traffic': 'gray' } },
] as const;

test(`${requests} requests while the processor is killed ${kills} times, stopped ${stops} times, upgraded ${upgrades} times, and routes are reloaded ${reloads} times`, async () => {
  const count: Record<string, Record<string, number>> = {};
  let sent = 0;
  const add = (kind: string, who: string) => {
    const row = count[kind] ?? {};
    row[who] = (row[who] ?? 0) + 1;
    count[kind] = row;
  };
  const worker = async (offset: number) => {
    while (sent < requests) {
      const kind = kinds[(sent++ + offset) % kinds.length] ?? kinds[0];
      const call =
        kind.via === 'gateway'
          ? world.viaGateway({ path: '/b', headers: kind.headers })
          : world.viaClient('b', { headers: kind.headers });
      const answer = await call.catch((error: unknown) => ({ status: 0, body: String(error) }));
      add(kind.name, answer.status === 200 ? answer.body : `${answer.status} ${answer.body.trim()}`);
    }
  };
  const workers = Array.from({ length: 8 }, (_, offset) => worker(offset));

  const events = [
    ...Array.from({ length: kills }, () => 'kill'),
    ...Array.from({ length: stops }, () => 'stop'),
    ...Array.from({ length: reloads }, () => 'reload'),
    ...Array.from({ length: upgrades }, () => 'upgrade'),
  ].sort((a, b) => ((a.charCodeAt(0) * 7919) % 13) - ((b.charCodeAt(0) * 7919) % 13));
  const spread = events.map((_, index) => events[(index * 17) % events.length] as string);
  for (const [index, event] of spread.entries()) {
    while (sent < (requests * (index + 1)) / (spread.length + 2)) await sleep(10);
    await happen(event, index);
  }
  await Promise.all(workers);
  console.log(JSON.stringify(count, null, 1));

  expect(Object.keys(count['base'] ?? {}), 'base requests are answered by base only').toEqual(['b-base']);
  expect(Object.keys(count['base of a client'] ?? {})).toEqual(['b-base']);
  expect(Object.keys(count['gray by header'] ?? {}), 'a label in the header needs no processor').toEqual(['b-gray']);
  expect(Object.keys(count['gray by rule'] ?? {}).sort()).toEqual(['b-base', 'b-gray']);
  const load = count['load by rule'] ?? {};
  expect(
    Object.keys(load).filter((who) => who !== 'b-load' && !who.startsWith('503 lanekeeper cannot be asked')),
  ).toEqual([]);
  const { body } = await world.envoyStatistics('gateway');
  const counted = [...unanswered(readLaneCounts(body)).values()].reduce((a, b) => a + b, 0);
  const lost =
    (count['gray by rule']?.['b-base'] ?? 0) +
    Object.entries(load).reduce((sum, [who, times]) => sum + (who === 'b-load' ? 0 : times), 0);
  expect(counted, 'what was asked in vain is counted exactly').toBe(lost);
}, 1_200_000);

async function happen(event: string, index: number): Promise<void> {
  const gateway = world.find('gateway');
  if (event === 'kill') {
    process.kill(gateway.pid, 'SIGKILL');
    await gateway.restart();
  } else if (event === 'upgrade') {
    await gateway.upgrade();
  } else if (event === 'stop') {
    process.kill(gateway.pid, 'SIGSTOP');
    await sleep(700);
    process.kill(gateway.pid, 'SIGCONT');
  } else {
    writeFileSync(`${world.rulesFile}.next`, rules(index));
    renameSync(`${world.rulesFile}.next`, world.rulesFile);
  }
}
