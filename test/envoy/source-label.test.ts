// Rules by the labels of the calling workload: who calls is what its Envoy says, never what an application or a stranger says.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Resource } from '../../src/envoy/resource.ts';
import { renderRoutes } from '../../src/envoy/routes/tables.ts';
import { createAssembler } from '../../src/mesh/assemble.ts';
import { trafficRule } from '../rules/fixture.ts';
import { startWorld, type World } from './world.ts';

const ofApp = { condition: '==', type: 'sourceLabel', key: 'app' };
const inCase = (value: string) => ({ condition: '==', type: 'header', key: 'x-case', value });
const role = 'größe 100%';
const rules = [
  trafficRule('by-caller', { selector: { app: 'c' }, match: [{ ...ofApp, value: 'b' }] }),
  trafficRule('by-gateway', { selector: { app: 'c' }, match: [inCase('gateway'), { ...ofApp, value: 'gateway' }] }),
  trafficRule('by-role', { selector: { app: 'c' }, match: [inCase('role'), { ...ofApp, key: 'role', value: role }] }),
  trafficRule('not-a', {
    selector: { app: 'c' },
    match: [inCase('not a'), { ...ofApp, condition: 'notIn', value: ['a', 'x'] }],
  }),
  trafficRule('at-an-edge', { selector: { app: 'e' }, match: [{ ...ofApp, value: 'b' }] }),
].join('');

const members = [
  { service: 'a', sidecar: true, calls: 'c' },
  { service: 'b', sidecar: true, calls: 'c' },
  { service: 'c', sidecar: true, calls: 'd' },
  { service: 'd', sidecar: true },
  { service: 'd', sidecar: true, label: 'gray' },
  { service: 'e', sidecar: true, calls: 'd' },
];
const spoofed = { 'x-lane-source': 'app=b' };

describe('a rule by the label of the calling workload', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members,
      rules,
      edges: ['e'],
      gateway: { app: 'gateway' },
      client: { role },
      processes: ['c-base'],
    });
    world.state.forward = ['x-case', 'x-lane-source', 'x-opensergo-traffic'];
  });
  afterAll(() => world?.close());

  /** What an application behind a sidecar was told of who calls. */
  const told = () => world.seen.flatMap(({ headers }) => headers['x-lane-source'] ?? []);
  const inCaseOf = (value: string) => ({ headers: { 'x-case': value, ...spoofed } });

  test('labels what that workload sends, and nothing that another one sends', async () => {
    expect(await world.viaPort('b-base')).toMatchObject({ status: 200, body: 'b-base c-base d-gray' });
    expect(await world.viaPort('a-base')).toMatchObject({ status: 200, body: 'a-base c-base d-base' });
    expect(told()).toEqual([]);
  });

  test('asks for nothing that another one sends', async () => {
    const before = await world.metric('c-base', 'lanekeeper_decisions_total', 'inbound');
    expect(await world.viaPort('a-base')).toMatchObject({ body: 'a-base c-base d-base' });
    expect(await world.metric('c-base', 'lanekeeper_decisions_total', 'inbound')).toBe(before);
  });

  test('leaves a request as it is that has a label', async () => {
    const headers = { 'x-opensergo-traffic': 'blue' };
    expect(await world.viaPort('b-base', { headers })).toMatchObject({ body: 'b-base c-base d-base' });
    expect(world.seen.slice(-3).map(({ label }) => label)).toEqual(['blue', 'blue', 'blue']);
  });

  test('knows a label of any text', async () => {
    expect(await world.viaClient('c', inCaseOf('role'))).toMatchObject({ body: 'c-base d-gray' });
    expect(await world.viaPort('a-base', inCaseOf('role'))).toMatchObject({ body: 'a-base c-base d-base' });
  });

  test('that denies one labels what the others send, also where they have no such label', async () => {
    expect(await world.viaClient('c', inCaseOf('not a'))).toMatchObject({ body: 'c-base d-gray' });
    expect(await world.viaPort('a-base', inCaseOf('not a'))).toMatchObject({ body: 'a-base c-base d-base' });
  });

  test('knows a gateway by its own labels', async () => {
    expect(await world.viaGateway({ path: '/c', ...inCaseOf('gateway') })).toMatchObject({ body: 'c-base d-gray' });
    expect(await world.viaClient('c', inCaseOf('gateway'))).toMatchObject({ body: 'c-base d-base' });
  });

  test('does not believe an application, a stranger at a gateway, or one at an edge port', async () => {
    expect(await world.viaClient('c', { headers: spoofed })).toMatchObject({ body: 'c-base d-base' });
    expect(await world.viaGateway({ path: '/c', headers: spoofed })).toMatchObject({ body: 'c-base d-base' });
    expect(await world.viaPort('e-base', { headers: spoofed })).toMatchObject({ body: 'e-base d-base' });
    expect(await world.metric('e-base', 'lanekeeper_decisions_total'), 'nor asks').toBe(0);
    expect(told()).toEqual([]);
  });

  test('is base while the processor is away, and the application is told nothing then either', async () => {
    process.kill(world.find('c-base').pid, 'SIGKILL');
    expect(await world.viaPort('b-base')).toMatchObject({ status: 200, body: 'b-base c-base d-base' });
    expect(told()).toEqual([]);
    await world.find('c-base').restart();
    await expect
      .poll(() => world.viaPort('b-base'), { timeout: 5_000 })
      .toMatchObject({ body: 'b-base c-base d-gray' });
  });
});

