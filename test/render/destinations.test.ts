// Which virtual host an address has, and what its routes do with a pick.
import { describe, expect, test } from 'vitest';
import { capturedServices, destinationsOf, portsOf } from '../../src/envoy/destinations/destinations.ts';
import { destinationHost, passthroughHost } from '../../src/envoy/destinations/hosts.ts';
import { evaluate } from '../../src/envoy/routes/evaluate.ts';
import { createAssembler } from '../../src/mesh/assemble.ts';
import type { Workload } from '../../src/mesh/workload.ts';
import type { Label } from '../../src/traffic/label.ts';
import { meshOf, serviceText } from '../mesh/fixture.ts';
import { requestOf } from '../rules/fixture.ts';

const key = 'traffic.opensergo.io/label';
const gray = { [key]: 'gray' };
const workload: Workload = {
  name: 'a-1',
  namespace: 'default',
  labels: {},
  propagation: 'header',
  edgeTrace: 'strip',
  inbound: [],
  outbound: [],
  interception: { outboundPort: 15001, inboundPort: 15006 },
};
const pod = { namespace: 'default', gates: [], own: undefined, refusing: new Set<Label>(), introducing: {} };

const b = serviceText('b', {
  addresses: ['10.96.0.1', 'fd00::96'],
  instances: [
    { address: '10.0.0.1', port: 8080 },
    { address: '10.0.0.2', port: 8080, labels: gray },
    { address: 'fd00::2', port: 8080, labels: gray },
  ],
});

function destinations(text: string, more: Partial<Workload> = {}) {
  const { mesh } = createAssembler()([{ file: 'services.yaml', text }]); // claims of one address are a warning
  return destinationsOf(capturedServices({ ...workload, ...more }, mesh));
}

/** Which cluster a request takes that goes to this address. */
function cluster(text: string, domain: string, headers: Record<string, string> = {}, path = '/'): string | undefined {
  const found = destinations(text).find(({ domains }) => domains.includes(domain));
  const host = found ? destinationHost(found, pod) : passthroughHost;
  return evaluate(host, requestOf(path, headers))?.cluster;
}

const wants = (label: string) => ({ 'x-opensergo-traffic': label });

test('an address that stands for all instances has one virtual host, and those of a lane share another', () => {
  expect(destinations(b).map(({ domains, picked }) => ({ domains, picked }))).toEqual([
    { domains: ['10.96.0.1:80', '[fd00::96]:80'], picked: undefined },
    { domains: ['10.0.0.1:8080'], picked: [] },
    { domains: ['10.0.0.2:8080', '[fd00::2]:8080'], picked: ['gray'] },
  ]);
});

describe('what the client picked', () => {
  test.each([
    ['its cluster IP, without a label', '10.96.0.1:80', {}, 'b|base'],
    ['its cluster IP, gray', '10.96.0.1:80', wants('gray'), 'b|gray+'],
    ['a base instance, without a label: kept', '10.0.0.1:8080', {}, 'b|base^'],
    ['a base instance, gray: replaced', '10.0.0.1:8080', wants('gray'), 'b|gray+'],
    ['a base instance, of an unknown label: kept', '10.0.0.1:8080', wants('blue'), 'b|base^'],
    ['a gray instance, gray: kept', '10.0.0.2:8080', wants('gray'), 'b|gray^+'],
    ['a gray instance, without a label: replaced', '10.0.0.2:8080', {}, 'b|base'],
    ['a gray instance, of an unknown label: replaced', '[fd00::2]:8080', wants('blue'), 'b|base'],
    ['an address that nobody knows', '10.9.9.9:1', wants('gray'), 'passthrough'],
  ])('%s', (_, domain, headers, expected) => {
    expect(cluster(b, domain, headers)).toBe(expected);
  });

  test.each([
    '/actuator',
    '/actuator/health',
    '/health',
    '/healthz',
    '/grpc.health.v1.Health/Check',
    '/org.apache.dubbo.metadata.MetadataServiceV2/GetMetadataInfo',
  ])('is what is called at %s, which is about that instance', (path) => {
    expect(cluster(b, '10.0.0.2:8080', {}, path)).toBe('passthrough');
    expect(cluster(b, '10.96.0.1:80', {}, path)).toBe('b|base');
  });

  test.each(['/healthy', '/actuators', '/orders'])('is not what is called at %s', (path) => {
    expect(cluster(b, '10.0.0.2:8080', {}, path)).toBe('b|base');
  });

  test('is left alone where the service keeps picks', () => {
    const kept = serviceText('b', { keepPicks: true, instances: [{ address: '10.0.0.2', port: 8080, labels: gray }] });
    expect(cluster(kept, '10.0.0.2:8080')).toBe('passthrough');
  });

  test('is tried first and alone where its label refuses base', () => {
    const [found] = destinations(serviceText('b', { instances: [{ address: '10.0.0.2', port: 80, labels: gray }] }));
    if (found === undefined) throw new Error('no destination');
    const host = destinationHost(found, { ...pod, refusing: new Set(['gray' as Label]) });
    expect(evaluate(host, requestOf('/', wants('gray')))?.cluster).toBe('b|gray^');
  });
});

