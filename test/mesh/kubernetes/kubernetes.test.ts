import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAssembler, createMeshAssembler } from '../../../src/mesh/assemble.ts';
import { formatProblem } from '../../../src/problem.ts';
import { assembledOf, laneKey, partOf, podObject, serviceObject, sliceObject } from './objects.ts';

/** Instances by address and port, with what is said of them. */
function instancesOf(...objects: object[]): unknown {
  return assembledOf(...objects).service?.instances.map(
    ({ address, port, servicePort, lanes, healthy }) =>
      `${servicePort}=${address}:${port}${lanes.map((lane) => ` ${lane}`).join('')}${healthy ? '' : ' unhealthy'}`,
  );
}

test('what kubectl writes of a service, its slices and its Pods is read beside our own documents', () => {
  const text = readFileSync(new URL('kubectl.yaml', import.meta.url), 'utf8');
  const { mesh, problems } = createAssembler()([{ file: 'kubectl.yaml', text }]);
  expect(problems).toEqual([]);
  expect([...mesh.services.keys()]).toEqual(['shop/legacy', 'shop/orders']);
  const base = { app: 'orders', 'pod-template-hash': '7d4b9c6f5' };
  expect(mesh.services.get('shop/orders')).toEqual({
    name: 'orders',
    namespace: 'shop',
    ports: [
      { port: 80, protocol: 'http', edge: true },
      { port: 9090, protocol: 'grpc', edge: false },
    ],
    addresses: ['10.96.12.7'],
    instances: [
      ...[80, 9090].map((servicePort) => ({
        ...{ address: '10.244.1.5', port: servicePort === 80 ? 8080 : 9090, servicePort, labels: base, lanes: [] },
        ...{ healthy: true, weight: 1, zone: 'eu-1a' },
      })),
      ...[80, 9090].map((servicePort) => ({
        ...{ address: '10.244.2.9', port: servicePort === 80 ? 8080 : 9090, servicePort },
        ...{ labels: { app: 'orders', 'pod-template-hash': '66c8d7', [laneKey]: 'gray' }, lanes: ['gray'] },
        ...{ healthy: false, weight: 1, zone: 'eu-1b' },
      })),
    ],
    keepPicks: false,
    strict: true,
    hierarchical: false,
    paths: ['/orders'],
  });
});

describe('the protocol of a port', () => {
  test.each([
    ['its appProtocol', { appProtocol: 'grpc' }, 'grpc'],
    ['its appProtocol, whatever its case', { appProtocol: 'HTTP2' }, 'http2'],
    ['its appProtocol before its name', { appProtocol: 'tcp', name: 'http' }, 'tcp'],
    ["Kubernetes' own word for h2c", { appProtocol: 'kubernetes.io/h2c' }, 'http2'],
    ["Kubernetes' own word for WebSockets", { appProtocol: 'kubernetes.io/ws' }, 'http'],
    ['TLS, which cannot be read', { appProtocol: 'https' }, 'tcp'],
    ['somebody else’s word', { appProtocol: 'example.com/x' }, 'tcp'],
    ['its name', { name: 'http' }, 'http'],
    ['what its name begins with', { name: 'grpc-orders' }, 'grpc'],
    ['what its name begins with, of two the longer', { name: 'http2-orders' }, 'http2'],
    ['gRPC for browsers, which is HTTP/1.1 too', { name: 'grpc-web' }, 'http'],
    ['a name that only looks like it', { name: 'httpd' }, 'tcp'],
    ['nothing', {}, 'tcp'],
  ])('is by %s', (_, port, protocol) => {
    const { service } = assembledOf(serviceObject({ ports: [{ port: 80, ...port }] }), podObject('p', '10.0.0.1'));
    expect(service?.ports).toEqual([{ port: 80, protocol, edge: false }]);
  });
});