test('an application is not believed either where its workload has no label that a rule asks for', async () => {
  const world = await startWorld({ members: members.slice(2, 5), rules, client: {} });
  try {
    world.state.forward = ['x-opensergo-traffic'];
    expect(await world.viaClient('c', { headers: spoofed })).toMatchObject({ body: 'c-base d-base' });
  } finally {
    await world.close();
  }
});

describe('on a port with trusted peers', () => {
  test.each([
    ['a peer inside the ranges may say who calls', '127.0.0.0/8', 'c-base d-gray'],
    ['a peer outside of them may not', '10.0.0.0/8,fd00::/8', 'c-base d-base'],
  ])('%s', async (_, ranges, body) => {
    const world = await startWorld({ members: members.slice(2, 5), rules, args: ['--trusted-peers', ranges] });
    try {
      world.state.forward = ['x-opensergo-traffic'];
      expect(await world.viaPort('c-base', { headers: spoofed })).toMatchObject({ body });
    } finally {
      await world.close();
    }
  });
});

describe('who calls is said', () => {
  const workload = {
    name: 'w',
    namespace: 'default',
    labels: { app: 'b', role, version: 'v2' },
    propagation: 'trace',
    edgeTrace: 'strip',
    gateway: { address: '127.0.0.1', port: 1 },
    inbound: [
      { listen: { address: '127.0.0.1', port: 2 }, application: { address: '127.0.0.1', port: 3 }, edge: false },
    ],
    outbound: ['c', 'nobody'].map((service, index) => ({ listen: { address: '127.0.0.1', port: 4 + index }, service })),
  } as const;
  const service = `---
apiVersion: lanekeeper.io/v1alpha1
kind: Service
metadata: { name: c }
spec: { ports: [{ port: 80 }], paths: [/c], instances: [{ address: 10.0.0.1, port: 80 }] }
`;
  /** By the name of the virtual host. */
  const saidWith = (text: string) => {
    const { mesh } = createAssembler()([{ file: 'rules.yaml', text: text + service }]);
    const tables = [...renderRoutes(workload, mesh).values()];
    const hosts = tables.flatMap((table) => table['virtual_hosts'] as Resource[]);
    return Object.fromEntries(hosts.map(({ name, request_headers_to_add }) => [name, request_headers_to_add]));
  };
  const said = (value: string) => [
    { header: { key: 'x-lane-source', value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
  ];
  const nothing = { gateway: undefined, application: undefined, '127.0.0.1:4': undefined, '127.0.0.1:5': undefined };

  test('to known services, by the labels that a rule asks for and no others', () => {
    const value = 'app=b&role=gr%%C3%%B6%%C3%%9Fe%%20100%%25';
    expect(saidWith(rules)).toEqual({ ...nothing, gateway: said(value), '127.0.0.1:4': said(value) });
    const share = { percentage: 5, stickyBy: { type: 'sourceLabel', key: 'version' }, match: [inCase('share')] };
    expect(saidWith(trafficRule('share', share))).toMatchObject({ gateway: said('version=v2') });
  });

  test('to nobody where no rule asks', () => {
    expect(saidWith(trafficRule('other', { match: [inCase('other')] }))).toEqual(nothing);
  });
});
