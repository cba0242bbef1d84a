// What `lanekeeper explain` predicts is what the data plane does: generated rules and requests, on the real Envoy.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { explainRequest } from '../../src/explain/explanation.ts';
import { createAssembler } from '../../src/mesh/assemble.ts';
import type { Workload } from '../../src/mesh/workload.ts';
import { bytesOf, type Request } from '../../src/traffic/request.ts';
import { startWorld, type World } from './world.ts';

const ruleSets = 20;
const requestsOfSet = 50;
const seed = 20261125;

let world: World;
beforeAll(async () => {
  world = await startWorld({
    members: [
      { service: 'b' },
      { service: 'b', label: 'gray' },
      { service: 'strict' },
      { service: 'strict', label: 'gray' },
      { service: 'tree' },
      { service: 'tree', label: 'gray' },
      { service: 'tree', label: 'gray.eu' },
      { service: 'onlygray', label: 'gray' },
    ],
    strict: ['strict'],
    hierarchical: ['tree'],
    gateway: { app: 'gateway' },
  });
});
afterAll(() => world?.close());
afterEach(() => world.fallbacksAgree());

const words = fc.constantFrom('a', 'b', 'ab', 'a,b', 'ö', 'a b', '');
const keys = fc.constantFrom('x-one', 'x-two');
const paths = fc.constantFrom('/b', '/b/x', '/strict', '/tree/x', '/onlygray', '/none');
const oneValue = fc.constantFrom('==', '!=', 'prefix', 'suffix');

