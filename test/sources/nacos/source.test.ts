import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { valueAt } from '../../../src/documents/value.ts';
import { findService, lanesOf } from '../../../src/mesh/mesh.ts';
import { formatProblem } from '../../../src/problem.ts';
import { openInForce } from '../../../src/sources/in-force.ts';
import { delayMs, type NacosOptions, nacosSource } from '../../../src/sources/nacos/nacos.ts';
import { toPayload } from '../../../src/sources/nacos/protocol.ts';
import type { Contribution, OpenSource } from '../../../src/sources/source.ts';
import { describeSource, type Held } from '../suite.ts';
import { type Fake, host, openFake } from './fake.ts';

const service = (addresses: readonly string[]) => addresses.map((address) => host(address));
const optionsFor = (fakes: readonly Fake[]): NacosOptions => ({
  servers: fakes.map(({ port }) => ({ host: '127.0.0.1', port })),
  namespaces: [{ id: 'public' }],
  groups: ['DEFAULT_GROUP'],
  rules: [],
  listEveryMs: 50,
});

describeSource('Nacos', async () => {
  const fake = await openFake();
  let held: Held = {};
  const hold = (services: Held): void => {
    for (const name of Object.keys(held)) if (!(name in services)) fake.remove(name);
    for (const [name, addresses] of Object.entries(services)) fake.put(name, service(addresses));
    held = services;
  };
  return {
    source: nacosSource(optionsFor([fake])),
    hold,
    async lose() {
      await fake.stop();
      fake.clear();
    },
    async restore(services) {
      hold(services);
      await fake.start();
    },
    close: () => fake.stop(),
  };
});

let fake: Fake;
let source: OpenSource | undefined;
let states: Contribution[];
beforeEach(async () => {
  fake = await openFake();
  states = [];
});
afterEach(async () => {
  await source?.close();
  source = undefined;
  await fake.stop();
});

async function open(options: Partial<NacosOptions> = {}): Promise<void> {
  source = await nacosSource({ ...optionsFor([fake]), ...options }).open((state) => states.push(state));
}

const last = (): Contribution => states.at(-1) ?? { documents: [], problems: [] };
const problems = (): string[] => last().problems.map(formatProblem);
const names = (): string[] => last().documents.map(({ name }) => name);
const refused = 'found that who has not logged in may not read this (403: no right); set a user and a password';
const within = { timeout: 12_000, interval: 5 };
const eventually = (promise: () => void): Promise<void> => vi.waitFor(promise, within);
function addresses(name = 'orders'): unknown[] {
  const document = last().documents.find((each) => each.name === name);
  const instances = valueAt(document?.value, ['spec', 'instances']);
  return Array.isArray(instances) ? instances.map((one) => valueAt(one, ['address'])) : [];
}

