import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { startWorld, type World } from './world.ts';

const rule = (name: string, spec: string) => `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: ${name} }
spec:
  selector: { app: gateway }
  trafficLabel: gray
${spec}
---`;

const oneOf = (type: string, key: string, value: string) =>
  rule(
    `by-${type}`,
    `  match: [{ condition: "==", type: ${type}, ${key === '' ? '' : `key: ${key}, `}value: ${value} }]`,
  );

const share = (percentage: number) =>
  rule(
    'share',
    `  percentage: ${percentage}\n  stickyBy: { type: header, key: x-user }\n  match: [{ condition: "==", type: header, key: x-canary, value: 'yes' }]`,
  );

const fixed = [
  oneOf('header', 'location', 'cn-shenzhen'),
  oneOf('path', '', '/b/beta'),
  oneOf('query', 'user', "'beta tester'"),
  oneOf('cookie', 'lane', 'gray'),
].join('');

describe('a gateway labels a request', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members: [{ service: 'b' }, { service: 'b', label: 'gray' }],
      gateway: { app: 'gateway' },
      rules: fixed + share(10),
    });
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  test.each([
    ['by header', '/b', { location: 'cn-shenzhen' }, 'b-gray'],
    ['by header: its name in any case', '/b', { Location: 'cn-shenzhen' }, 'b-gray'],
    ['not by another value of the header', '/b', { location: 'cn-shenzhen2' }, 'b-base'],
    ['not where the header is repeated with another value', '/b', { location: ['cn-shenzhen', 'x'] }, 'b-base'],
    ['by path', '/b/beta', {}, 'b-gray'],
    ['by path, whatever the query', '/b/beta?x=1', {}, 'b-gray'],
    ['not by a longer path', '/b/beta/2', {}, 'b-base'],
    ['by query, percent-decoded', '/b?x=1&user=beta%20tester', {}, 'b-gray'],
    ['by query whose key is encoded', '/b?%75ser=%62eta%20tester', {}, 'b-gray'],
    ['by the first value of a query only', '/b?user=x&user=beta%20tester', {}, 'b-base'],
    ['by cookie', '/b', { cookie: 'a=1; lane=gray; b=2' }, 'b-gray'],
    ['not by a cookie whose name only ends so', '/b', { cookie: 'xlane=gray' }, 'b-base'],
    ['not where no rule matches', '/b', {}, 'b-base'],
  ])('%s', async (_, path, headers, member) => {
    expect(await world.viaGateway({ path, headers: headers as Record<string, string> })).toMatchObject({
      status: 200,
      body: member,
    });
  });

  test('with the label in header, baggage and a sampled traceparent of its own, beside foreign baggage', async () => {
    await world.viaGateway({ path: '/b', headers: { location: 'cn-shenzhen', baggage: 'a=1;p, b=2' } });
    const headers = world.seen.at(-1)?.headers;
    expect(headers?.['x-opensergo-traffic']).toBe('gray');
    expect(String(headers?.['baggage']).replaceAll(' ', '').split(',').sort()).toEqual([
      'OpenSergo-Label=gray',
      'a=1;p',
      'b=2',
    ]);
    expect(headers?.['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });

  test('by percentage: sticky, about ten of a hundred, and raising it to twenty keeps everybody in', async () => {
    const users = Array.from({ length: 400 }, (_, index) => `user-${index}`);
    const chosen = async () => {
      const inGray: string[] = [];
      for (const user of users) {
        const { body } = await world.viaGateway({ path: '/b', headers: { 'x-canary': 'yes', 'x-user': user } });
        if (body === 'b-gray') inGray.push(user);
      }
      return inGray;
    };
    const ten = await chosen();
    expect(await chosen()).toEqual(ten);
    expect(ten.length).toBeGreaterThan(20);
    expect(ten.length).toBeLessThan(60);
    writeFileSync(world.rulesFile, fixed + share(20));
    await vi.waitFor(async () => expect(await world.metric('gateway', 'lanekeeper_generation')).toBe(2));
    const twenty = await chosen();
    expect(twenty).toEqual(expect.arrayContaining(ten));
    expect(twenty.length).toBeGreaterThan(ten.length);
  });

  test('and never asks the processor where no rule could match', async () => {
    const before = await world.metric('gateway', 'lanekeeper_decisions_total');
    for (let i = 0; i < 20; i++)
      await world.viaGateway({ path: '/b?x=y', headers: { location: 'elsewhere', cookie: 'a=b' } });
    expect(await world.metric('gateway', 'lanekeeper_decisions_total')).toBe(before);
  });
});