describe('the addresses of a service', () => {
  test.each([
    ['are its cluster IPs', { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1', 'fd00::1'] }, ['10.96.0.1', 'fd00::1']],
    ['are its cluster IP, where only that is given', { clusterIP: '10.96.0.1', clusterIPs: null }, ['10.96.0.1']],
    ['are none where it is headless', { clusterIP: 'None', clusterIPs: ['None'] }, []],
    ['are none before it was given one', { clusterIP: '', clusterIPs: null }, []],
  ])('%s', (_, spec, addresses) => {
    expect(assembledOf(serviceObject(spec), podObject('p', '10.0.0.1')).service?.addresses).toEqual(addresses);
  });
});

test.each([
  ['strict', { strict: true }],
  ['hierarchical-labels', { hierarchical: true }],
  ['keep-picks', { keepPicks: true }],
])('the annotation %s says what our document has as a field', (name, expected) => {
  const withIt = (value: string) =>
    assembledOf(serviceObject({}, { [`lanekeeper.io/${name}`]: value }), podObject('p', '10.0.0.1')).service;
  expect(withIt('true')).toMatchObject(expected);
  expect(withIt('false')).toMatchObject(Object.fromEntries(Object.keys(expected).map((field) => [field, false])));
});

test('ports are edges by number or name, and paths are a list', () => {
  const ports = [
    { name: 'http', port: 80 },
    { name: 'grpc', port: 90 },
    { name: 'http-x', port: 70 },
  ];
  const annotations = { 'lanekeeper.io/edge-ports': '80, grpc', 'lanekeeper.io/paths': '/a/, /b,/' };
  const { service } = assembledOf(serviceObject({ ports }, annotations), podObject('p', '10.0.0.1'));
  expect(service?.ports.map(({ edge }) => edge)).toEqual([true, true, false]);
  expect(service?.paths).toEqual(['/a', '/b', '/']);
});

describe('the instances of a service are the endpoints of its slices:', () => {
  const pods = [podObject('p', '10.0.0.1'), podObject('q', '10.0.0.2', { [laneKey]: 'gray' })];
  const slice = sliceObject([
    { address: '10.0.0.1', pod: 'p' },
    { address: '10.0.0.2', pod: 'q' },
  ]);

  test('with the labels of their Pods', () => {
    expect(instancesOf(serviceObject(), slice, ...pods)).toEqual(['80=10.0.0.1:8080', '80=10.0.0.2:8080 gray']);
  });

  test.each([
    ['ready', { ready: true }, ''],
    ['ready, as far as is known', {}, ''],
    ['ready, where nothing is said', null, ''],
    ['not ready', { ready: false }, ' unhealthy'],
    ['leaving, and serving still', { ready: false, serving: true, terminating: true }, ' unhealthy'],
    ['leaving, and called ready for those who asked for that', { ready: true, terminating: true }, ' unhealthy'],
    ['not serving, and nothing said of ready', { serving: false }, ' unhealthy'],
  ])('%s', (_, conditions, health) => {
    const one = sliceObject([{ address: '10.0.0.1', pod: 'p', conditions }]);
    expect(instancesOf(serviceObject(), one, ...pods)).toEqual([`80=10.0.0.1:8080${health}`]);
  });

  test('on the ports that have the name of a port of the service', () => {
    const ports = [
      { name: 'http', port: 80 },
      { name: 'grpc', port: 90 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ];
    const more = {
      ports: [
        { name: 'grpc', port: 9090 },
        { name: 'http', port: 8080 },
        { name: 'dns', port: 53, protocol: 'UDP' },
      ],
    };
    const one = sliceObject([{ address: '10.0.0.1' }], more);
    expect(instancesOf(serviceObject({ ports }), one)).toEqual(['80=10.0.0.1:8080', '90=10.0.0.1:9090']);
    const unnamed = sliceObject([{ address: '10.0.0.1' }], { ports: [{ name: '', port: 8080 }] });
    expect(instancesOf(serviceObject({ ports: [{ port: 80 }] }), unnamed)).toEqual(['80=10.0.0.1:8080']);
  });

  test('of all its slices, each endpoint once, and well where one of them says so', () => {
    const [sick, well] = [{ ready: false }, { ready: true }].map((conditions, index) =>
      sliceObject([{ address: '10.0.0.1', conditions }, { address: `10.0.0.${index + 5}` }], {
        metadata: { name: `a-${index}`, labels: { 'kubernetes.io/service-name': 'a' } },
      }),
    ) as [object, object];
    const expected = ['80=10.0.0.1:8080', '80=10.0.0.5:8080', '80=10.0.0.6:8080'];
    expect(instancesOf(serviceObject(), sick, well)).toEqual(expected);
    expect((instancesOf(serviceObject(), well, sick) as string[]).sort()).toEqual(expected);
  });

  test('also where a slice is empty, as the API writes it: then there are none', () => {
    expect(instancesOf(serviceObject(), sliceObject([], { endpoints: null, ports: null }), ...pods)).toEqual([]);
  });

  test('in the zone of the slice, else of the Pod', () => {
    const zoned = podObject('p', '10.0.0.1', { 'topology.kubernetes.io/zone': 'b' });
    const zoneOf = (zone?: string) =>
      assembledOf(
        serviceObject(),
        sliceObject([{ address: '10.0.0.1', pod: 'p', ...(zone !== undefined && { zone }) }]),
        zoned,
      ).service?.instances[0]?.zone;
    expect([zoneOf('a'), zoneOf()]).toEqual(['a', 'b']);
  });

  test('but for those whose Pod is not known yet, which could be of a lane, while others are', () => {
    const [p] = pods as [object];
    expect(instancesOf(serviceObject(), slice, p)).toEqual(['80=10.0.0.1:8080']);
    expect(instancesOf(serviceObject(), slice)).toEqual(['80=10.0.0.1:8080', '80=10.0.0.2:8080']);
  });
});

describe('without a slice they are the Pods that its selector meets:', () => {
  test('all its labels, in its namespace', () => {
    const other = podObject('r', '10.0.0.3', { app: 'b' });
    const elsewhere = podObject('s', '10.0.0.4', {}, { metadata: { name: 's', namespace: 'x', labels: { app: 'a' } } });
    const gray = podObject('q', '10.0.0.2', { [laneKey]: 'gray' });
    const objects = [serviceObject(), podObject('p', '10.0.0.1'), gray, other, elsewhere];
    expect(instancesOf(...objects)).toEqual(['80=10.0.0.1:80', '80=10.0.0.2:80 gray']);
    const two = serviceObject({ selector: { app: 'a', [laneKey]: 'gray' } });
    expect(instancesOf(two, ...objects.slice(1))).toEqual(['80=10.0.0.2:80 gray']);
  });

  test.each([
    ['the port of the service where it names none', undefined, ['80=10.0.0.1:80']],
    ['a number', 8080, ['80=10.0.0.1:8080']],
    ['the name that a container gives', 'web', ['80=10.0.0.1:8081']],
    ['no port where no container gives that name', 'admin', []],
  ])('on %s', (_, targetPort, expected) => {
    const ports = [{ name: 'http', port: 80, ...(targetPort !== undefined && { targetPort }) }];
    expect(instancesOf(serviceObject({ ports }), podObject('p', '10.0.0.1'))).toEqual(expected);
  });

  test.each([
    ['not ready', { status: { conditions: [{ type: 'Ready', status: 'False' }] } }, ['80=10.0.0.1:80 unhealthy']],
    ['leaving', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }, ['80=10.0.0.1:80 unhealthy']],
    ['over', { status: { phase: 'Failed' } }, []],
    ['not given an address yet', { status: { podIP: undefined, podIPs: null } }, []],
    ['of an old API server', { status: { podIPs: undefined } }, ['80=10.0.0.1:80']],
    ['of two families', { status: { podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } }, ['80=10.0.0.1:80']],
  ])('one that is %s', (_, parts, expected) => {
    expect(instancesOf(serviceObject(), podObject('p', '10.0.0.1', {}, parts))).toEqual(expected);
  });

  test('with the addresses of the families that the service has', () => {
    const pod = podObject('p', '10.0.0.1', {}, { status: { podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } });
    expect(instancesOf(serviceObject({ ipFamilies: ['IPv6'] }), pod)).toEqual(['80=fd00::1:80']);
    expect(instancesOf(serviceObject({ ipFamilies: ['IPv4', 'IPv6'] }), pod)).toHaveLength(2);
  });
});

describe('what is called there passes through, and nothing is said, where a service', () => {
  test.each([
    ['is a name outside', { type: 'ExternalName', externalName: 'a.example' }],
    ['has no TCP port', { ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] }],
    ['has no port at all', { clusterIP: 'None', ports: null }],
  ])('%s', (_, spec) => {
    expect(assembledOf(serviceObject(spec), podObject('p', '10.0.0.1'))).toEqual({ service: undefined, problems: [] });
  });
});

test('a service without selector has the endpoints that somebody wrote for it', () => {
  const slice = sliceObject([{ address: '192.0.2.1' }]);
  expect(instancesOf(serviceObject({ selector: null }), slice)).toEqual(['80=192.0.2.1:8080']);
});

test('nothing that a field holds makes it throw, and what is wrong says where it is', () => {
  const fields = fc.constantFrom('metadata', 'spec', 'status', 'ports', 'endpoints', 'labels', 'podIPs', 'selector');
  const inner = fc.dictionary(
    fc.constantFrom('name', 'port', 'targetPort', 'addresses', 'conditions', 'targetRef', 'ip', 'ready', '__proto__'),
    fc.jsonValue(),
  );
  const value = fc.oneof(fc.jsonValue(), inner, fc.array(fc.oneof(inner, fc.jsonValue()), { maxLength: 3 }));
  const right = [
    serviceObject({}, { 'lanekeeper.io/paths': '/a' }),
    sliceObject([{ address: '10.0.0.1', pod: 'p' }]),
    podObject('p', '10.0.0.1'),
  ];
  const changed = fc.record({ index: fc.nat(2), field: fields, within: fc.boolean(), value });
  const assemble = createMeshAssembler();
  fc.assert(
    fc.property(fc.array(changed, { maxLength: 3 }), (changes) => {
      const objects: Record<string, unknown>[] = structuredClone(right) as Record<string, unknown>[];
      for (const { index, field, within, value } of changes) {
        const object = objects[index] ?? {};
        const spec = object['spec'];
        if (within && typeof spec === 'object' && spec !== null) object['spec'] = { ...spec, [field]: value };
        else object[field] = value;
      }
      const { problems } = assemble([partOf(...objects)]);
      for (const problem of problems) expect(formatProblem(problem)).toMatch(/^kubernetes: (warning: )?[\w.[\]]+/);
    }),
    { seed: 3, numRuns: 500 },
  );
});

test('a change of one object makes one service anew: of a slice, of a Pod, of the Pods that a selector meets', () => {
  const rename = (object: object, name: string): object => {
    const text = JSON.stringify(object).replaceAll('"a"', `"${name}"`).replaceAll('"a-x"', `"${name}-x"`);
    return JSON.parse(text.replaceAll('"p"', `"${name}-p"`).replaceAll('10.0.0.1', `10.0.${name.charCodeAt(0)}.1`));
  };
  const of = (name: string) => ({
    service: rename(serviceObject(), name),
    slice: rename(sliceObject([{ address: '10.0.0.1', pod: 'p' }]), name),
    pod: rename(podObject('p', '10.0.0.1'), name),
  });
  const [a, b, c] = [of('a'), of('b'), of('c')];
  const gray = rename(podObject('p', '10.0.0.1', { [laneKey]: 'gray' }), 'a');
  const grayC = rename(podObject('p', '10.0.0.1', { [laneKey]: 'gray' }), 'c');
  const sickC = rename(podObject('p', '10.0.0.1', {}, { status: { conditions: [] } }), 'c');
  const movedA = rename(
    podObject('p', '10.0.0.9', {}, { metadata: { name: 'p', labels: { app: 'a', [laneKey]: 'red' } } }),
    'a',
  );
  const sick = rename(sliceObject([{ address: '10.0.0.1', pod: 'p', conditions: { ready: false } }]), 'a');
  const assemble = createMeshAssembler();
  const whole = partOf(a.service, a.slice, a.pod, b.service, b.slice, b.pod, c.service, c.pod);
  const without = (index: number, object: object) => ({
    ...whole,
    documents: whole.documents.with(index, partOf(object).documents[0] ?? (whole.documents[0] as never)),
  });
  const states = [
    whole,
    without(1, sick),
    whole,
    without(2, gray),
    whole,
    without(7, grayC),
    without(7, sickC),
    whole,
    without(2, movedA),
  ];
  const meshes = states.map((part) => assemble([part]).mesh.services);
  const changed = meshes
    .slice(1)
    .map((services, index) =>
      [...services].filter(([name, one]) => meshes[index]?.get(name) !== one).map(([name]) => name),
    );
  expect(changed).toEqual([
    ['default/a'],
    ['default/a'],
    ['default/a'],
    ['default/a'],
    ['default/c'],
    ['default/c'],
    ['default/c'],
    ['default/a'],
  ]);
});