describe('services', () => {
  test('that change are pushed, not asked for', async () => {
    fake.put('orders', service(['10.0.0.1']));
    await open({ listEveryMs: 60_000 });
    const before = fake.said.length;
    fake.put('orders', service(['10.0.0.2']));
    await eventually(() => expect(addresses()).toEqual(['10.0.0.2']));
    await eventually(() => expect(fake.said.length).toBe(before + 1));
    expect(fake.said.at(-1)).toMatchObject({
      type: 'NotifySubscriberResponse',
      body: { requestId: '1', resultCode: 200 },
    });
  });

  test('that are new are found by the list, those that are gone are unsubscribed', async () => {
    await open();
    expect(states).toEqual([{ documents: [], problems: [] }]);
    fake.put('orders', service(['10.0.0.1']));
    await eventually(() => expect(names()).toEqual(['orders']));
    fake.remove('orders');
    await eventually(() => expect(names()).toEqual([]));
    await eventually(() =>
      expect(fake.said.filter(({ body }) => body['subscribe'] === false)).toMatchObject([
        { body: { serviceName: 'orders' } },
      ]),
    );
    fake.put('orders', service(['10.0.0.2']));
    await eventually(() => expect(addresses()).toEqual(['10.0.0.2']));
  });

  test('of more than one page are all found', async () => {
    for (let index = 0; index < 2_100; index++) fake.put(`s${index}`, service(['10.0.0.1']));
    await open();
    expect(names()).toHaveLength(2_100);
  });

  test('that are named are all that is asked for, also before they are there', async () => {
    fake.put('other', service(['10.0.0.1']));
    await open({ services: ['orders'] });
    expect([names(), fake.count('ServiceListRequest')]).toEqual([[], 0]);
    fake.put('orders', service(['10.0.0.1']));
    await eventually(() => expect(names()).toEqual(['orders']));
    expect(fake.count('ServiceListRequest')).toBe(0);
  });

  test('of several groups and namespaces are beside each other, each namespace on a connection of its own', async () => {
    fake.put('orders', service(['10.0.0.1']));
    fake.put('orders', service(['10.0.0.2']), 'SHOP');
    await open({ groups: ['DEFAULT_GROUP', 'SHOP'], namespaces: [{ id: 'public' }, { id: 'eu', as: 'europe' }] });
    expect(last().documents.map(({ namespace, name }) => `${namespace}/${name}`)).toEqual([
      'default/SHOP@@orders',
      'default/orders',
      'europe/SHOP@@orders',
      'europe/orders',
    ]);
    expect(new Set([...fake.streams].map((stream) => stream.getPeer())).size).toBe(2);
  });

  test('a burst of pushes is one change', async () => {
    for (const name of ['a', 'b', 'c']) fake.put(name, service(['10.0.0.1']));
    await open({ listEveryMs: 60_000 });
    for (const name of ['a', 'b', 'c']) fake.put(name, service(['10.0.0.2']));
    await eventually(() => expect(['a', 'b', 'c'].flatMap(addresses)).toEqual(['10.0.0.2', '10.0.0.2', '10.0.0.2']));
    expect(states.length).toBeLessThanOrEqual(3); // the first, and where the three came in two parts
  });

  test('what is pushed while the subscription is answered is not undone by the answer', async () => {
    fake.put('orders', service(['10.0.0.1']));
    fake.script = async ({ type }) => {
      if (type !== 'SubscribeServiceRequest') return undefined;
      fake.put('orders', service(['10.0.0.2']));
      await eventually(() => expect(fake.count('NotifySubscriberResponse')).toBeGreaterThan(0));
      return { serviceInfo: { name: 'orders', groupName: 'DEFAULT_GROUP', hosts: service(['10.0.0.1']) } };
    };
    await open();
    expect(addresses()).toEqual(['10.0.0.2']);
  });

  test('a push that cannot be read makes all be asked for again', async () => {
    fake.put('orders', service(['10.0.0.1']));
    await open();
    fake.script = ({ type }) =>
      type === 'SubscribeServiceRequest'
        ? { serviceInfo: { name: 'orders', hosts: service(['10.0.0.2']) } }
        : undefined;
    fake.raw('NotifySubscriberRequest', '{"serviceInfo": {"name"');
    await eventually(() => expect(addresses()).toEqual(['10.0.0.2']));
    expect(last().lost).toBeUndefined();
  });

  test.each([
    [
      'no JSON',
      () => ({ metadata: { type: 'SubscribeServiceResponse' }, body: { value: Buffer.from('{') } }),
      'an answer that is no JSON',
    ],
    ['no service', () => ({ serviceInfo: null }), 'an answer without the service'],
    ['a refusal', () => toPayload('ErrorResponse', { resultCode: 500, errorCode: 500, message: 'no' }), '500: no'],
  ])('whose answer is %s are a problem, and the others go on', async (_, answer, message) => {
    fake.put('bad', service(['10.0.0.1']));
    fake.put('orders', service(['10.0.0.1']));
    fake.script = ({ type, body }) =>
      type === 'SubscribeServiceRequest' && body['serviceName'] === 'bad' ? answer() : undefined;
    await open();
    expect([names(), problems()]).toEqual([['orders'], [`nacos public/DEFAULT_GROUP/bad: ${message}`]]);
    expect(last().lost).toBeUndefined();
    fake.script = () => undefined;
    await eventually(() => expect([names(), problems()]).toEqual([['bad', 'orders'], []]));
  });

  test('a list that is refused keeps the services of its group, and that is said', async () => {
    fake.put('orders', service(['10.0.0.1']));
    await open({ graceMs: 50 });
    fake.script = ({ type }) =>
      type === 'ServiceListRequest' ? { resultCode: 500, errorCode: 403, message: 'no right' } : undefined;
    await eventually(() => expect(last()).toMatchObject({ lost: refused }));
    expect(problems()).toEqual([`nacos public/DEFAULT_GROUP: ${refused}`]);
    const before = fake.count('ConnectionSetupRequest');
    for (const stream of fake.streams) stream.end();
    await eventually(() => expect(fake.count('ConnectionSetupRequest')).toBe(before + 1));
    await eventually(() => expect(last()).toMatchObject({ lost: refused }));
    await sleep(200);
    expect(names()).toEqual(['orders']);
    fake.script = () => undefined;
    await eventually(() => expect([names(), problems(), last().lost]).toEqual([['orders'], [], undefined]));
  });
});

