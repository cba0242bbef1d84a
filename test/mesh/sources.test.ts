import { describe, expect, test } from 'vitest';
import { documentsFrom } from '../../src/documents/envelope.ts';
import { type Document, parse } from '../../src/documents/parse.ts';
import { createMeshAssembler, type SourcesAssembly } from '../../src/mesh/assemble.ts';
import { conflictsOf } from '../../src/mesh/assembly/claims.ts';
import { formatProblem, type Problem } from '../../src/problem.ts';
import { trafficRule } from '../rules/fixture.ts';
import { serviceText } from './fixture.ts';

const on = (port: number): string => serviceText('a', { ports: [{ port }] });
const wrong = on(0);
const rule = trafficRule('r', { match: [{ condition: '==', type: 'header', key: 'x', value: 'y' }] });
const laneKey = 'traffic.opensergo.io/label';

/** What a source holds, in files by their names; or why it is lost, and what it holds then. */
type Held = Readonly<Record<string, string>>;
type State = Readonly<Record<string, Held | { readonly lost: string }>>;

function partsOf(state: State) {
  return Object.entries(state).map(([name, held]) => {
    if (typeof held['lost'] === 'string') return { name, documents: [], problems: [], lost: held['lost'] };
    const read = Object.entries(held).map(([file, text]) => parse(text, file));
    return {
      name,
      documents: read.flatMap(({ documents }) => documents),
      problems: read.flatMap(({ problems }) => problems),
    };
  });
}

function assembled(...states: State[]): { ports: Record<string, number>; problems: string[]; whole: SourcesAssembly } {
  const assemble = createMeshAssembler();
  const [whole] = states.map((state) => assemble(partsOf(state))).slice(-1);
  if (whole === undefined) throw new Error('no state');
  return described(whole);
}

function described(whole: SourcesAssembly) {
  const ports = Object.fromEntries([...whole.mesh.services].map(([name, service]) => [name, service.ports[0].port]));
  return { ports, problems: whole.problems.map(formatProblem), whole };
}

describe('of several sources the first that has a document wins, whole', () => {
  test('and what is hidden is a warning that names both', () => {
    const { ports, problems } = assembled({ files: { 'a.yaml': on(1) }, nacos: { 'nacos a': on(2) } });
    expect(ports).toEqual({ 'default/a': 1 });
    expect(problems).toEqual([
      'nacos a:2:76: warning: metadata.name: found Service default/a in nacos, and at a.yaml:2:76 in files, which comes first; this one changes nothing',
    ]);
  });

  test('the order is the one in which they are given', () => {
    expect(assembled({ nacos: { n: on(2) }, files: { 'a.yaml': on(1) } }).ports).toEqual({ 'default/a': 2 });
  });

  test('a rule too', () => {
    const { whole, problems } = assembled({ one: { a: rule }, two: { b: rule } });
    expect(whole.mesh.rules.traffic.map(({ place }) => place.file)).toEqual(['a']);
    expect(problems).toEqual([expect.stringContaining('found TrafficLabelRule default/r in two, and at a:')]);
  });

  test('within one source two of one name stay a mistake', () => {
    expect(assembled({ one: {}, two: { a: on(1), b: on(2) } }).problems).toEqual([
      'b:2:76: metadata.name: found Service default/a again, expected it once; the first is at a:2:76, rename one of them',
    ]);
  });

  test('also where one comes later, or takes the place of another', () => {
    const [one, b] = [{ a: on(1) }, serviceText('b')];
    const hidden = [expect.stringContaining('which comes first; this one changes nothing')];
    expect(assembled({ one, two: {} }, { one, two: { a: on(2) } }).problems).toEqual(hidden);
    expect(assembled({ one, two: { a: b } }, { one, two: { a: on(2) } }).problems).toEqual(hidden);
  });

  test('when the first loses it the second has its turn', () => {
    const both = { one: { a: on(1) }, two: { b: on(2) } };
    expect(assembled(both, { ...both, one: {} })).toMatchObject({ ports: { 'default/a': 2 }, problems: [] });
  });
});

