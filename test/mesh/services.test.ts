import { describe, expect, test } from 'vitest';
import { findService, instancesOf, lanesOf } from '../../src/mesh/mesh.ts';
import { label } from '../propagation/given.ts';
import { meshOf, serviceOf, serviceText, workloadRuleText } from './fixture.ts';

const key = 'traffic.opensergo.io/label';
const at = (address: string, more: object = {}): object => ({ address, port: 8080, ...more });

test('a document says of a service all that there is to say', () => {
  const text = `
apiVersion: lanekeeper.io/v1alpha1
kind: Service
metadata: { name: orders, namespace: shop, labels: { team: a }, annotations: { note: b } }
spec:
  ports:
  - { port: 80, protocol: http2, edge: true }
  - { port: 90, protocol: grpc }
  addresses: [10.96.0.1, fd00::96]
  instances:
  - { address: 10.0.0.1, port: 8080, servicePort: 90, labels: { app: orders, ${key}: gray } }
  - { address: fd00::1, port: 65535, healthy: false, weight: 0, zone: a }
  keepPicks: true
  strict: true
  hierarchicalLabels: true
  paths: [/orders, /orders/open/, /]
`;
  expect(serviceOf(meshOf(text), 'orders', 'shop')).toEqual({
    name: 'orders',
    namespace: 'shop',
    ports: [
      { port: 80, protocol: 'http2', edge: true },
      { port: 90, protocol: 'grpc', edge: false },
    ],
    addresses: ['10.96.0.1', 'fd00::96'],
    instances: [
      {
        address: '10.0.0.1',
        port: 8080,
        servicePort: 90,
        labels: { app: 'orders', [key]: 'gray' },
        lanes: ['gray'],
        healthy: true,
        weight: 1,
      },
      {
        address: 'fd00::1',
        port: 65535,
        servicePort: 80,
        labels: {},
        lanes: [],
        healthy: false,
        weight: 0,
        zone: 'a',
      },
    ],
    keepPicks: true,
    strict: true,
    hierarchical: true,
    paths: ['/orders', '/orders/open', '/'],
  });
});

test('what a document does not say has its default', () => {
  expect(serviceOf(meshOf(serviceText('orders')), 'orders')).toEqual({
    name: 'orders',
    namespace: 'default',
    ports: [{ port: 80, protocol: 'http', edge: false }],
    addresses: [],
    instances: [],
    keepPicks: false,
    strict: false,
    hierarchical: false,
    paths: [],
  });
});

describe('a label reaches an instance', () => {
  const rule = workloadRuleText('gray', {
    workloadLabels: ['gray', 'blue'],
    selector: { app: 'orders', version: 'v2' },
  });
  test.each<[string, object, string, string[]]>([
    ['by its own short form', { [key]: 'gray' }, '', ['gray']],
    ['by several in one short form, whatever the spaces', { [key]: 'gray, blue ,gray' }, '', ['gray', 'blue']],
    ['by a rule that selects it', { app: 'orders', version: 'v2' }, rule, ['gray', 'blue']],
    ['by both, each once and its own first', { [key]: 'blue', app: 'orders', version: 'v2' }, rule, ['blue', 'gray']],
    ['by no rule that selects another version', { app: 'orders', version: 'v1' }, rule, []],
    ['by no other key', { label: 'gray', 'OpenSergo-Label': 'gray' }, '', []],
    ['not at all: it is base', {}, '', []],
  ])('%s', (_, labels, rules, lanes) => {
    const mesh = meshOf(serviceText('orders', { instances: [at('10.0.0.1', { labels })] }) + rules);
    expect(serviceOf(mesh, 'orders').instances[0]?.lanes).toEqual(lanes);
  });

  test('by a rule of its own namespace only', () => {
    const instances = [at('10.0.0.1', { labels: { app: 'orders', version: 'v2' } })];
    const mesh = meshOf(serviceText('orders', { instances }, { namespace: 'shop' }) + rule);
    expect(serviceOf(mesh, 'orders', 'shop').instances[0]?.lanes).toEqual([]);
  });
});

describe('an instance serves', () => {
  const spec = {
    ports: [{ port: 80 }, { port: 90 }],
    instances: [
      at('10.0.0.1'),
      at('10.0.0.2', { labels: { [key]: 'gray' } }),
      at('10.0.0.3', { labels: { [key]: 'red,gray' } }),
      at('10.0.0.4', { labels: { [key]: 'blue' }, servicePort: 90 }),
    ],
  };
  const service = serviceOf(meshOf(serviceText('orders', spec)), 'orders');
  const addresses = (port: number, lane?: string): string[] =>
    instancesOf(service, port, lane === undefined ? undefined : label(lane)).map(({ address }) => address);

  test('each lane whose label it carries, and base only without one', () => {
    expect(addresses(80, 'gray')).toEqual(['10.0.0.2', '10.0.0.3']);
    expect(addresses(80, 'red')).toEqual(['10.0.0.3']);
    expect(addresses(80)).toEqual(['10.0.0.1']);
  });

  test('the port that it names, else the first', () => {
    expect(lanesOf(service, 80)).toEqual(['gray', 'red']);
    expect(lanesOf(service, 90)).toEqual(['blue']);
    expect(addresses(90, 'blue')).toEqual(['10.0.0.4']);
    expect(addresses(90)).toEqual([]);
  });
});

test('services are in the order of their names, whatever the order of the text', () => {
  const text = serviceText('b') + serviceText('c', {}, { namespace: 'a' }) + serviceText('a');
  expect([...meshOf(text).services.keys()]).toEqual(['a/c', 'default/a', 'default/b']);
});

test.each([
  ['b', 'default', 'default'],
  ['b', 'other', 'other'],
  ['b.other', 'default', 'other'],
  ['b.default', 'other', 'default'],
  ['b', 'nowhere', undefined],
  ['b.nowhere', 'default', undefined],
  ['b.other.svc', 'default', undefined],
])('the name %s means, for a workload of %s, the service of %s', (name, namespace, found) => {
  const mesh = meshOf(serviceText('b') + serviceText('b', {}, { namespace: 'other' }));
  expect(findService(mesh, name, namespace)?.namespace).toBe(found);
});