const condition = fc.oneof(
  fc.record({ condition: oneValue, type: fc.constantFrom('header', 'query', 'cookie'), key: keys, value: words }),
  fc.record({
    condition: fc.constantFrom('in', 'notIn'),
    type: fc.constantFrom('header', 'query'),
    key: keys,
    value: fc.array(words, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    condition: fc.constantFrom('exists', 'absent'),
    type: fc.constantFrom('header', 'query', 'cookie'),
    key: keys,
  }),
  fc.record({
    condition: fc.constant('regex'),
    type: fc.constant('header'),
    key: keys,
    value: fc.constantFrom('a.*', '[ab]+', 'a|b', '(?i)A'),
  }),
  fc.record({ condition: oneValue, type: fc.constant('sourceLabel'), key: fc.constant('app'), value: words }),
  fc.record({ condition: fc.constantFrom('==', 'prefix'), type: fc.constant('path'), value: paths }),
  fc.record({ condition: oneValue, type: fc.constant('dubboInterface'), value: fc.constantFrom('b', 'tree') }),
  fc.record({ condition: fc.constantFrom('exists', 'absent'), type: fc.constant('dubboMethod') }),
  fc.record({ condition: fc.constant('=='), type: fc.constant('method'), value: fc.constantFrom('GET', 'POST') }),
  fc.record({ condition: fc.constant('=='), type: fc.constant('host'), value: fc.constantFrom('shop', 'other') }),
);

const rule = fc.record({
  trafficLabel: fc.constantFrom('gray', 'gray', 'blue', 'gray.eu', 'gray.us'),
  match: fc.array(condition, { minLength: 1, maxLength: 3 }),
  priority: fc.integer({ min: 0, max: 2 }),
  onFailure: fc.constantFrom('base', 'base', 'base', 'refuse'),
  percentage: fc.constantFrom(undefined, undefined, 50),
});

/** Those that are right: an empty prefix, say, is a mistake. */
const sets = fc
  .array(rule, { minLength: 1, maxLength: 8 })
  .filter((rules) =>
    createAssembler()([{ file: 'rules', text: rulesText(rules) }]).problems.every(
      ({ severity }) => severity !== 'error',
    ),
  );

const sent = fc.record({
  path: paths,
  method: fc.constantFrom('GET', 'GET', 'POST'),
  host: fc.constantFrom('shop', 'other', 'shop:80'),
  query: fc.option(fc.tuple(keys, words), { nil: undefined }),
  cookie: fc.option(fc.tuple(keys, words), { nil: undefined }),
  one: fc.option(words, { nil: undefined }),
  two: fc.option(words, { nil: undefined }),
  source: fc.option(words, { nil: undefined }),
  user: fc.integer({ min: 0, max: 20 }),
});

type Sent = typeof sent extends fc.Arbitrary<infer T> ? T : never;

function rulesText(rules: readonly (typeof rule extends fc.Arbitrary<infer T> ? T : never)[]): string {
  return rules
    .map(({ percentage, ...spec }, index) => {
      const share = percentage === undefined ? {} : { percentage, stickyBy: { type: 'header', key: 'x-user' } };
      const metadata = { name: `rule-${index}` };
      return stringify({
        apiVersion: 'traffic.opensergo.io/v1alpha1',
        kind: 'TrafficLabelRule',
        metadata,
        spec: { selector: { app: 'gateway' }, ...spec, ...share },
      });
    })
    .join('---\n');
}

/** As the client of the test sends it: bytes, and only headers that have a value to send. */
function headersOf({ host, cookie, one, two, source, user }: Sent): Record<string, string> {
  return {
    host,
    'x-user': `user-${user}`,
    ...(cookie && { cookie: bytesOf(`${cookie[0]}=${cookie[1]}`) }),
    ...(one !== undefined && { 'x-one': bytesOf(one) }),
    ...(two !== undefined && { 'x-two': bytesOf(two) }),
    ...(source !== undefined && { 'x-lane-source': `app=${encodeURIComponent(source)}` }),
  };
}

function pathOf({ path, query }: Sent): string {
  return query === undefined ? path : `${path}?${query[0]}=${encodeURIComponent(query[1])}`;
}

test(`${ruleSets * requestsOfSet} generated requests: the lane that explain predicts is the one that answers`, async () => {
  await routesAreTaken(); // those of the start
  const samples = fc.sample(sets, { numRuns: ruleSets, seed });
  const wrong: string[] = [];
  const lanes: Record<string, number> = {};
  for (const [index, rules] of samples.entries()) {
    writeFileSync(`${world.rulesFile}.next`, rulesText(rules)); // by rename: half a file would be a generation more
    renameSync(`${world.rulesFile}.next`, world.rulesFile);
    await vi.waitFor(async () => expect(await world.metric('gateway', 'lanekeeper_generation')).toBe(index + 2), {
      timeout: 5_000,
    });
    const files = [world.rulesFile, join(world.folder, 'services.yaml')].map((file) => ({
      file,
      text: readFileSync(file, 'utf8'),
    }));
    const { mesh } = createAssembler()(files);
    await routesAreTaken();
    for (const request of fc.sample(sent, { numRuns: requestsOfSet, seed: seed + index })) {
      const answer = await world.viaGateway({
        path: pathOf(request),
        method: request.method,
        headers: headersOf(request),
      });
      const found = answer.status === 200 ? answer.body : String(answer.status);
      const predicted = predict(request, mesh);
      lanes[predicted] = (lanes[predicted] ?? 0) + 1;
      if (found !== predicted)
        wrong.push(`${JSON.stringify(request)} with ${JSON.stringify(rules)}: predicted ${predicted}, found ${found}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(Object.keys(lanes).sort(), 'every kind of answer was among them').toEqual([
    '404',
    '503',
    'b-base',
    'b-gray',
    'onlygray-gray',
    'strict-base',
    'strict-gray',
    'tree-base',
    'tree-gray',
    'tree-gray.eu',
  ]);
}, 120_000);

const workload: Workload = {
  name: 'gateway',
  namespace: 'default',
  labels: { app: 'gateway' },
  propagation: 'trace',
  edgeTrace: 'strip',
  gateway: { address: '127.0.0.1', port: 1 },
  inbound: [],
  outbound: [],
};

function predict(request: Sent, mesh: ReturnType<ReturnType<typeof createAssembler>>['mesh']): string {
  const { host, ...headers } = headersOf(request);
  const values = new Map<string, string>(Object.entries({ ...headers, ':authority': host ?? '' }));
  const asked: Request = { method: request.method, path: pathOf(request), header: (name) => values.get(name) };
  const { final } = explainRequest({
    at: 'gateway',
    workload,
    mesh,
    request: asked,
    random: (bytes) => new Uint8Array(bytes).fill(1),
  });
  if (final === undefined) return '404';
  const [service, lane] = (final.cluster ?? '').replace(/\+$/, '').split('|');
  const isEmpty = service === 'onlygray' && lane === 'base';
  return final.refusal !== undefined || isEmpty ? '503' : `${service}-${lane}`;
}

/** What is in force is in Envoy as well. */
async function routesAreTaken(): Promise<void> {
  const generation = await world.metric('gateway', 'lanekeeper_generation');
  await vi.waitFor(async () => expect(await world.metric('gateway', 'lanekeeper_envoy_generation')).toBe(generation), {
    timeout: 5_000,
  });
}
