import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatProblem } from '../../src/problem.ts';
import { compileCondition, type WrittenCondition } from '../../src/rules/conditions/condition.ts';
import { contradiction, implies } from '../../src/rules/conditions/implication.ts';
import { reviewRules, reviewSelectors, type Surroundings } from '../../src/rules/written/review.ts';
import { rulesOf, trafficRule } from './fixture.ts';

const header = { condition: '==', type: 'header', key: 'a', value: '1' };
const path = { condition: 'prefix', type: 'path', value: '/a' };

/** The warnings about rules in order, by their names `a`, `b`, …; each rule is on two lines of the text. */
function warningsFor(...specs: object[]): string[] {
  const text = specs.map((spec, index) => trafficRule(String.fromCharCode(97 + index), spec)).join('');
  return reviewRules(rulesOf(text)).map(formatProblem);
}

describe('a rule is never reached', () => {
  const never = (name: string, other: string, line: number) =>
    `rules.yaml:${line}:1: warning: rule default/${name} is never reached: default/${other} at rules.yaml:2:1 takes all that it matches`;

  test.each<[string, object, object]>([
    ['where an earlier one is the same', { match: [header] }, { match: [header] }],
    ['where an earlier one asks for less', { match: [header] }, { match: [path, header] }],
    ['with a percentage of its own', { match: [header] }, { match: [header], percentage: 5 }],
    [
      'where an earlier one asks for more values',
      { match: [{ ...header, condition: 'in', value: ['1', '2'] }] },
      { match: [header] },
    ],
    [
      'where an earlier one asks for any value',
      { match: [{ ...header, condition: 'exists', value: undefined }] },
      { match: [header] },
    ],
    ['where an earlier one has a shorter beginning', { match: [path] }, { match: [{ ...path, value: '/a/b' }] }],
    [
      'where an earlier one is for more callers',
      { match: [{ condition: 'prefix', type: 'sourceLabel', key: 'app', value: 'b' }] },
      { match: [{ condition: 'in', type: 'sourceLabel', key: 'app', value: ['b', 'b2'] }] },
    ],
    [
      'where an earlier one is for every POST',
      { match: [{ condition: 'in', type: 'method', value: ['POST', 'PUT'] }] },
      { match: [{ condition: 'prefix', type: 'dubboMethod', value: 'get' }] },
    ],
    [
      'where an earlier one says the version by its header',
      { match: [{ condition: '==', type: 'header', key: 'Tri-Service-Version', value: '1' }] },
      { match: [{ condition: '==', type: 'dubboVersion', value: '1' }] },
    ],
    ['where one of an earlier anyOf is enough', { anyOf: [[path], [header]] }, { match: [header, path] }],
    ['where every list is taken', { match: [path] }, { match: [path], anyOf: [[header], [{ ...header, key: 'b' }]] }],
    [
      'at a part of the workloads',
      { selector: { app: 'b' }, match: [header] },
      { selector: { app: 'b', v: '1' }, match: [header] },
    ],
  ])('%s', (_, earlier, later) => {
    expect(warningsFor(earlier, later)).toEqual([never('b', 'a', 4)]);
  });

  test.each<[string, object, object]>([
    ['an earlier one takes a percentage', { match: [header], percentage: 50 }, { match: [header] }],
    ['an earlier one asks for more', { match: [header, path] }, { match: [header] }],
    ['an earlier one asks for another value', { match: [header] }, { match: [{ ...header, value: '2' }] }],
    ['only some of its lists are taken', { match: [header] }, { anyOf: [[header], [path]] }],
    ['an earlier one is for other workloads', { selector: { app: 'b' }, match: [header] }, { match: [header] }],
    ['an earlier one is for edges', { match: [header] }, { selector: { app: 'b' }, match: [header] }],
    ['an earlier one matches nothing itself', { match: [header], percentage: 0 }, { match: [header] }],
    [
      'an earlier one is for every POST, and it for other methods too',
      { match: [{ condition: '==', type: 'method', value: 'POST' }] },
      { match: [{ condition: '!=', type: 'dubboMethod', value: 'get' }] },
    ],
    ['it is first', { match: [header], priority: -1 }, { match: [path] }],
  ])('but not where %s', (_, earlier, later) => {
    expect(warningsFor(earlier, later).filter((text) => text.includes('never reached'))).toEqual([]);
  });
});

