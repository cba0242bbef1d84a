import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { valueAt } from '../../../src/documents/value.ts';
import { readingOf } from '../../../src/mesh/assembly/reading.ts';
import { formatProblem } from '../../../src/problem.ts';
import { type Entry, isCallable, readService, type ServiceKey } from '../../../src/sources/nacos/service.ts';
import { host } from './fake.ts';

const key = (name = 'orders', group = 'DEFAULT_GROUP', id = 'public'): ServiceKey => ({
  namespace: { id },
  group,
  name,
});
const read = (hosts: unknown, name?: string, before?: Entry): Entry => readService(key(name), hosts, before);
const spec = (entry: Entry): unknown => valueAt(entry.document?.value, ['spec']);
const instancesOf = (entry: Entry): unknown[] => (valueAt(spec(entry), ['instances']) ?? []) as unknown[];
const problems = (entry: Entry): string[] => entry.problems.map(formatProblem);
const gray = 'traffic.opensergo.io/label';

describe('a service of Nacos is a document', () => {
  test('with all that the mesh knows of an instance', () => {
    const entry = read([
      host('10.0.0.2', 8080, {
        metadata: { [gray]: 'gray', zone: 'z1', version: '2', 'preserved.heart.beat.interval': 5 },
      }),
      host('10.0.0.1', 8080, { weight: 0.5, healthy: false }),
      host('fd00::1', 8081, { enabled: false }),
    ]);
    expect(entry.document).toMatchObject({
      kind: 'Service',
      name: 'orders',
      namespace: 'default',
      file: 'nacos public/DEFAULT_GROUP/orders',
    });
    expect(spec(entry)).toEqual({
      ports: [{ port: 8080, protocol: 'http' }],
      instances: [
        { address: '10.0.0.1', port: 8080, labels: {}, healthy: false, weight: 50 },
        {
          address: '10.0.0.2',
          port: 8080,
          labels: { [gray]: 'gray', zone: 'z1', version: '2', 'preserved.heart.beat.interval': '5' },
          healthy: true,
          weight: 100,
          zone: 'z1',
        },
        { address: 'fd00::1', port: 8081, labels: {}, healthy: true, weight: 0 },
      ],
    });
    expect(problems(entry)).toEqual([]);
  });

  test('with what its instances say of the whole service', () => {
    const said = (metadata: object) => host('10.0.0.1', 8080, { metadata });
    expect(spec(read([said({ 'lanekeeper.io/paths': '/b, /a' }), host('10.0.0.2')]))).toMatchObject({
      paths: ['/a', '/b'],
    });
    const all = { strict: 'true', 'hierarchical-labels': 'true', 'keep-picks': 'false' };
    const metadata = Object.fromEntries(Object.entries(all).map(([name, text]) => [`lanekeeper.io/${name}`, text]));
    expect(spec(read([said(metadata)]))).toMatchObject({ strict: true, hierarchicalLabels: true });
    expect(spec(read([said(metadata)]))).not.toHaveProperty('keepPicks');
  });

  test.each([
    ['public', 'default'],
    ['', 'default'],
    ['shop', 'shop'],
    ['Shop_EU', 'shop-eu'],
    ['4f7c1c9e-0d5e-4a3c-9d0b-6d1c8a3c2f11', '4f7c1c9e-0d5e-4a3c-9d0b-6d1c8a3c2f11'],
  ])('of the namespace %j in the mesh namespace %j', (id, namespace) => {
    expect(readService(key('orders', 'DEFAULT_GROUP', id), [host('10.0.0.1')], undefined).document?.namespace).toBe(
      namespace,
    );
  });

  test('of a namespace that is mapped, in the one it is mapped to', () => {
    const mapped = { ...key(), namespace: { id: 'a-b', as: 'shop' } };
    expect(readService(mapped, [host('10.0.0.1')], undefined).document).toMatchObject({
      namespace: 'shop',
      file: 'nacos a-b/DEFAULT_GROUP/orders',
    });
  });

  test('of a group under the name that Nacos itself gives it', () => {
    expect(readService(key('orders', 'SHOP'), [host('10.0.0.1')], undefined).document?.name).toBe('SHOP@@orders');
  });

  test.each([
    ['as it is written', { [gray]: 'gray' }],
    ['as Spring writes it without brackets', { 'traffic.opensergo.iolabel': 'gray' }],
    ['as baggage names it', { 'OpenSergo-Label': 'gray' }],
    ['twice: the first counts', { 'OpenSergo-Label': 'blue', [gray]: 'gray' }],
  ])('with the label %s', (_, metadata) => {
    expect(instancesOf(read([host('10.0.0.1', 80, { metadata })]))).toMatchObject([{ labels: { [gray]: 'gray' } }]);
  });

  test('without metadata that is too long for a label', () => {
    const metadata = {
      short: 'x',
      long: 'x'.repeat(300),
      ['k'.repeat(200)]: 'x',
      nested: { a: 1 },
      ['__proto__']: 'x',
    };
    const [instance] = instancesOf(read([host('10.0.0.1', 80, { metadata })]));
    expect(Object.keys(valueAt(instance, ['labels']) ?? {})).toEqual(['short']);
  });

  test.each([
    ['Spring', {}, 'orders', 'http'],
    ['Spring with HTTPS', { secure: 'true' }, 'orders', 'tcp'],
    ['Dubbo Triple, an interface', { protocol: 'tri' }, 'providers:com.shop.Orders:1.0.0:', 'grpc'],
    ['Dubbo, an interface', { protocol: 'dubbo' }, 'providers:com.shop.Orders::', 'tcp'],
    ['Dubbo, of another protocol', { protocol: 'hessian' }, 'providers:com.shop.Orders::', 'tcp'],
    ['Dubbo Triple, an application', { 'dubbo.endpoints': '[{"port":8080,"protocol":"tri"}]' }, 'shop', 'grpc'],
    ['Dubbo, an application', { 'dubbo.endpoints': '[{"port":8080,"protocol":"dubbo"}]' }, 'shop', 'tcp'],
    ['Dubbo, endpoints that are none', { 'dubbo.endpoints': '{' }, 'shop', 'tcp'],
    ['gRPC', { protocol: 'grpc' }, 'shop', 'grpc'],
    ['HTTP/2', { protocol: 'h2c' }, 'shop', 'http2'],
    ['what nobody knows', { protocol: 'constructor' }, 'shop', 'http'],
  ])('with the protocol of %s', (_, metadata, name, protocol) => {
    expect(spec(read([host('10.0.0.1', 8080, { metadata })], name))).toMatchObject({ ports: [{ protocol }] });
  });

  test('of several protocols as bytes, with a warning', () => {
    const entry = read([host('10.0.0.1', 80, { metadata: { protocol: 'grpc' } }), host('10.0.0.2', 80)]);
    expect(spec(entry)).toMatchObject({ ports: [{ protocol: 'tcp' }] });
    expect(problems(entry)).toEqual([
      'nacos public/DEFAULT_GROUP/orders: warning: found instances of different protocols; they pass through as bytes, so that no rule meets them',
    ]);
  });

  test('with the port that most instances have, of several the lowest; and keeps it while one has it', () => {
    const port = (entry: Entry): unknown => valueAt(spec(entry), ['ports', 0, 'port']);
    expect(port(read([host('10.0.0.1', 9), host('10.0.0.2', 9), host('10.0.0.3', 8)]))).toBe(9);
    const first = read([host('10.0.0.1', 9), host('10.0.0.2', 8)]);
    expect(port(first)).toBe(8);
    const second = read([host('10.0.0.1', 9), host('10.0.0.4', 9), host('10.0.0.2', 8)], 'orders', first);
    expect(port(second)).toBe(8);
    expect(port(read([host('10.0.0.1', 9)], 'orders', second))).toBe(9);
  });

  test.each([
    [
      [1, 1],
      [100, 100],
    ],
    [
      [0.01, 3],
      [1, 300],
    ],
    [
      [0.0001, 0],
      [1, 0],
    ],
    [
      [10_000, 1],
      [10_000, 1],
    ],
    [
      [500, 250],
      [10_000, 5_000],
    ],
  ])('with weights %j as %j', (weights, expected) => {
    const entry = read(weights.map((weight, index) => host(`10.0.0.${index}`, 80, { weight })));
    expect(instancesOf(entry).map((instance) => valueAt(instance, ['weight']))).toEqual(expected);
  });

  test('that is the same object while it says the same, in whatever order', () => {
    const first = read([host('10.0.0.1'), host('10.0.0.2')]);
    const second = read([host('10.0.0.2'), host('10.0.0.1', 8080, { lastBeat: 1 })], 'orders', first);
    expect(second.document).toBe(first.document);
    expect(read([host('10.0.0.2')], 'orders', first).document).not.toBe(first.document);
  });

  test('of which the last instance went stays, with its port and protocol; of one that never had any there is none', () => {
    const first = read([host('10.0.0.1', 9, { metadata: { protocol: 'grpc' } })]);
    expect(spec(read([], 'orders', first))).toEqual({ ports: [{ port: 9, protocol: 'grpc' }], instances: [] });
    expect(read([]).document).toBeUndefined();
  });
});

