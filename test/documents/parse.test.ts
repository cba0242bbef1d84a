import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Document, parse } from '../../src/documents/parse.ts';
import { formatProblem } from '../../src/problem.ts';
import { compile } from '../../src/rules/compile.ts';
import { trafficRule } from '../rules/fixture.ts';

const text = `# a comment
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata:
  name: gray
  namespace: shop
spec:
  match:
  - key: 'location'
    value: 1.10
  - &second
    value: "quoted"
  - *second
`;

function only(source: string): Document {
  const { documents, problems } = parse(source, 'rules.yaml');
  expect(problems).toEqual([]);
  expect(documents).toHaveLength(1);
  return documents[0] as Document;
}

test('a document says what it is', () => {
  expect(only(text)).toMatchObject({
    apiVersion: 'traffic.opensergo.io/v1alpha1',
    kind: 'TrafficLabelRule',
    namespace: 'shop',
    name: 'gray',
    file: 'rules.yaml',
    value: { spec: { match: [{ key: 'location', value: 1.1 }, { value: 'quoted' }, { value: 'quoted' }] } },
  });
  expect(only(text)).not.toHaveProperty('creationTimestamp');
});

test('a document without a namespace is in default', () => {
  expect(only('{ apiVersion: v1, kind: A, metadata: { name: a } }').namespace).toBe('default');
});

test('a document says when the API server made it', () => {
  const meta = '{ name: a, creationTimestamp: "2026-01-31T12:00:00Z" }';
  expect(only(`{ apiVersion: v1, kind: A, metadata: ${meta} }`).creationTimestamp).toBe('2026-01-31T12:00:00Z');
});

describe('every value has a place, and what is missing has that of its nearest parent', () => {
  test.each<[(string | number)[], number, number]>([
    [[], 2, 1],
    [['kind'], 3, 7],
    [['metadata', 'name'], 5, 9],
    [['spec', 'match', 0, 'value'], 10, 12],
    [['spec', 'match', 0, 'condition'], 9, 5],
    [['spec', 'match', 7, 'key', 'deeper'], 9, 3],
    [['nowhere'], 2, 1],
    [['metadata', 'name', 'deeper'], 5, 9],
    [['spec', 'match', 2, 'value'], 12, 12],
  ])('%j', (path, line, column) => {
    expect(only(text).place(path)).toEqual({ file: 'rules.yaml', line, column });
  });
});

test('the name of a field has a place of its own', () => {
  expect(only(text).keyPlace(['spec', 'match', 0, 'value'])).toMatchObject({ line: 10, column: 5 });
});

test('a scalar is known as it was written', () => {
  const document = only(text);
  expect(document.source(['spec', 'match', 0, 'value'])).toEqual({ text: '1.10', plain: true });
  expect(document.source(['spec', 'match', 0, 'key'])).toEqual({ text: 'location', plain: false });
  expect(document.source(['spec', 'match', 2, 'value'])).toEqual({ text: 'quoted', plain: false });
  expect(document.source(['spec', 'match'])).toBeUndefined();
  expect(document.source(['spec', 'nothing'])).toBeUndefined();
});

test('a tag makes a plain scalar text', () => {
  const document = only('{ apiVersion: v1, kind: A, metadata: { name: !!str 1.10 } }');
  expect(document.name).toBe('1.10');
  expect(document.source(['metadata', 'name'])?.plain).toBe(false);
});

test('a file may hold several documents; empty ones do not count', () => {
  const each = (name: string): string => `{ apiVersion: v1, kind: A, metadata: { name: ${name} } }\n`;
  const { documents, problems } = parse(`---\n---\n${each('a')}---\n# nothing\n---\n~\n---\n${each('b')}...\n`, 'f');
  expect(problems).toEqual([]);
  expect(documents.map((document) => document.name)).toEqual(['a', 'b']);
  expect(documents[1]?.place(['kind'])).toMatchObject({ line: 9, column: 25 });
});

test('a text without documents has no mistakes', () => {
  for (const empty of ['', '\n', '# nothing\n', '---\n', '\uFEFF'])
    expect(parse(empty, 'f')).toEqual({ documents: [], problems: [] });
});

test('a List counts as its items, each with its places', () => {
  const items = ['a', 'b'].map((name) => `- apiVersion: v1\n  kind: A\n  metadata:\n    name: ${name}\n`).join('');
  const { documents, problems } = parse(`apiVersion: v1\nkind: List\nitems:\n${items}`, 'f');
  expect(problems).toEqual([]);
  expect(documents.map(({ kind, name }) => [kind, name])).toEqual([
    ['A', 'a'],
    ['A', 'b'],
  ]);
  expect(documents[1]?.place(['metadata', 'name'])).toMatchObject({ line: 11, column: 11 });
  expect(documents[1]?.source(['metadata', 'name'])).toEqual({ text: 'b', plain: true });
});

