// The live mesh under load: what comes, goes, falls ill or is renamed costs nobody a request, and nobody the lane.
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readLaneCounts, unanswered } from '../../src/admin/statistics.ts';
import { startWorld, type World } from '../envoy/world.ts';
import { processesNaming } from '../supervisor/stage.ts';

const requests = Number(process.env['SOAK_REQUESTS'] ?? 100_000);
const instanceChanges = 500;
const ruleChanges = 50;
const processorKills = 10;
const envoyKills = 3;
const settledMs = 1_500;

const rules = (generation: number) => `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: gray }
spec: { selector: { app: gateway }, trafficLabel: gray, match: [{ condition: "==", type: header, key: x-gray, value: "1" }] }
---
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: unused-${generation} }
spec: { selector: { app: gateway }, trafficLabel: gray, match: [{ condition: "==", type: header, key: x-nobody, value: "1" }] }
`;

/** Instances by service, as the file of services says them. */
type View = Record<string, { member: string; healthy?: boolean }[]>;
const everybody: View = {
  b: ['b-base', 'b-base-2', 'b-base-3', 'b-gray', 'b-gray-2'].map((member) => ({ member })),
  c: [],
  d: [],
};

let world: World;
const effects: { what: string; ms: number }[] = [];
const outages: { from: number; to: number }[] = [];
/** When the lane of b last became present or absent. */
let laneChangedAt = 0;
let lanePresent = true;

beforeAll(async () => {
  world = await startWorld({
    members: [
      ...[undefined, undefined, undefined, 'gray', 'gray'].map((label) => ({ service: 'b', ...(label && { label }) })),
      { service: 'c' },
      { service: 'd' },
    ],
    gateway: { app: 'gateway' },
    client: {},
    rules: rules(0),
    processes: ['gateway', 'client'],
  });
  show(everybody);
});
afterAll(() => world?.close());

test(`${requests} requests while instances, lanes, services, rules, processes and the source come and go`, async () => {
  const load = startLoad();
  await sleep(settledMs);
  await churnOfInstances();
  await laneAppearsAndGoes();
  await servicesComeAndGo();
  await rulesChange();
  await sourceIsLost();
  await processorsAreKilled();
  await envoysAreKilled();
  const { sent, wrong, lost, errors } = await load.end();

  const inOutage = errors.filter(({ from, to }) => outages.some((outage) => from < outage.to && to > outage.from));
  report(sent, inOutage.length);
  expect(wrong, 'requests in a lane that is not theirs').toEqual([]);
  expect(errors.filter((error) => !inOutage.includes(error))).toEqual([]);
  const { body } = await world.envoyStatistics('gateway');
  const counted = [...unanswered(readLaneCounts(body)).values()].reduce((a, b) => a + b, 0);
  expect(lost, 'labels that nobody could ask for are counted').toBeGreaterThanOrEqual(counted);
}, 900_000);

function report(sent: number, inOutage: number): void {
  for (const what of new Set(effects.map((effect) => effect.what))) {
    const times = effects.filter((effect) => effect.what === what).map(({ ms }) => ms);
    const sorted = times.sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
    console.log(`${what}: median ${median.toFixed(0)} ms, worst ${sorted.at(-1)?.toFixed(0)} ms (${sorted.length})`);
  }
  console.log(`${sent} requests, ${inOutage} of them failed while Envoy was down`);
}

type Failure = { kind: string; what: string; from: number; to: number };

function startLoad() {
  const kinds = [
    { name: 'base', send: () => world.viaClient('b', {}), isGray: false, asks: false },
    {
      name: 'gray',
      send: () => world.viaClient('b', { headers: { 'x-opensergo-traffic': 'gray' } }),
      isGray: true,
      asks: false,
    },
    { name: 'base at the gateway', send: () => world.viaGateway({ path: '/b' }), isGray: false, asks: false },
    {
      name: 'gray by rule',
      send: () => world.viaGateway({ path: '/b', headers: { 'x-gray': '1' } }),
      isGray: true,
      asks: true,
    },
  ] as const;
  const wrong: Failure[] = [];
  const errors: Failure[] = [];
  let [sent, lost, ended] = [0, 0, false];
  const worker = async () => {
    while (!ended || sent < requests) {
      const kind = kinds[sent++ % kinds.length] ?? kinds[0];
      const from = performance.now();
      const answer = await kind.send().catch((error: unknown) => ({ status: 0, body: String(error) }));
      const to = performance.now();
      const failure = { kind: kind.name, what: `${answer.status} ${answer.body.trim()}`, from, to };
      if (answer.status !== 200) errors.push(failure);
      else if (answer.body.startsWith('b-gray') === kind.isGray) continue;
      else if (!kind.isGray) wrong.push(failure);
      else if (lanePresent && from > laneChangedAt + settledMs) {
        if (kind.asks) lost++;
        else wrong.push(failure);
      }
    }
  };
  const workers = Array.from({ length: 6 }, worker);
  return {
    async end() {
      ended = true;
      await Promise.all(workers);
      return { sent, wrong, lost, errors };
    },
  };
}

