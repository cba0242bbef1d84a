import { describe, expect, test } from 'vitest';
import { documentFrom, documentsFrom } from '../../src/documents/envelope.ts';
import { formatProblem } from '../../src/problem.ts';
import { compile } from '../../src/rules/compile.ts';

const origin = 'nacos public/DEFAULT_GROUP/orders';
const service = { apiVersion: 'lanekeeper.io/v1alpha1', kind: 'Service', metadata: { name: 'orders' } };
const rule = (trafficLabel: string) => ({
  apiVersion: 'traffic.opensergo.io/v1alpha1',
  kind: 'TrafficLabelRule',
  metadata: { name: 'r', namespace: 'shop' },
  spec: { trafficLabel, match: [{ condition: '==', type: 'header', key: 'a', value: 'b' }] },
});

test('a document of a value is what one of a text is, and its place is where the value is from', () => {
  const document = documentFrom({ ...service, metadata: { name: 'orders', namespace: 'shop' } }, origin);
  expect(document).toMatchObject({ kind: 'Service', namespace: 'shop', name: 'orders', file: origin });
  expect(document.place(['spec', 'ports'])).toEqual({ file: origin });
  expect(document.keyPlace(['spec'])).toEqual({ file: origin });
  expect(document.source(['kind'])).toBeUndefined();
  expect(documentFrom(service, origin).namespace).toBe('default');
});

test('what is wrong with it names where it is from, without a line', () => {
  expect(compile([documentFrom(rule('base'), origin)]).problems.map(formatProblem)).toEqual([
    expect.stringMatching(`^${origin}: spec.trafficLabel: found "base", expected `),
  ]);
  const twice = compile([documentFrom(rule('gray'), 'a'), documentFrom(rule('blue'), 'b')]).problems;
  expect(twice.map(formatProblem)).toEqual([expect.stringContaining('the first is at a, rename one of them')]);
});

describe('a value that somebody else wrote', () => {
  test.each([
    ['no mapping', 1, `${origin}: found 1, expected a mapping with apiVersion, kind and metadata`],
    ['no name', { ...service, metadata: {} }, `${origin}: metadata.name: found nothing, expected a name`],
    ['a List without a list', { kind: 'List', items: {} }, `${origin}: items: found an empty mapping, expected a list`],
  ])('may be %s', (_, value, message) => {
    expect(documentsFrom(value, origin)).toMatchObject({ documents: [] });
    expect(documentsFrom(value, origin).problems.map(formatProblem)).toEqual([message]);
  });

  test('may be a List of documents', () => {
    const { documents, problems } = documentsFrom({ kind: 'List', items: [service, rule('gray')] }, origin);
    expect(documents.map(({ name }) => name)).toEqual(['orders', 'r']);
    expect(problems).toEqual([]);
  });
});

test('a value of ours without an envelope is a bug, and throws', () => {
  expect(() => documentFrom({ ...service, kind: '' }, origin)).toThrow(`${origin}: `);
});