describe('each source has last good forms of its own', () => {
  const both = { one: { a: on(1) }, two: { b: on(2) } };

  test('a wrong document of the first source keeps its last good form, before the second', () => {
    expect(assembled(both, { ...both, one: { a: wrong } }).ports).toEqual({ 'default/a': 1 });
  });

  test('a wrong document that was never good hides nothing of the second', () => {
    const { ports, problems } = assembled({ one: { a: wrong }, two: { b: on(2) } });
    expect(ports).toEqual({ 'default/a': 2 });
    expect(problems).toHaveLength(1);
  });

  test('two wrong twins in two files each have their own', () => {
    const [twins, half] = [
      { a: on(1), b: on(2) },
      { a: wrong, b: on(2) },
    ];
    expect(assembled({ one: twins }, { one: { a: wrong, b: wrong } }, { one: { b: wrong } }).ports).toEqual({
      'default/a': 2,
    });
    expect(assembled({ one: twins }, { one: half }, { one: { a: wrong, b: wrong } }).ports).toEqual({ 'default/a': 1 });
  });

  test('a source that is lost keeps all, also with nothing in its hands; when it is back, what it says counts', () => {
    const lost = { one: { lost: 'refused' }, two: { b: serviceText('b') } };
    const before = { one: { a: on(1) }, two: { b: serviceText('b') } };
    expect(assembled(before, lost).ports).toEqual({ 'default/a': 1, 'default/b': 80 });
    expect(assembled(before, lost, lost, { ...before, one: {} }).ports).toEqual({ 'default/b': 80 });
  });
});

describe('what was good in an earlier life', () => {
  const documents = (...texts: string[]): Document[] =>
    texts.flatMap((text, index) => parse(text, `${index}`).documents);
  const later = (state: State, good: Readonly<Record<string, readonly Document[]>>) =>
    described(createMeshAssembler(new Map(Object.entries(good)))(partsOf(state)));

  test('stands for a source that is lost at the start', () => {
    const good = { one: documents(on(1), serviceText('b')) };
    expect(later({ one: { lost: 'refused' } }, good).ports).toEqual({ 'default/a': 1, 'default/b': 80 });
    expect(later({ one: { lost: 'refused' } }, { two: good.one }).ports).toEqual({});
  });

  test('stands for a document that is wrong at the start, and for a file that is no YAML', () => {
    expect(later({ one: { 0: wrong } }, { one: documents(on(1)) }).ports).toEqual({ 'default/a': 1 });
    expect(later({ one: { 0: 'x: [' } }, { one: documents(on(1)) }).ports).toEqual({ 'default/a': 1 });
  });

  test('stands for what is in a folder that cannot be read', () => {
    const problems: Problem[] = [{ severity: 'error', file: '/etc/rules', message: 'cannot be read' }];
    const good = new Map([['one', [...parse(on(1), '/etc/rules/a.yaml').documents]]]);
    const assemble = createMeshAssembler(good);
    expect(described(assemble([{ name: 'one', documents: [], problems }])).ports).toEqual({ 'default/a': 1 });
  });

  test('does not stand for what is not there any more, and a wrong one never does', () => {
    expect(later({ one: {} }, { one: documents(on(1)) }).ports).toEqual({});
    const { ports, whole } = later({ one: { lost: 'refused' } }, { one: documents(wrong) });
    expect([ports, whole.standing().get('one')]).toEqual([{}, []]);
  });

  test('is what stands now, of each source', () => {
    const { whole } = assembled({ one: { a: on(1) }, two: { b: on(2) } }, { one: { a: wrong }, two: { b: on(3) } });
    const said = [...whole.standing()].map(([name, list]) => [name, list.map(({ value }) => value)]);
    expect(said).toEqual([
      ['one', [expect.objectContaining({ spec: { ports: [{ port: 1 }] } })]],
      ['two', [expect.objectContaining({ spec: { ports: [{ port: 3 }] } })]],
    ]);
  });
});