describe('rules', () => {
  const rule = (name: string): string =>
    `apiVersion: traffic.opensergo.io/v1alpha1\nkind: TrafficLabelRule\nmetadata: { name: ${name} }\n`;

  test('are documents of a configuration; its changes are pushed, and without it there are none', async () => {
    fake.configure('gray.yaml', 'RULES', rule('one'));
    await open({ rules: [{ dataId: 'gray.yaml', group: 'RULES' }], listEveryMs: 60_000 });
    expect(last().documents).toMatchObject([{ name: 'one', file: 'nacos public/RULES/gray.yaml' }]);
    expect(last().documents[0]?.place(['metadata', 'name'])).toMatchObject({ line: 3 });
    const before = last().documents[0];
    fake.configure('gray.yaml', 'RULES', rule('one'));
    fake.configure('gray.yaml', 'RULES', `${rule('one')}---\n${rule('two')}`);
    await eventually(() => expect(names()).toEqual(['one', 'two']));
    fake.configure('gray.yaml', 'RULES', 'kind: [');
    await eventually(() => expect(problems()).toEqual([expect.stringMatching(/^nacos public\/RULES\/gray\.yaml:1:/)]));
    fake.configure('gray.yaml', 'RULES', undefined);
    await eventually(() => expect([names(), problems()]).toEqual([[], []]));
    expect(before).toBeDefined();
  });

  test('of a namespace of their own are read there, and no services', async () => {
    fake.configure('gray.yaml', 'RULES', rule('one'));
    fake.put('orders', service(['10.0.0.1']));
    await open({ rules: [{ dataId: 'gray.yaml', group: 'RULES', namespace: 'ops' }] });
    expect(last().documents.map(({ file }) => file)).toEqual([
      'nacos public/DEFAULT_GROUP/orders',
      'nacos ops/RULES/gray.yaml',
    ]);
    expect(last().lost).toBeUndefined();
    expect(fake.said.find(({ type }) => type === 'ConfigQueryRequest')?.body).toEqual({
      dataId: 'gray.yaml',
      group: 'RULES',
      tenant: 'ops',
    });
  });

  test('that come later are taken up', async () => {
    await open({ rules: [{ dataId: 'gray.yaml', group: 'RULES' }], listEveryMs: 60_000 });
    fake.configure('gray.yaml', 'RULES', rule('one'));
    await eventually(() => expect(names()).toEqual(['one']));
  });

  test('are of the last answer, in whatever order the answers come', async () => {
    fake.configure('gray.yaml', 'RULES', rule('one'));
    await open({ rules: [{ dataId: 'gray.yaml', group: 'RULES' }], listEveryMs: 60_000 });
    let asked = 0;
    const late = Promise.withResolvers<void>();
    fake.script = async ({ type }) => {
      if (type !== 'ConfigQueryRequest' || ++asked > 1) return undefined;
      await late.promise;
      return { content: rule('two') };
    };
    fake.configure('gray.yaml', 'RULES', rule('two'));
    await eventually(() => expect(asked).toBe(1));
    fake.configure('gray.yaml', 'RULES', rule('three'));
    await eventually(() => expect(names()).toEqual(['three']));
    late.resolve();
    await sleep(50);
    expect(names()).toEqual(['three']);
  });

  test('of a configuration that is refused stand, and it is asked for again', async () => {
    fake.configure('gray.yaml', 'RULES', rule('one'));
    await open({ rules: [{ dataId: 'gray.yaml', group: 'RULES' }] });
    fake.script = ({ type }) =>
      type === 'ConfigQueryRequest' ? { resultCode: 500, errorCode: 403, message: 'no right' } : undefined;
    fake.configure('gray.yaml', 'RULES', rule('two'));
    await eventually(() =>
      expect([names(), problems()]).toEqual([['one'], [`nacos public/RULES/gray.yaml: ${refused}`]]),
    );
    fake.script = () => undefined;
    await eventually(() => expect([names(), problems()]).toEqual([['two'], []]));
  });
});