/** Writes what services there are, in one step. */
function show(view: View): void {
  const text = Object.entries(view)
    .filter(([, instances]) => instances.length > 0)
    .map(([name, instances]) =>
      stringify({
        apiVersion: 'lanekeeper.io/v1alpha1',
        kind: 'Service',
        metadata: { name },
        spec: {
          ports: [{ port: 80 }],
          paths: [`/${name}`],
          instances: instances.map(({ member, healthy = true }) => ({
            address: '127.0.0.1',
            port: world.portOf(member),
            healthy,
            labels: member.includes('gray') ? { 'traffic.opensergo.io/label': 'gray' } : {},
          })),
        },
      }),
    );
  const file = join(world.folder, 'services.yaml');
  writeFileSync(`${file}.next`, text.join('---\n'));
  renameSync(`${file}.next`, file);
}

/** Makes a change, and measures until a request shows it. */
async function effect(what: string, change: () => void, isThere: () => Promise<boolean>): Promise<void> {
  const from = performance.now();
  change();
  while (!(await isThere().catch(() => false))) {
    if (performance.now() - from > 10_000) throw new Error(`${what} is not there after 10 s`);
    await sleep(2);
  }
  effects.push({ what, ms: performance.now() - from });
}

const answers = async (service: string, label: string | undefined, member: RegExp): Promise<boolean> => {
  const headers = label === undefined ? {} : { 'x-opensergo-traffic': label };
  const { status, body } = await world.viaClient(service, { headers });
  return status === 200 && member.test(body);
};

async function churnOfInstances(): Promise<void> {
  const all = everybody['b'] ?? [];
  for (let change = 0; change < instanceChanges; change++) {
    // One of the three of base, or one of the two of gray, is away in turn.
    const away = ['b-base-2', 'b-gray-2', 'b-base-3'][change % 3];
    show({ ...everybody, b: change % 2 === 0 ? all.filter(({ member }) => member !== away) : all });
    await sleep(20);
  }
  show(everybody);
}

async function laneAppearsAndGoes(): Promise<void> {
  const base = (everybody['b'] ?? []).filter(({ member }) => !member.includes('gray'));
  for (let round = 0; round < 5; round++) {
    await setLane(false, 'a lane vanishes', () => show({ ...everybody, b: base }), /^b-base/);
    await setLane(true, 'a lane appears', () => show(everybody), /^b-gray/);
    const ill = (everybody['b'] ?? []).map((each) =>
      each.member.includes('gray') ? { ...each, healthy: false } : each,
    );
    await setLane(false, 'a lane falls ill', () => show({ ...everybody, b: ill }), /^b-base/);
    await setLane(true, 'a lane is well again', () => show(everybody), /^b-gray/);
  }
}

async function setLane(present: boolean, what: string, change: () => void, member: RegExp): Promise<void> {
  lanePresent = false;
  await effect(what, change, () => answers('b', 'gray', member));
  laneChangedAt = performance.now();
  lanePresent = present;
}

async function servicesComeAndGo(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    await effect(
      'a service is added',
      () => show({ ...everybody, c: [{ member: 'c-base' }] }),
      () => answers('c', undefined, /^c-base/),
    );
    await effect(
      'a service is renamed',
      () => show({ ...everybody, d: [{ member: 'c-base' }] }),
      () => answers('d', undefined, /^c-base/),
    );
    await effect(
      'a service is removed',
      () => show(everybody),
      async () => (await world.viaClient('d', {})).status === 503,
    );
  }
}

async function rulesChange(): Promise<void> {
  for (let change = 1; change <= ruleChanges; change++) {
    writeFileSync(`${world.rulesFile}.next`, rules(change));
    renameSync(`${world.rulesFile}.next`, world.rulesFile);
    await sleep(60);
  }
}

async function sourceIsLost(): Promise<void> {
  const file = join(world.folder, 'services.yaml');
  rmSync(file);
  await sleep(settledMs); // the load goes on by what was known
  await effect(
    'the source is back',
    () => show({ ...everybody, c: [{ member: 'c-base' }] }),
    () => answers('c', undefined, /^c-base/),
  );
  show(everybody);
}

async function processorsAreKilled(): Promise<void> {
  for (let kill = 0; kill < processorKills; kill++) {
    const sidecar = world.find(kill % 2 === 0 ? 'gateway' : 'client');
    process.kill(sidecar.pid, 'SIGKILL');
    await sidecar.restart();
    // The one that came up serves: what changes now is in force.
    await effect(
      'an instance after a restart',
      () => show({ ...everybody, c: [{ member: 'c-base' }] }),
      () => answers('c', undefined, /^c-base/),
    );
    await effect(
      'a service is removed',
      () => show(everybody),
      async () => (await world.viaClient('c', {})).status === 503,
    );
  }
}

async function envoysAreKilled(): Promise<void> {
  for (let kill = 0; kill < envoyKills; kill++) {
    const sidecar = world.find(kill % 2 === 0 ? 'client' : 'gateway');
    const envoys = processesNaming(join(sidecar.folder, 'bootstrap.json'));
    const from = performance.now();
    for (const pid of envoys) process.kill(pid, 'SIGKILL');
    const before = await world.metric(sidecar.name, 'lanekeeper_envoy_starts_total');
    while ((await world.metric(sidecar.name, 'lanekeeper_envoy_starts_total')) === before) await sleep(10);
    outages.push({ from, to: performance.now() });
    await sleep(500);
  }
}