describe('the labels of a Pod count for every instance that has its address', () => {
  const instance = (labels: object) => serviceText('a', { instances: [{ address: '10.0.0.1', port: 80, labels }] });
  const pod = (labels: object, more: { spec?: object; status?: object; metadata?: object; name?: string } = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: more.name ?? 'p', labels, ...more.metadata },
    spec: { containers: [], ...more.spec },
    status: { podIPs: [{ ip: '10.0.0.1' }], ...more.status },
  });
  const lanesWith = (labels: object, ...pods: object[]): unknown => {
    const { documents } = documentsFrom({ kind: 'List', items: pods }, 'kubernetes');
    const parts = [...partsOf({ nacos: { n: instance(labels) } }), { name: 'kubernetes', documents, problems: [] }];
    return createMeshAssembler()(parts).mesh.services.get('default/a')?.instances[0];
  };

  test('they beat those of the registry, key by key', () => {
    expect(lanesWith({ [laneKey]: 'blue', zone: 'x' }, pod({ [laneKey]: 'gray', app: 'a' }))).toMatchObject({
      labels: { [laneKey]: 'gray', zone: 'x', app: 'a' },
      lanes: ['gray'],
    });
    expect(lanesWith({ [laneKey]: 'blue' }, pod({ app: 'a' }))).toMatchObject({ lanes: ['blue'] });
  });

  test.each([
    ['that has the address of its node', pod({ [laneKey]: 'gray' }, { spec: { hostNetwork: true } })],
    ['that has ended', pod({ [laneKey]: 'gray' }, { status: { phase: 'Succeeded' } })],
    ['that has another address', pod({ [laneKey]: 'gray' }, { status: { podIPs: [{ ip: '10.0.0.2' }] } })],
  ])('but not those of one %s', (_, other) => {
    expect(lanesWith({}, other)).toMatchObject({ lanes: [] });
  });

  test('of two with one address those of the one that stays, then of the younger', () => {
    const leaving = pod({ [laneKey]: 'gray' }, { name: 'q', metadata: { deletionTimestamp: '2026-01-02T00:00:00Z' } });
    expect(lanesWith({}, leaving, pod({ [laneKey]: 'blue' }))).toMatchObject({ lanes: ['blue'] });
    expect(lanesWith({}, pod({ [laneKey]: 'blue' }), leaving)).toMatchObject({ lanes: ['blue'] });
    const aged = (name: string, lane: string, creationTimestamp: string) =>
      pod({ [laneKey]: lane }, { name, metadata: { creationTimestamp } });
    const [young, old] = [aged('y', 'red', '2026-01-02T00:00:00Z'), aged('o', 'gray', '2026-01-01T00:00:00Z')];
    expect(lanesWith({}, young, old)).toMatchObject({ lanes: ['red'] });
    expect(lanesWith({}, old, young)).toMatchObject({ lanes: ['red'] });
  });

  test('when they change the service is another, and others stay the same object', () => {
    const assemble = createMeshAssembler();
    const registry = partsOf({ nacos: { n: instance({}) + serviceText('b') } });
    const meshWith = (labels: object) =>
      assemble([
        ...registry,
        { name: 'kubernetes', documents: documentsFrom(pod(labels), 'k').documents, problems: [] },
      ]).mesh.services;
    const [before, after] = [meshWith({}), meshWith({ [laneKey]: 'gray' })];
    expect(after.get('default/a')).toMatchObject({ instances: [{ lanes: ['gray'] }] });
    expect(after.get('default/b')).toBe(before.get('default/b'));
  });
});

describe('an address that two services claim', () => {
  const at = (...addresses: string[]): object => ({ instances: addresses.map((address) => ({ address, port: 80 })) });
  const claimed = (...texts: string[]) => conflictsOf(assembled({ f: { a: texts.join('') } }).whole.mesh);

  test('is no conflict where both have the same instances, whatever their order: an address with several names', () => {
    const [one, other] = [at('10.0.0.1', '10.0.0.2'), at('10.0.0.2', '10.0.0.1')];
    expect(claimed(serviceText('a', one), serviceText('b', other))).toEqual([]);
  });

  test('is a warning for each two services whose instances are not the same', () => {
    const { problems } = assembled({
      files: {
        'a.yaml': serviceText('a', at('10.0.0.1', '10.0.0.2', '10.0.0.3')),
        'b.yaml': serviceText('b', at('10.0.0.2', '10.0.0.1')),
      },
    });
    expect(problems).toEqual([
      'b.yaml:2:76: warning: metadata.name: found 10.0.0.1:80 and 1 more at Service default/a and at Service default/b, whose instances are not the same; requests there are told apart by their Host, and without one of their names go to default/a',
    ]);
  });

  test('may be one of the service itself, with its port', () => {
    const vip = (name: string, port: number, ...more: string[]) =>
      serviceText(name, { ports: [{ port }], addresses: ['10.96.0.1'], ...at(...more) });
    expect(claimed(vip('a', 80, '10.0.0.1'), vip('b', 80))).toEqual([
      { services: ['default/a', 'default/b'], address: '10.96.0.1:80', count: 1 },
    ]);
    expect(claimed(vip('a', 80, '10.0.0.1'), vip('b', 90))).toEqual([]);
  });

  test('is one no more when one of them lets it go', () => {
    const [one, other] = [serviceText('a', at('10.0.0.1')), serviceText('b', at('10.0.0.1', '10.0.0.2'))];
    const conflict = expect.stringContaining('found 10.0.0.1:80 at');
    expect(assembled({ f: { a: one, b: other } }).problems).toEqual([conflict]);
    expect(assembled({ f: { a: one, b: other } }, { f: { a: one } }).problems).toEqual([]);
    const elsewhere = serviceText('b', at('10.0.0.2'));
    expect(assembled({ f: { a: one, b: other } }, { f: { a: one, b: elsewhere } }).problems).toEqual([]);
    expect(assembled({ f: { a: one } }, { f: { a: one, b: other } }).problems).toEqual([conflict]);
  });
});