test('a directive does not bring in another YAML', () => {
  const { value } = only(
    '%YAML 1.1\n---\n{ apiVersion: v1, kind: A, metadata: { name: a }, x: [yes, 2026-01-01, 0o17], <<: b }',
  );
  expect(value).toMatchObject({ x: ['yes', '2026-01-01', 15], '<<': 'b' });
});

test('mistakes in one document do not hide the others', () => {
  const { documents, problems } = parse(`a: b: c\n---\n${text}---\n[x\n`, 'f');
  expect(documents.map((document) => document.name)).toEqual(['gray']);
  expect(problems.map((problem) => problem.line)).toEqual([1, 18]);
});

describe('a hostile text is answered within bounds', () => {
  const million = 1024 * 1024;
  test.each<[string, string, string]>([
    ['too long', 'x'.repeat(million + 1), 'f: found 1048577 characters, expected at most 1048576; split the file'],
    ['nested lists', '['.repeat(million), 'f:1:201: found too many levels, expected fewer than 100'],
    ['nested dashes', '- '.repeat(million / 2), 'f:1:400: found too many levels, expected fewer than 100'],
    ['mistakes', ']'.repeat(million), 'f:1:1: not plain YAML: Unexpected flow-seq-end token in YAML document: "]"'],
    ['duplicate keys', 'a: 1\n'.repeat(100_000), 'f:2:1: found the key "a" twice, expected it once'],
    [
      'aliases',
      `a: &a 1\nb: [${'*a,'.repeat(100_000)}]`,
      'f:2:30005: found aliases that stand for more than 10000 values; write them out',
    ],
  ])('%s', (_, hostile, first) => {
    const { documents, problems } = parse(hostile, 'f');
    expect(documents).toEqual([]);
    expect(problems[0] && formatProblem(problems[0])).toBe(first);
    expect(problems.length).toBeLessThanOrEqual(101);
  });

  test('fifty thousand mistakes take no longer than a moment', () => {
    const keys = Array.from({ length: 50_000 }, (_, i) => `  k${i}: yes\n`).join('');
    const head = 'apiVersion: traffic.opensergo.io/v1alpha1\nkind: TrafficLabelRule\nmetadata: { name: a }\n';
    const { documents } = parse(`${head}spec:\n${keys}`, 'f');
    const started = performance.now();
    expect(compile(documents).problems).toHaveLength(100);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('nothing that is written makes the reader throw', () => {
  const read = (source: string): void => {
    const { documents, problems } = parse(source, 'f');
    const compiled = compile(documents);
    for (const problem of [...problems, ...compiled.problems])
      expect(formatProblem(problem)).toMatch(/^f:(\d+:\d+: )?/);
  };
  const rule =
    text + trafficRule('b', { match: [{ condition: '==', type: 'header', key: 'a', value: 'b' }], percentage: 1 });
  const piece = fc.constantFrom(
    ...'[]{}:,-?&*!|>\'"%@`#~<\n\t \\',
    '---',
    '...',
    '&a ',
    '*a',
    '!!str ',
    '<<',
    '\u0000',
    '\u2028',
    '\uD800',
    '__proto__',
    'yes',
    '1e999',
  );

  test('arbitrary text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), read), { seed: 1, numRuns: 300 });
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }).map((parts) => parts.join('')),
        read,
      ),
      { seed: 2, numRuns: 400 },
    );
  });

  test('a right document with something cut out and something put in', () => {
    const cut = fc.record({
      at: fc.nat(rule.length),
      length: fc.nat(12),
      piece: fc.oneof(piece, fc.string({ maxLength: 5 })),
    });
    const mutate = (
      source: string,
      { at, length, piece: put }: { at: number; length: number; piece: string },
    ): string => source.slice(0, at) + put + source.slice(at + length);
    fc.assert(
      fc.property(fc.array(cut, { minLength: 1, maxLength: 4 }), (cuts) => read(cuts.reduce(mutate, rule))),
      { seed: 3, numRuns: 400 },
    );
  });

  test('any value at any field', () => {
    const fields = fc.constantFrom('selector', 'trafficLabel', 'match', 'anyOf', 'priority', 'percentage', 'stickyBy');
    fc.assert(
      fc.property(fc.dictionary(fields, fc.jsonValue()), (spec) => read(trafficRule('a', spec))),
      { seed: 4, numRuns: 300 },
    );
  });
});