describe('the connection', () => {
  test('answers what the server asks of it', async () => {
    await open();
    fake.push('ClientDetectionRequest', {});
    await eventually(() => expect(fake.count('ClientDetectionResponse')).toBe(1));
    expect(fake.said.find(({ type }) => type === 'ClientDetectionResponse')?.body).toMatchObject({ requestId: '1' });
  });

  test('is asked whether it lives, so that the server keeps it', async () => {
    await open({ listEveryMs: 60_000 });
    const before = fake.count('HealthCheckRequest');
    await eventually(() => expect(fake.count('HealthCheckRequest')).toBeGreaterThan(before));
  });

  test('goes elsewhere where the server asks for it, and nothing is lost', async () => {
    const other = await openFake();
    try {
      for (const each of [fake, other]) each.put('orders', service(['10.0.0.1']));
      await open({ servers: optionsFor([fake, other]).servers });
      const [here, there] = fake.streams.size > 0 ? [fake, other] : [other, fake];
      here.push('ConnectResetRequest', { serverIp: '10.0.0.9', serverPort: '9848' });
      await there.connected();
      expect(here.count('ConnectResetResponse')).toBe(1);
      there.put('orders', service(['10.0.0.2']));
      await eventually(() => expect(addresses()).toEqual(['10.0.0.2']));
      expect(states.map(({ lost }) => lost).filter((lost) => lost !== undefined)).toEqual([]);
    } finally {
      await other.stop();
    }
  });

  test('is to another server where one is dead: at the start, and later', async () => {
    const other = await openFake();
    try {
      for (const each of [fake, other]) each.put('orders', service(['10.0.0.1']));
      await fake.stop();
      await open({ servers: optionsFor([fake, other]).servers });
      expect([names(), last().lost]).toEqual([['orders'], undefined]);
      await fake.start();
      await other.stop();
      await fake.connected();
      await eventually(() => expect(last().lost).toBeUndefined());
      fake.put('orders', service(['10.0.0.3']));
      await eventually(() => expect(addresses()).toEqual(['10.0.0.3']));
    } finally {
      await other.stop();
    }
  });

  test('to a server that hangs is given up after five seconds', async () => {
    fake.put('orders', service(['10.0.0.1']));
    await open();
    let hangs = true;
    fake.script = ({ type }) => (hangs && type === 'ServiceListRequest' ? 'nothing' : undefined);
    await eventually(() => expect(fake.said.at(-1)?.type).toBe('ServiceListRequest'));
    hangs = false;
    await eventually(() => expect(last().lost).toBe(`127.0.0.1:${fake.port}: no answer in 5 s`));
    expect(names()).toEqual(['orders']);
    await eventually(() => expect(last().lost).toBeUndefined());
  });

  test('that the server has forgotten is made anew', async () => {
    await open();
    fake.script = ({ type }) =>
      type === 'ServiceListRequest'
        ? { resultCode: 500, errorCode: 301, message: 'Connection is unregistered.' }
        : undefined;
    await eventually(() => expect(last().lost).toContain('the server has forgotten this connection'));
    fake.script = () => undefined;
    await eventually(() => expect(last().lost).toBeUndefined());
  });

  test('a server that cannot be reached is said with what the system said, and nothing new with each attempt', async () => {
    await fake.stop();
    await open();
    expect(states).toEqual([
      {
        documents: [],
        problems: [],
        lost: `127.0.0.1:${fake.port}: connect ECONNREFUSED 127.0.0.1:${fake.port + 1_000}`,
      },
    ]);
    await sleep(1_000);
    expect(states).toHaveLength(1);
  });
});

describe('attempts', () => {
  test('come ever later, up to ten seconds, and never at one time', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 100].map((rounds) => delayMs(rounds, 1))).toEqual([
      200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000,
    ]);
    expect([0, 0.5].map((random) => delayMs(7, random))).toEqual([5_000, 7_500]);
  });

  test('that nobody answers do not keep it from being open: it is lost after three seconds', async () => {
    const silent = createServer().listen(fake.port + 1_002, '127.0.0.1');
    try {
      const started = performance.now();
      await open({ servers: [{ host: '127.0.0.1', port: fake.port + 2 }] });
      expect(performance.now() - started).toBeLessThan(4_000);
      expect(states).toEqual([{ documents: [], problems: [], lost: 'no server has answered yet' }]);
    } finally {
      silent.close();
    }
  });
});