describe('a rule can never match', () => {
  const of = (...conditions: object[]): string[] => warningsFor({ match: conditions });
  test.each<[string, object[], boolean]>([
    ['two values of one header', [header, { ...header, key: 'A', value: '2' }], true],
    ['one value of two headers', [header, { ...header, key: 'b', value: '2' }], false],
    ['a value that is not in the list', [{ ...header, condition: 'in', value: ['2', '3'] }, header], true],
    ['a value that the list denies', [header, { ...header, condition: 'notIn', value: ['1', '2'] }], true],
    ['a path outside of its beginning', [path, { ...path, condition: '==', value: '/b' }], true],
    ['a path within its beginning', [path, { ...path, condition: '==', value: '/a/b' }], false],
    ['two beginnings', [path, { ...path, value: '/b' }], true],
    ['a beginning of a beginning', [path, { ...path, value: '/a/b' }], false],
    ['there and not there', [header, { ...header, condition: 'absent', value: undefined }], true],
    [
      'unlike a value and not there',
      [
        { ...header, condition: '!=' },
        { ...header, condition: 'absent', value: undefined },
      ],
      false,
    ],
    ['a value that its pattern refuses', [header, { ...header, condition: 'regex', value: '[a-z]+' }], true],
    [
      'a call that is no POST',
      [
        { condition: '!=', type: 'method', value: 'POST' },
        { condition: 'exists', type: 'dubboInterface' },
      ],
      true,
    ],
    [
      'no call, and no POST',
      [
        { condition: '==', type: 'method', value: 'GET' },
        { condition: 'absent', type: 'dubboInterface' },
      ],
      false,
    ],
    [
      'an interface and a method of the same name',
      ['dubboInterface', 'dubboMethod'].map((type, index) => ({ condition: '==', type, value: String(index) })),
      false,
    ],
    [
      'ranges, which may overlap',
      ['10.0.0.0/8', '10.1.0.0/16'].map((value) => ({ condition: '==', type: 'sourceIp', value })),
      false,
    ],
  ])('%s: %s', (_, conditions, isNever) => {
    const found = of(...conditions);
    expect(found.length).toBe(isNever ? 1 : 0);
    if (isNever)
      expect(found[0]).toMatch(
        /^rules\.yaml:2:\d+: warning: no request fulfils this condition and the one at rules\.yaml:2:\d+; rule default\/a matches nothing$/,
      );
  });

  test('in one of its lists', () => {
    const [found, ...others] = warningsFor({ match: [header], anyOf: [[path], [{ ...header, value: '2' }]] });
    expect(found).toContain('this list of rule default/a matches nothing');
    expect(others).toEqual([]);
  });

  test('by a percentage of zero', () => {
    expect(warningsFor({ match: [header], percentage: 0 })).toEqual([
      expect.stringMatching(
        /^rules\.yaml:2:\d+: warning: found 0, which chooses nobody; rule default\/a matches nothing$/,
      ),
    ]);
  });
});

describe('a selector meets nothing', () => {
  const some: Surroundings = {
    workloads: [{ namespace: 'default', labels: { app: 'b', version: 'v2' } }],
    hasGateway: false,
    edges: new Set(['shop']),
  };
  const unmet = (text: string, surroundings: Partial<Surroundings> = {}): string[] =>
    reviewSelectors(rulesOf(text), { ...some, ...surroundings }).map(({ message }) => message);

  test.each<[string, object, object, boolean]>([
    ['with labels of an instance', { selector: { app: 'b' } }, {}, false],
    ['with labels of none', { selector: { app: 'b', version: 'v1' } }, {}, true],
    ['in another namespace', { selector: { app: 'b' } }, { namespace: 'shop' }, true],
    ['without selector, and without edge', {}, {}, true],
    ['without selector, and with an edge', {}, { namespace: 'shop' }, false],
  ])('%s: %s', (_, spec, metadata, isUnmet) => {
    const text = trafficRule('a', { match: [header], ...spec }, metadata);
    expect(unmet(text).length).toBe(isUnmet ? 1 : 0);
    expect(unmet(text, { hasGateway: true })).toEqual([]);
  });

  test('of a WorkloadLabelRule', () => {
    const rule = (selector: object): string =>
      `---\n${JSON.stringify({ apiVersion: 'traffic.opensergo.io/v1alpha1', kind: 'WorkloadLabelRule', metadata: { name: 'a' }, spec: { workloadLabels: ['gray'], selector } })}\n`;
    expect(unmet(rule({ app: 'b' }))).toEqual([]);
    expect(unmet(rule({ db: 'b' }))).toEqual([]);
    expect(unmet(rule({ app: 'c' }))).toEqual([
      'found the selector "app: c", and no instance with these labels in namespace default',
    ]);
  });
});

const value = fc.constantFrom('a', 'b', 'ab', '');
const part = fc.constantFrom('a', 'b', 'ab');
const written: fc.Arbitrary<WrittenCondition> = fc
  .oneof(
    fc.record({ condition: fc.constantFrom('==' as const, '!=' as const), value }),
    fc.record({
      condition: fc.constantFrom('in' as const, 'notIn' as const),
      value: fc.array(value, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ condition: fc.constantFrom('prefix' as const, 'suffix' as const), value: part }),
    fc.record({ condition: fc.constant('regex' as const), value: fc.constantFrom('a*', '[ab]+', 'b') }),
    fc.record({ condition: fc.constantFrom('exists' as const, 'absent' as const) }),
  )
  .map((rest) => ({ type: 'header', key: 'x', ...rest }));

test('what is said to follow does, and what is said to be contrary is, for every value', () => {
  const place = { file: 'f', line: 1, column: 1 };
  const values = [undefined, '', 'a', 'b', 'ab', 'ba', 'aa', 'bab', 'c'];
  let [following, contrary] = [0, 0];
  fc.assert(
    fc.property(written, written, (one, other) => {
      const [first, second] = [compileCondition(one, place), compileCondition(other, place)];
      const both = values.filter((each) => first.holds(each) && second.holds(each));
      if (implies(first, second)) {
        following++;
        expect(both).toEqual(values.filter((each) => first.holds(each)));
      }
      if (contradiction([first, second]) !== undefined) {
        contrary++;
        expect(both).toEqual([]);
      }
    }),
    { seed: 17, numRuns: 3_000 },
  );
  expect([following > 300, contrary > 300]).toEqual([true, true]);
});