describe('several services on one address', () => {
  const dubbo = (name: string, addresses: readonly string[]) =>
    serviceText(name, { instances: addresses.map((address) => ({ address, port: 20880 })) });

  test('are one where they have the same instances', () => {
    const same = dubbo('app', ['10.0.0.1']) + dubbo('providers:com.shop.B:1.0:', ['10.0.0.1']);
    expect(destinations(same)).toHaveLength(1);
    expect(cluster(same, '10.0.0.1:20880', {}, '/com.shop.B/hello')).toBe('app|base^');
  });

  const different =
    dubbo('app', ['10.0.0.1', '10.0.0.2']) +
    dubbo('other', ['10.0.0.1', '10.0.0.3']) +
    dubbo('providers:com.shop.B:1.0:', ['10.0.0.1']) +
    dubbo('providers:com.shop.B:2.0:x', ['10.0.0.1', '10.0.0.4']);
  const escaped = (version: string) => `providers%3Acom%2Eshop%2EB%3A${version}|base^`;

  test.each([
    ['by Host', { ':authority': 'other' }, '/', 'other|base^'],
    ['by Host with a namespace and a port', { ':authority': 'other.default.svc:80' }, '/', 'other|base^'],
    ['by a Host that is only alike: the first', { ':authority': 'other-2' }, '/', 'app|base^'],
    ['by nothing: the first', { ':authority': '10.0.0.1:20880' }, '/', 'app|base^'],
    ['by interface and version', { 'tri-service-version': '1.0' }, '/com.shop.B/hello', escaped('1%2E0%3A')],
    [
      'by interface, version and group',
      { 'tri-service-version': '2.0', 'tri-service-group': 'x' },
      '/com.shop.B/hello',
      escaped('2%2E0%3Ax'),
    ],
    [
      'by an interface of another version: the first',
      { 'tri-service-version': '3.0' },
      '/com.shop.B/hello',
      'app|base^',
    ],
  ])('are told apart %s', (_, headers, path, expected) => {
    expect(cluster(different, '10.0.0.1:20880', headers, path)).toBe(expected);
  });
});

test('what only passes through is no HTTP port, and has no virtual host', () => {
  const tcp = serviceText('db', {
    ports: [{ port: 3306, protocol: 'tcp' }],
    addresses: ['10.96.0.9'],
    instances: [{ address: '10.0.0.9', port: 3306 }],
  });
  expect(destinations(tcp)).toEqual([]);
  expect(portsOf(capturedServices(workload, meshOf(b + tcp)))).toEqual([80, 8080]);
});

test('services that the settings do not name are not rendered', () => {
  const two = b + serviceText('c', { addresses: ['10.96.0.3'] });
  expect(destinations(two, { calls: ['c'] }).flatMap(({ domains }) => domains)).toEqual(['10.96.0.3:80']);
});

test('nothing is added to a request for an unknown destination: what baggage became is taken off', () => {
  const [sent, added] = passthroughHost['routes'] as { request_headers_to_remove?: string[] }[];
  expect(sent?.request_headers_to_remove).toBeUndefined();
  expect(added?.request_headers_to_remove).toEqual(['x-opensergo-traffic']);
});