describe('nonsense is a problem, and the others go on', () => {
  const place = 'nacos public/DEFAULT_GROUP/orders';
  test.each([
    [
      'a host name',
      host('orders.local'),
      'instance orders.local:8080: found the address "orders.local", expected an IP address: names of hosts are not looked up; let it register its address',
    ],
    [
      'no address',
      host(undefined),
      'instance undefined:8080: found the address nothing, expected an IP address: names of hosts are not looked up; let it register its address',
    ],
    [
      'any address',
      host('0.0.0.0'),
      'instance 0.0.0.0:8080: found the address "0.0.0.0", which nobody else can reach; let it register the address of its pod',
    ],
    ['port 0', host('10.0.0.2', 0), 'instance 10.0.0.2:0: found port 0, expected 1 to 65535'],
    ['port 70000', host('10.0.0.2', 70_000), 'instance 10.0.0.2:70000: found port 70000, expected 1 to 65535'],
    ['a port in words', host('10.0.0.2', '8080'), 'instance 10.0.0.2:8080: found port "8080", expected 1 to 65535'],
    [
      'a label that is none',
      host('10.0.0.2', 80, { metadata: { [gray]: 'g r' } }),
      `instance 10.0.0.2:80: found "g r", expected a label: 1 to 63 letters, digits, "-", "_" or ".", beginning and ending with a letter or digit, and not "base" (that is no label)`,
    ],
    [
      'a negative weight',
      host('10.0.0.2', 80, { weight: -1 }),
      'instance 10.0.0.2:80: found weight -1, expected a number, 0 or more',
    ],
    ['no mapping', 'x', 'found "x", expected an instance'],
  ])('an instance with %s', (_, wrong, message) => {
    const entry = read([wrong, host('10.0.0.1')]);
    expect(instancesOf(entry)).toMatchObject([{ address: '10.0.0.1' }]);
    expect(problems(entry)).toEqual([`${place}: ${message}; it is left out`]);
  });

  test('an instance in two clusters that differ', () => {
    const entry = read([host('10.0.0.1', 80, { metadata: { [gray]: 'gray' } }), host('10.0.0.1', 80)]);
    expect(instancesOf(entry)).toHaveLength(1);
    expect(problems(entry)).toEqual([
      `${place}: warning: found 10.0.0.1:80 twice, in two clusters and not the same; the first counts`,
    ]);
  });

  test('many instances, of which ten are told', () => {
    const entry = read(Array.from({ length: 30 }, () => host('x')));
    expect(problems(entry)).toHaveLength(11);
    expect(problems(entry).at(-1)).toBe(`${place}: found 20 more instances with mistakes`);
  });

  test('a list that is none: the last good form stands', () => {
    const first = read([host('10.0.0.1')]);
    const second = read(undefined, 'orders', first);
    expect(second.document).toBe(first.document);
    expect(problems(second)).toEqual([`${place}: found nothing, expected the list of its instances`]);
    const third = read([host('10.0.0.1')], 'orders', second);
    expect(third.document).toBe(first.document);
    expect(problems(third)).toEqual([]);
  });

  test('a name that no service may have', () => {
    const entry = read([host('10.0.0.1')], 'my orders');
    expect(entry.document).toBeUndefined();
    expect(problems(entry)).toEqual([
      'nacos public/DEFAULT_GROUP/my orders: found the service "my orders", expected a name of letters, digits and . _ : $ @ -',
    ]);
  });

  test('a namespace that no mesh may have', () => {
    const entry = readService(key('orders', 'DEFAULT_GROUP', '-x'), [host('10.0.0.1')], undefined);
    expect(problems(entry)).toEqual([
      'nacos -x/DEFAULT_GROUP/orders: found the namespace "-x", expected small letters, digits and -; map it to another',
    ]);
  });

  test('what Dubbo writes about its consumers is no service', () => {
    expect(
      [
        'consumers:com.shop.Orders::',
        'routers:a',
        'configurators:a',
        'providers:com.shop.Orders::',
        'consumers',
      ].filter(isCallable),
    ).toEqual(['providers:com.shop.Orders::', 'consumers']);
  });

  test('whatever is registered, a document that comes of it is right', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom('gray', 'a,b', 'base', '10.0.0.1', '::1', '::ffff:1.2.3.4', 'fe80::1%e', '__proto__'),
      fc.integer(),
      fc.double(),
      fc.constant(null),
      fc.boolean(),
    );
    const metadata = fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom(gray, 'zone', 'protocol', 'dubbo.endpoints', 'secure', '__proto__')),
      word,
    );
    const ip = fc.oneof(fc.ipV4(), fc.ipV6(), word);
    const one = fc.record(
      {
        ip,
        port: fc.oneof(fc.integer({ min: 0, max: 70_000 }), word),
        weight: fc.oneof(fc.double({ min: 0, max: 1e12 }), word),
        healthy: word,
        enabled: word,
        metadata: fc.oneof(metadata, word),
      },
      { requiredKeys: [] },
    );
    const hosts = fc.oneof(fc.array(fc.oneof({ weight: 9, arbitrary: one }, word)), word);
    let documents = 0;
    fc.assert(
      fc.property(hosts, fc.oneof(fc.string(), fc.constantFrom('orders', 'providers:a.B::')), (all, name) => {
        const { document } = read(JSON.parse(JSON.stringify(all)), name);
        if (document === undefined) return;
        documents++;
        expect(readingOf(document)).toMatchObject({ isRight: true, problems: [] });
      }),
      { numRuns: 2_000 },
    );
    expect(documents).toBeGreaterThan(100);
  });
});
