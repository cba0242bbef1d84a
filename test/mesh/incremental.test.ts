import { describe, expect, test } from 'vitest';
import { documentFrom } from '../../src/documents/envelope.ts';
import type { Document } from '../../src/documents/parse.ts';
import { createAssembler, createMeshAssembler } from '../../src/mesh/assemble.ts';
import { difference, isEmpty } from '../../src/mesh/difference.ts';
import type { Mesh } from '../../src/mesh/mesh.ts';
import { trafficRule } from '../rules/fixture.ts';
import { filesOf, serviceText, workloadRuleText } from './fixture.ts';

const at = (address: string, labels: object = {}): object => ({ address, port: 8080, labels });
const a = serviceText('a', { instances: [at('10.0.0.1', { app: 'a' })] });
const b = serviceText('b', { instances: [at('10.0.0.2', { app: 'b' })] });
const rule = trafficRule('r', { match: [{ condition: '==', type: 'header', key: 'x', value: 'y' }] });

/** The meshes of the states of files, one after the other. */
function meshes(...states: Readonly<Record<string, string>>[]): Mesh[] {
  const assemble = createAssembler();
  return states.map((texts) => assemble(filesOf(texts)).mesh);
}

const service = (mesh: Mesh | undefined, name: string): unknown => mesh?.services.get(`default/${name}`);

describe('what has not changed is the same object in the next mesh:', () => {
  test('a service beside one that changed', () => {
    const [before, after] = meshes({ a, b }, { a, b: b.replace('10.0.0.2', '10.0.0.3') });
    expect(service(after, 'a')).toBe(service(before, 'a'));
    expect(service(after, 'b')).not.toBe(service(before, 'b'));
    expect(after?.rules).toBe(before?.rules);
  });

  test('a service in a file in which something else changed', () => {
    const [before, after] = meshes({ a: a + b }, { a: `# said anew\n${a}${b.replace('10.0.0.2', '10.0.0.3')}` });
    expect(service(after, 'a')).toBe(service(before, 'a'));
    expect(service(after, 'b')).not.toBe(service(before, 'b'));
  });

  test('all services, where a rule for requests changed', () => {
    const [before, after] = meshes({ a, r: rule }, { a, r: rule.replace('gray', 'blue') });
    expect(after?.services).toBe(before?.services);
    expect(after?.rules.workloads).toBe(before?.rules.workloads);
    expect(after?.rules).not.toBe(before?.rules);
  });

  test('the whole mesh, where nothing changed', () => {
    const [before, after] = meshes({ a, b, r: rule }, { a, b, r: rule });
    expect(after).toBe(before);
  });

  test('a service whose instances no rule for workloads gave another label', () => {
    const gray = workloadRuleText('w', { workloadLabels: ['gray'], selector: { app: 'b' } });
    const [before, after, later] = meshes({ a, b }, { a, b, w: gray }, { a, b });
    expect(service(after, 'a')).toBe(service(before, 'a'));
    expect(service(after, 'b')).toMatchObject({ instances: [{ lanes: ['gray'] }] });
    expect(service(later, 'b')).toMatchObject({ instances: [{ lanes: [] }] });
  });

  test('services keep the order of their names whoever comes and goes', () => {
    const c = serviceText('c');
    const keys = meshes({ b }, { b, c }, { b, c, a }, { a, c }).map(({ services }) => [...services.keys()]);
    expect(keys).toEqual([
      ['default/b'],
      ['default/b', 'default/c'],
      ['default/a', 'default/b', 'default/c'],
      ['default/a', 'default/c'],
    ]);
  });
});

test('a document that has not changed is not read again: one change of a thousand documents costs little', () => {
  let reads = 0;
  const made = (name: string, address: string): Document => {
    const document = documentFrom(
      {
        apiVersion: 'lanekeeper.io/v1alpha1',
        kind: 'Service',
        metadata: { name },
        spec: { ports: [{ port: 80 }], instances: [at(address)] },
      },
      name,
    );
    return {
      ...document,
      get value() {
        reads++;
        return document.value;
      },
    };
  };
  const assemble = createMeshAssembler();
  const documents = Array.from({ length: 1000 }, (_, index) => made(`s${index}`, '10.0.0.1'));
  const states = [documents, documents.with(500, made('s500', '10.0.0.2'))];
  const [first = 0, second = 0] = states.map((state) => {
    const before = reads;
    assemble([{ name: 'x', documents: state, problems: [] }]);
    return reads - before;
  });
  expect(second).toBe(first / 1000);
});

describe('the difference between two meshes', () => {
  const differenceOf = (...states: [Record<string, string>, Record<string, string>]) => {
    const [before, after] = meshes(...states);
    return difference(before, after as Mesh);
  };
  const none = { added: [], changed: [], removed: [] };

  test('names the services that were added, changed and removed', () => {
    const c = serviceText('c');
    expect(differenceOf({ a, b }, { b: b.replace('10.0.0.2', '10.0.0.3'), c })).toEqual({
      services: { added: ['default/c'], changed: ['default/b'], removed: ['default/a'] },
      rules: none,
    });
  });

  test('names the rules that were added, changed and removed, of both kinds', () => {
    const workloads = workloadRuleText('w', { workloadLabels: ['gray'], selector: { app: 'x' } });
    const [one, other] = [trafficRule('s', { match: [] }), trafficRule('t', { match: [] })];
    expect(differenceOf({ r: rule, s: one }, { r: rule.replace('"y"', '"z"'), t: other, w: workloads })).toEqual({
      services: none,
      rules: { added: ['default/t', 'default/w'], changed: ['default/r'], removed: ['default/s'] },
    });
  });

  test('is empty where a rule only stands elsewhere', () => {
    expect(isEmpty(differenceOf({ r: rule }, { r: `# moved\n${rule}` }))).toBe(true);
    expect(isEmpty(differenceOf({ r: rule }, { r: '' }))).toBe(false);
  });

  test('is everything where there was no mesh', () => {
    const [mesh] = meshes({ a, r: rule });
    expect(difference(undefined, mesh as Mesh)).toEqual({
      services: { ...none, added: ['default/a'] },
      rules: { ...none, added: ['default/r'] },
    });
  });
});