test('it makes a mesh: services where a workload of their namespace finds them, with their lanes', async () => {
  fake.put('orders', [host('10.0.0.1'), host('10.0.0.2', 8081, { metadata: { 'OpenSergo-Label': 'gray' } })]);
  fake.put('providers:com.shop.Orders:1.0.0:', [host('10.0.0.3', 20880, { metadata: { protocol: 'tri' } })]);
  fake.put('pay', [host('10.0.0.4')], 'SHOP');
  const inForce = await openInForce({
    sources: [nacosSource({ ...optionsFor([fake]), groups: ['DEFAULT_GROUP', 'SHOP'] })],
    onGeneration: () => {},
  });
  const { mesh, problems } = inForce.generation;
  await inForce.close();
  expect(problems).toEqual([]);
  const [orders, provider, pay] = ['orders', 'providers:com.shop.Orders:1.0.0:', 'SHOP@@pay'].map((name) =>
    findService(mesh, name, 'default'),
  );
  expect(orders && lanesOf(orders, 8080)).toEqual(['gray']);
  expect(orders?.instances.map(({ address, port, lanes }) => [address, port, lanes])).toEqual([
    ['10.0.0.1', 8080, []],
    ['10.0.0.2', 8081, ['gray']],
  ]);
  expect(provider?.ports).toMatchObject([{ port: 20880, protocol: 'grpc' }]);
  expect(pay?.ports).toMatchObject([{ port: 8080 }]);
});

