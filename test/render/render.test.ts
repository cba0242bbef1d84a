// What a pod's Envoy is given, and that only what changed is another object.
import { expect, test } from 'vitest';
import { createRenderer, type PodResources } from '../../src/envoy/render.ts';
import { createAssembler } from '../../src/mesh/assemble.ts';
import type { Workload } from '../../src/mesh/workload.ts';
import { serviceText } from '../mesh/fixture.ts';
import { trafficRule } from '../rules/fixture.ts';

const key = 'traffic.opensergo.io/label';
const paths = {
  adminSocket: '/a',
  processorSocket: '/p',
  controlSocket: '/c',
  databaseSocket: '/d',
  databaseExitSocket: '/e',
};
const workload: Workload = {
  name: 'a-1',
  namespace: 'default',
  labels: { app: 'a' },
  service: 'a',
  propagation: 'trace',
  edgeTrace: 'strip',
  inbound: [],
  outbound: [],
  interception: { outboundPort: 15001, inboundPort: 15006 },
};
const instance = (address: string, more: object = {}) => ({ address, port: 8080, ...more });
const a = serviceText('a', { instances: [instance('10.0.0.9')] });
const b = (...more: object[]) =>
  serviceText('b', { addresses: ['10.96.0.2'], instances: [instance('10.0.0.1'), ...more] });
const gray = instance('10.0.0.2', { labels: { [key]: 'gray' } });

/** Renders one mesh after the other; files that are the same text give the same services. */
function renderAll(...meshes: readonly string[][]): PodResources[] {
  const assemble = createAssembler();
  const render = createRenderer(workload, paths);
  return meshes.map((texts) => render(assemble(texts.map((text, index) => ({ file: `${index}.yaml`, text }))).mesh));
}

/** The names of resources that are another object than before, by kind. */
function changed([before, after]: readonly PodResources[]): Record<string, string[]> {
  if (before === undefined || after === undefined) throw new Error('two renderings are compared');
  const kinds = ['listeners', 'routes', 'clusters', 'endpoints'] as const;
  const names = kinds.map((kind) => {
    const all = new Set([...before[kind].keys(), ...after[kind].keys()]);
    return [kind, [...all].filter((name) => before[kind].get(name) !== after[kind].get(name))] as const;
  });
  return Object.fromEntries(names.filter(([, list]) => list.length > 0));
}

test('a pod is given its listeners, its tables, and what it may call', () => {
  const [
    { listeners, routes, clusters, endpoints } = {
      listeners: new Map(),
      routes: new Map(),
      clusters: new Map(),
      endpoints: new Map(),
    },
  ] = renderAll([a, b(gray)]);
  expect([...listeners.keys()]).toEqual(['captured_outbound', 'captured_inbound']);
  expect([...routes.keys()]).toEqual(['inbound_8080', 'outbound']);
  expect([...clusters.keys()]).toEqual([
    ...['a|base', 'a|base^'],
    ...['b|base', 'b|gray', 'b|gray+', 'b|base^', 'b|gray^+'],
  ]);
  expect([...endpoints.keys()]).toEqual(['a|base', 'b|base', 'b|gray']);
});

test('the same mesh again changes nothing', () => {
  expect(changed(renderAll([a, b(gray)], [a, b(gray)]))).toEqual({});
});

test('an instance more changes the endpoints of its lane and the table', () => {
  expect(changed(renderAll([a, b(gray)], [a, b(gray, instance('10.0.0.3'))]))).toEqual({
    routes: ['outbound'],
    endpoints: ['b|base'],
  });
});

test('an instance that is not well changes the endpoints of its lane, and nothing else', () => {
  const sick = { ...gray, healthy: false };
  expect(changed(renderAll([a, b(gray)], [a, b(sick)]))).toEqual({ endpoints: ['b|gray'] });
});

test('a lane more changes its clusters, its endpoints and the table', () => {
  expect(changed(renderAll([a, b()], [a, b(gray)]))).toEqual({
    routes: ['outbound'],
    clusters: ['b|gray', 'b|gray+', 'b|gray^+'],
    endpoints: ['b|gray'],
  });
});

test('a port more is another listener, or connections to it would pass as bytes', () => {
  const other = b({ ...gray, port: 9090 });
  expect(changed(renderAll([a, b(gray)], [a, other]))).toMatchObject({ listeners: ['captured_outbound'] });
});

function ruleMore(more: object) {
  const rule = trafficRule('gray', {
    selector: { app: 'a' },
    match: [{ condition: '==', type: 'header', key: 'location', value: 'x' }],
    ...more,
  });
  return changed(renderAll([a, b(gray)], [a, b(gray), rule]));
}

test('a rule changes the table of the port at which it labels, and nothing else', () => {
  expect(ruleMore({})).toEqual({ routes: ['inbound_8080'] });
});

test('a rule whose label refuses base changes where that label goes', () => {
  expect(ruleMore({ onFailure: 'refuse' })).toEqual({
    routes: ['inbound_8080', 'outbound'],
    clusters: ['b|gray+', 'b|gray^+', 'b|gray^'],
  });
});

test('instances take their share by weight, none without one, and are known by their zone', () => {
  const text = b(
    instance('10.0.0.2', { weight: 3, zone: 'x' }),
    instance('10.0.0.3', { weight: 0 }),
    instance('10.0.0.4', { healthy: false }),
  );
  const [{ endpoints } = { endpoints: new Map() }] = renderAll([text]);
  const metadata = { filter_metadata: { lanekeeper: { lane: 'base' } } };
  const at = (address: string) => ({ endpoint: { address: { socket_address: { address, port_value: 8080 } } } });
  expect(endpoints.get('b|base')).toEqual({
    cluster_name: 'b|base',
    endpoints: [
      {
        lb_endpoints: [
          { ...at('10.0.0.1'), load_balancing_weight: 1, metadata },
          { ...at('10.0.0.4'), health_status: 'UNHEALTHY', load_balancing_weight: 1, metadata },
        ],
      },
      { locality: { zone: 'x' }, lb_endpoints: [{ ...at('10.0.0.2'), load_balancing_weight: 3, metadata }] },
    ],
  });
});