test('after it is closed a process has nothing left that keeps it, and ends', async () => {
  fake.put('orders', service(['10.0.0.1']));
  const module = fileURLToPath(new URL('../../../src/sources/nacos/nacos.ts', import.meta.url));
  const script = `
    const { nacosSource } = await import(${JSON.stringify(module)});
    const options = ${JSON.stringify(optionsFor([fake]))};
    const source = await nacosSource(options).open(({ documents }) => console.log(documents.length));
    await source.close();
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 10_000,
  });
  expect(stdout).toBe('1\n');
});

describe('a server that comes back with less than it knew', () => {
  test('is given a grace: what it is told again meanwhile was never gone', async () => {
    const rules = [{ dataId: 'gray.yaml', group: 'RULES' }];
    fake.configure('gray.yaml', 'RULES', 'apiVersion: a/b\nkind: C\nmetadata: { name: rule }\n');
    fake.put('orders', service(['10.0.0.1', '10.0.0.2', '10.0.0.3']));
    fake.put('gone', service(['10.0.0.1']));
    await open({ rules, graceMs: 1_500 });
    const before = last().documents;
    await fake.stop();
    fake.clear();
    await fake.start();
    await eventually(() => expect(last().lost).toBe(undefined));
    expect(last().documents).toEqual(before);
    fake.put('orders', service(['10.0.0.1']));
    fake.put('new', service(['10.0.0.1']));
    await eventually(() => expect(names()).toEqual(['rule', 'gone', 'new', 'orders']));
    expect(addresses()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    // What was seen again and leaves is gone at once.
    fake.put('orders', service(['10.0.0.2']));
    await eventually(() => expect(addresses()).toEqual(['10.0.0.2', '10.0.0.3']));
    await eventually(() => expect(names()).toEqual(['new', 'orders']));
    expect(addresses()).toEqual(['10.0.0.2']);
  });
});

test('what changed while the server was away is one change, when all is known', async () => {
  for (const name of ['a', 'b']) fake.put(name, service(['10.0.0.1']));
  await open();
  await fake.stop();
  await eventually(() => expect(last().lost).toBeDefined());
  for (const name of ['a', 'b']) fake.put(name, service(['10.0.0.1', '10.0.0.2']));
  fake.script = async ({ body }) => void (body['serviceName'] === 'b' && (await sleep(100)));
  await fake.start();
  await eventually(() => expect(last().lost).toBeUndefined());
  const seen = states.map(({ documents }) =>
    documents.map(({ value }) => valueAt(value, ['spec', 'instances', 1]) !== undefined),
  );
  expect(seen.filter(([a, b]) => a !== b)).toEqual([]);
  expect(seen.at(-1)).toEqual([true, true]);
});

describe('a user', () => {
  const user = { user: 'nacos', password: () => 'secret' };
  const guarded = (token: () => string | undefined) => (said: { type: string; token?: string }) =>
    /List|Subscribe|Config/.test(said.type) && said.token !== token()
      ? { resultCode: 500, errorCode: 403, message: 'token expired!' }
      : undefined;

  test('logs in, and every request has the token', async () => {
    fake.login = (form) => [200, { accessToken: `${form.get('username')}:${form.get('password')}`, tokenTtl: 18_000 }];
    fake.script = guarded(() => 'nacos:secret');
    fake.put('orders', service(['10.0.0.1']));
    await open(user);
    expect([names(), problems()]).toEqual([['orders'], []]);
  });

  test('logs in as older servers want it', async () => {
    const paths: string[] = [];
    fake.login = (_, path) => {
      paths.push(path);
      return path === '/nacos/v1/auth/login' ? [200, { accessToken: 'old', tokenTtl: 18_000 }] : [404, {}];
    };
    fake.script = guarded(() => 'old');
    fake.put('orders', service(['10.0.0.1']));
    await open(user);
    expect([names(), paths]).toEqual([['orders'], ['/nacos/v3/auth/user/login', '/nacos/v1/auth/login']]);
  });

  test('logs in again before the token ends', async () => {
    const given: number[] = [];
    fake.login = () => [200, { accessToken: `t${given.push(performance.now())}`, tokenTtl: 1 }];
    fake.script = guarded(() => `t${given.length}`);
    fake.put('orders', service(['10.0.0.1']));
    await open(user);
    await eventually(() => expect(given.length).toBeGreaterThan(2));
    expect((given[1] ?? 0) - (given[0] ?? 0)).toBeLessThan(1_000);
    expect(states.flatMap((state) => [...state.problems, state.lost ?? []].flat())).toEqual([]);
  });

  test('whose password is wrong is one clear problem, tried again from time to time, and mended without a restart', async () => {
    let attempts = 0;
    let password = 'wrong';
    fake.login = (form) => {
      attempts++;
      return form.get('password') === 'secret' ? [200, { accessToken: 't', tokenTtl: 18_000 }] : [403, {}];
    };
    fake.script = guarded(() => 't');
    fake.put('orders', service(['10.0.0.1']));
    await open({
      user: 'nacos',
      password: () => password,
      groups: ['DEFAULT_GROUP', 'SHOP'],
      rules: [{ dataId: 'a', group: 'b' }],
    });
    const message = `login at 127.0.0.1:${fake.port}: found that user "nacos" may not log in (HTTP 403), expected a user and a password that Nacos knows; mend the one that is set here, or the one in Nacos`;
    expect(problems()).toEqual([`nacos public: ${message}`]);
    expect(last().lost).toBe(message);
    await sleep(500);
    expect(attempts).toBe(1);
    password = 'secret';
    await eventually(() => expect([names(), problems(), last().lost]).toEqual([['orders'], [], undefined]));
  });

  test.each([
    [
      'no password can be read',
      () => {
        throw new Error('ENOENT: /run/secret');
      },
      200,
      'found no password: ENOENT: /run/secret; expected one that can be read',
    ],
    ['the server fails', () => 'secret', 500, 'found that user "nacos" may not log in (HTTP 500)'],
  ])('where %s is a problem as well', async (_, password, status, message) => {
    fake.login = () => [status, {}];
    await open({ user: 'nacos', password });
    expect(problems()).toEqual([expect.stringContaining(message)]);
  });

  test('whose token the server no longer takes, long before its end, logs in again; one without the right does not', async () => {
    let valid = 't1';
    let given = 0;
    fake.login = () => [200, { accessToken: `t${++given}`, tokenTtl: 18_000 }];
    fake.script = guarded(() => valid);
    fake.put('orders', service(['10.0.0.1']));
    await open(user);
    valid = 't2';
    await eventually(() =>
      expect(last().lost).toContain(
        'found that user "nacos" may not read this (403: token expired!); give it the right in Nacos',
      ),
    );
    expect(given).toBe(1);
    await eventually(() => expect([given, last().lost]).toEqual([2, undefined]));
  });

  test('that is missing where the server wants one is a problem', async () => {
    fake.script = guarded(() => 't');
    await open();
    expect(problems()).toEqual([
      'nacos public/DEFAULT_GROUP: found that who has not logged in may not read this (403: token expired!); set a user and a password',
    ]);
  });
});
