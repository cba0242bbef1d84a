// The gate must let through whatever a rule could label: what it holds back, the processor never sees.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gateNotes, gatesOf, isBelow, maxGates, pathMatch } from '../../src/envoy/routes/gate.ts';
import { patternInBytes } from '../../src/envoy/routes/pattern.ts';
import type { TrafficRule } from '../../src/rules/compile.ts';
import { indexRules } from '../../src/rules/lookup.ts';
import { match } from '../../src/rules/match.ts';
import type { Label } from '../../src/traffic/label.ts';
import { bytesOf, pathOf } from '../../src/traffic/request.ts';
import { rulesOf, trafficRule } from '../rules/fixture.ts';
import { cases, ruleText, type Written } from './cases.ts';
import { isLetThrough, passes, requestOf, type Sent } from './evaluator.ts';

test('whatever a rule labels is let through, at every prefix that the request is below', () => {
  let labelled = 0;
  fc.assert(
    fc.property(cases, (given) => {
      const { traffic } = rulesOf(ruleText(given));
      const isRouted = passes(pathMatch(given.prefix), given.sent);
      if (!isRouted || labelOf(traffic, given.sent) === undefined) return;
      labelled += 1;
      // Also where there are so few routes that they are merged, then reduced to presence, then to one.
      for (const limit of [200, 2, 1, 0])
        expect([limit, isLetThrough(gatesOf(traffic, given.prefix, limit), given.sent)]).toEqual([limit, true]);
    }),
    { seed: 3, numRuns: 6_000 },
  );
  expect(labelled).toBeGreaterThan(400);
});

function labelOf(rules: readonly TrafficRule[], sent: Sent): Label | undefined {
  return match(indexRules(rules), requestOf(sent), 'w3c:1')?.label;
}

/** True where a request must have something that most have not. */
function asksForValue({ type, condition }: Written): boolean {
  return (
    /^(?:header|query|cookie|sourceLabel|dubbo.*)$/.test(type) &&
    /^(?:==|in|prefix|suffix|regex|exists)$/.test(condition)
  );
}

const user = { condition: '==', key: 'user', value: '1' };
const none = { condition: 'absent', key: 'user' };
const caller = { ...user, type: 'sourceLabel' };
const pattern = { ...user, condition: 'regex' };
const shop = { condition: '==', type: 'dubboInterface', value: 'com.shop.A' };
const create = { condition: '==', type: 'dubboMethod', value: 'create' };
const call = (path: string, method = 'POST'): Sent => ({ method, path, headers: [] });

describe('what a rule labels is let through', () => {
  test.each<[string, object[], Sent]>([
    ['a query among others', [{ ...user, type: 'query' }], { path: '/a?b=c&user=1&d', headers: [] }],
    ['a query before a fragment', [{ ...user, type: 'query' }], { path: '/a?user=1#b', headers: [] }],
    ['an encoded value', [{ ...user, type: 'query' }], { path: '/a?user=%31', headers: [] }],
    ['an encoded key', [{ ...user, type: 'query' }], { path: '/a?us%65r=1', headers: [] }],
    ['a key without a value', [{ ...user, value: '', type: 'query' }], { path: '/a?user', headers: [] }],
    ['a key with an empty value', [{ ...user, value: '', type: 'query' }], { path: '/a?user=&b', headers: [] }],
    [
      'a query after a byte that is no UTF-8',
      [{ ...user, type: 'query' }],
      { path: '/\xff?a=\xe9&user=1', headers: [] },
    ],
    ['a cookie among others', [{ ...user, type: 'cookie' }], { path: '/', headers: [['cookie', 'a=b; user=1;c=d']] }],
    ['a cookie with spaces', [{ ...user, type: 'cookie' }], { path: '/', headers: [['cookie', 'a=b;\tuser = 1 ']] }],
    [
      'a cookie on a second line',
      [{ ...user, type: 'cookie' }],
      {
        path: '/',
        headers: [
          ['cookie', 'a=b'],
          ['cookie', 'user=1'],
        ],
      },
    ],
    [
      'a cookie after a byte that is no UTF-8',
      [{ ...user, type: 'cookie' }],
      { path: '/', headers: [['cookie', 'name=Jos\xe9; user=1']] },
    ],
    [
      'a cookie before a byte that is no UTF-8',
      [{ ...user, type: 'cookie' }],
      { path: '/', headers: [['cookie', 'user=1; name=Jos\xe9']] },
    ],
    [
      'a header on two lines',
      [{ ...user, type: 'header', key: 'X', value: 'a,b' }],
      {
        path: '/',
        headers: [
          ['x', 'a'],
          ['x', 'b'],
        ],
      },
    ],
    ['an empty header', [{ ...user, type: 'header', key: 'X', value: '' }], { path: '/', headers: [['x', '']] }],
    [
      'a path in UTF-8',
      [{ condition: '==', type: 'path', value: '/größe' }],
      { path: bytesOf('/größe?a'), headers: [] },
    ],
    ...['^1$', '1$', '^1', '(^1|2)', '\\A1\\z', '\\b1\\b', '^1|2$'].flatMap((value): [string, object[], Sent][] => [
      [
        `a cookie by ${value}`,
        [{ ...pattern, type: 'cookie', value }],
        { path: '/', headers: [['cookie', 'a=b; user=1']] },
      ],
      [`a query by ${value}`, [{ ...pattern, type: 'query', value }], { path: '/?user=1&b', headers: [] }],
    ]),
    [
      'no cookie of a name that none has',
      [{ ...none, type: 'cookie', key: 'a=b' }],
      { path: '/', headers: [['cookie', 'a=b=1']] },
    ],
    [
      'no cookie of a name with a space',
      [{ ...none, type: 'cookie', key: ' a' }],
      { path: '/', headers: [['cookie', 'b=1; a=1']] },
    ],
    ...['a=b', 'a&b', '%61'].map((key): [string, object[], Sent] => [
      `no query ${key} where one looks so`,
      [{ ...none, type: 'query', key }],
      { path: `/?${key}`, headers: [] },
    ]),
    ['no query where one stands in a value', [{ ...none, type: 'query' }], { path: '/?a=b?user=1', headers: [] }],
    ['a label of the caller', [caller], { path: '/', headers: [['x-lane-source', 'a=1&user=1&x=y']] }],
    [
      'a label that is encoded',
      [{ ...caller, value: 'a,b' }],
      { path: '/', headers: [['x-lane-source', 'user=a%2Cb']] },
    ],
    [
      'a label that is encoded, by a pattern',
      [{ ...caller, condition: 'regex', value: '^.,b$' }],
      { path: '/', headers: [['x-lane-source', 'a=1&user=a%2Cb']] },
    ],
    [
      'another label of the caller',
      [{ ...caller, condition: '!=' }],
      { path: '/', headers: [['x-lane-source', 'user=11']] },
    ],
    ['a caller without labels', [{ ...caller, condition: 'notIn', value: ['1', '2'] }], { path: '/', headers: [] }],
    [
      'a caller without this label',
      [{ ...caller, condition: 'absent', value: undefined }],
      { path: '/', headers: [['x-lane-source', 'users=1']] },
    ],
    ['a path by ^/a$', [{ condition: 'regex', type: 'path', value: '^/a$' }], { path: '/a?b', headers: [] }],
    [
      'a host with a port by ^shop$',
      [{ condition: 'regex', type: 'host', value: '^shop$' }],
      { path: '/', host: 'shop:80', headers: [] },
    ],
    ['a call', [shop, create], call('/com.shop.A/create?a=b')],
    ['a call of another method', [shop, { ...create, condition: '!=' }], call('/com.shop.A/createAll')],
    ['a method that is denied, by no call', [{ ...create, condition: '!=' }], call('/com.shop.A/create', 'GET')],
    ['a call by a pattern', [{ ...shop, condition: 'regex', value: '^com[.].*$' }], call('/com.shop.A/create')],
    ['a call by a beginning', [{ ...create, condition: 'prefix', value: 'cre' }], call('/com.shop.A/create')],
    [
      'a call of a version',
      [shop, { ...create, type: 'dubboVersion', value: '1.2.0' }],
      { ...call('/com.shop.A/create'), headers: [['tri-service-version', '1.2.0']] },
    ],
  ])('%s', (_, conditions, sent) => {
    const { traffic } = rulesOf(trafficRule('gray', { match: conditions }));
    expect(labelOf(traffic, sent)).toBe('gray');
    expect(isLetThrough(gatesOf(traffic), sent)).toBe(true);
  });
});

describe('what no rule can label is not shown to the processor', () => {
  const path = { condition: '==', type: 'path', value: '/a/b' };
  test.each<[string, object, Sent]>([
    ['another value', { match: [{ ...user, type: 'cookie' }] }, { path: '/', headers: [['cookie', 'user=12']] }],
    [
      'another cookie',
      { match: [{ ...user, type: 'cookie' }] },
      { path: '/', headers: [['cookie', 'xuser=1; user2=1']] },
    ],
    ['another parameter', { match: [{ ...user, type: 'query' }] }, { path: '/?xuser=1&user=12', headers: [] }],
    ['a path like the query', { match: [{ ...user, type: 'query' }] }, { path: '/user=1', headers: [] }],
    ['the key of a query alone', { match: [{ ...user, type: 'query' }] }, { path: '/?user', headers: [] }],
    ['an encoded path without a query', { match: [{ ...user, type: 'query' }] }, { path: '/a%20b', headers: [] }],
    ['a longer path', { match: [path] }, { path: '/a/b/c', headers: [] }],
    ['no header', { match: [{ ...user, type: 'header' }] }, { path: '/', headers: [] }],
    ['one of two conditions', { match: [path, { ...user, type: 'header' }] }, { path: '/a/b', headers: [] }],
    ['a rule without conditions', { match: [] }, { path: '/', headers: [] }],
    ['a percentage of zero', { match: [path], percentage: 0 }, { path: '/a/b', headers: [] }],
    ['no label of the caller', { match: [caller] }, { path: '/', headers: [] }],
    [
      'another label of the caller',
      { match: [caller] },
      { path: '/', headers: [['x-lane-source', 'user=12&xuser=1']] },
    ],
    [
      'a caller that is denied',
      { match: [{ ...caller, condition: '!=' }] },
      { path: '/', headers: [['x-lane-source', 'a=b&user=1']] },
    ],
    [
      'a caller that has a label',
      { match: [{ ...caller, condition: 'absent', value: undefined }] },
      { path: '/', headers: [['x-lane-source', 'a=b&user=']] },
    ],
    ['a call of another interface', { match: [shop] }, call('/com.shop.AB/create')],
    ['a call of another method', { match: [shop, create] }, call('/com.shop.A/createAll')],
    ['no POST', { match: [shop] }, call('/com.shop.A/create', 'GET')],
    ['a path of three parts', { match: [shop] }, call('/com.shop.A/create/all')],
    ['a path of one part', { match: [{ ...create, condition: 'exists', value: undefined }] }, call('/create')],
    [
      'a path of three parts that a pattern takes',
      { match: [{ ...shop, condition: 'regex', value: '.*' }] },
      call('/com.shop/A/create'),
    ],
    ['an end in the query', { match: [{ ...create, condition: 'suffix' }] }, call('/com.shop.A/get?re=create')],
    ['a beginning before a part', { match: [{ ...shop, condition: 'prefix', value: 'com' }] }, call('/com/shop/A')],
    [
      'a method that is denied, of an interface',
      { match: [shop, { ...create, condition: 'notIn', value: ['create', 'get'] }] },
      call('/com.shop.A/create'),
    ],
    [
      'a call of another version',
      { match: [shop, { ...create, type: 'dubboVersion', value: '1.2.0' }] },
      { ...call('/com.shop.A/create'), headers: [['tri-service-version', '1.1.0']] },
    ],
    ['two paths at once', { match: [path, { ...path, value: '/a' }] }, { path: '/a/b', headers: [] }],
  ])('%s', (_, spec, sent) => {
    expect(isLetThrough(gatesOf(rulesOf(trafficRule('gray', spec)).traffic), sent)).toBe(false);
  });

  test('requests that have nothing in common with the conditions, whatever the rules', () => {
    fc.assert(
      fc.property(cases, (given) => {
        fc.pre(given.rules.every(({ match }) => match.some(asksForValue)));
        const gates = gatesOf(rulesOf(ruleText(given)).traffic, given.prefix);
        const sent: Sent = { path: '/a/b?nothing=here', headers: [['cookie', 'session=0123; theme=dark']] };
        expect(isLetThrough(gates, sent)).toBe(false);
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  test('a rule for a path that is not below the prefix', () => {
    const { traffic } = rulesOf(trafficRule('gray', { match: [path] }));
    expect(gatesOf(traffic, '/b')).toEqual([]);
    expect(gatesOf(traffic, '/a/b/c')).toEqual([]);
    expect(gatesOf(traffic, '/a/')).toEqual([{ path: '/a/b' }]);
  });

  test('a rule for an interface of which no call is below the prefix', () => {
    const { traffic } = rulesOf(trafficRule('gray', { match: [shop] }));
    for (const prefix of ['/b', '/com', '/com.shop.AB', '/a/com.shop.A']) expect(gatesOf(traffic, prefix)).toEqual([]);
    for (const prefix of ['/', '/com.shop.A', '/com.shop.A/create']) expect(gatesOf(traffic, prefix).length).toBe(1);
  });
});

test.each([
  ['/', '/', true],
  ['/a', '/', true],
  ['/a', '/a', true],
  ['/a', '/a/', true],
  ['/a/', '/a', true],
  ['/a/b', '/a', true],
  ['/ab', '/a', false],
  ['/', '/a', false],
  ['/b/a', '/a', false],
])('%s is below %s: %s, for lanekeeper and in Envoy’s match', (path, prefix, below) => {
  expect(isBelow(path, prefix)).toBe(below);
  expect(passes(pathMatch(prefix), { path, headers: [] })).toBe(below);
  expect(passes(pathMatch(prefix), { path: `${path}?q`, headers: [] })).toBe(below);
  expect(pathOf(requestOf({ path: `${path}?q`, headers: [] }))).toBe(path);
});

describe('a thousand rules', () => {
  const gatesFor = (conditionsOf: (position: number) => object[]) =>
    gatesOf(
      rulesOf(Array.from({ length: 1_000 }, (_, at) => trafficRule(`r${at}`, { match: conditionsOf(at) })).join(''))
        .traffic,
    );

  test('that differ in one value are told apart by a few regular expressions', () => {
    const gates = gatesFor((at) => [
      { ...user, type: 'header', value: `user-${at}` },
      { ...user, type: 'cookie' },
    ]);
    expect(gates.length).toBe(5);
    const asked = (value: string): boolean =>
      isLetThrough(gates, {
        path: '/',
        headers: [
          ['user', value],
          ['cookie', 'user=1'],
        ],
      });
    expect(['user-0', 'user-999', 'user-1000', 'user-'].map(asked)).toEqual([true, true, false, false]);
  });

  test('that look at paths are told apart by the path', () => {
    const gates = gatesFor((at) => [{ condition: '==', type: 'path', value: `/p${at}` }]);
    expect(gates.length).toBeLessThanOrEqual(maxGates);
    expect(['/p0', '/p999?a=b', '/p1000', '/'].map((path) => isLetThrough(gates, { path, headers: [] }))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test('that differ in two values ask wherever what they look at is there', () => {
    const gates = gatesFor((at) => [
      { condition: 'prefix', type: 'header', key: 'a', value: `${at}` },
      { condition: 'suffix', type: 'header', key: 'b', value: `${at}` },
    ]);
    expect(gates).toEqual([{ prefix: '/', headers: [{ name: 'a', present_match: true }] }]);
  });

  test('that differ in two labels of the caller ask wherever it has the first', () => {
    const gates = gatesFor((at) => [
      { ...caller, condition: 'prefix', value: `${at}` },
      { ...caller, condition: 'suffix', key: 'b', value: `${at}` },
    ]);
    expect(gates.length).toBe(1);
    const asked = (value: string) => isLetThrough(gates, { path: '/', headers: [['x-lane-source', value]] });
    expect(['a=1&user=', 'b=1'].map(asked)).toEqual([true, false]);
  });

  test('for the methods of an interface are told apart by a few regular expressions', () => {
    const gates = gatesFor((at) => [shop, { ...create, value: `method${at}` }]);
    expect(gates.length).toBe(5);
    const asked = (path: string) => isLetThrough(gates, call(path));
    const paths = ['/com.shop.A/method0', '/com.shop.A/method999', '/com.shop.A/method1000', '/com.shop.B/method0'];
    expect(paths.map(asked)).toEqual([true, true, false, false]);
  });

  test.each([shop, create])('that differ in what they call twice ask for every call: %o', (called) => {
    const gates = gatesFor((at) => [
      { ...called, condition: 'prefix', value: `a${at}` },
      { ...called, condition: 'suffix', value: `b${at}` },
    ]);
    expect(gates.length).toBe(1);
    const asked = [call('/a1/b'), call('/c/d'), call('/a1/b', 'GET'), call('/a1')];
    expect(asked.map((sent) => isLetThrough(gates, sent))).toEqual([true, true, false, false]);
  });

  test('that have nothing in common let everything through', () => {
    const gates = gatesFor((at) => [{ condition: '==', type: 'header', key: `x-${at}`, value: '1' }]);
    expect(gates).toEqual([{ prefix: '/' }]);
  });
});

test('a rule for everything lets everything through, in one route', () => {
  const lane = `apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLane
metadata: { name: all }
spec: { rules: { lane: { name: gray }, workload: { selector: { app: b } } } }
`;
  const { traffic } = rulesOf(lane + trafficRule('a', { match: [{ ...user, type: 'header' }] }));
  expect(gatesOf(traffic)).toEqual([{ prefix: '/' }]);
  expect(gatesOf(traffic, '/b')).toEqual([{ path_separated_prefix: '/b' }]);
});

test('what routes cannot say of a rule is noted', () => {
  const notesFor = (spec: object): readonly string[] => {
    const { traffic } = rulesOf(trafficRule('a', spec));
    return [...gateNotes(traffic).values()].flat();
  };
  expect(notesFor({ match: [{ ...user, type: 'header' }] })).toEqual([]);
  expect(notesFor({ match: [{ ...user, type: 'header' }], percentage: 12.5 })).toEqual([
    'percentage 12.5 is decided by the processor',
  ]);
  expect(notesFor({ match: [{ condition: '==', type: 'sourceIp', value: '10.0.0.0/8' }] })).toEqual([
    'routes do not know the source address',
  ]);
  expect(
    notesFor({
      match: [{ ...user, condition: '!=', type: 'query' }],
      anyOf: [
        [{ ...user, condition: 'notIn', type: 'cookie', value: ['1'] }],
        [{ condition: 'regex', type: 'header', key: 'a', value: '\\pL' }],
      ],
    }),
  ).toEqual([
    'routes cannot say "!=" of query user',
    'routes cannot say "notIn" of cookie user',
    'routes cannot say "regex" of header a',
  ]);
  const other = { ...create, condition: '!=' };
  expect(notesFor({ match: [shop, create, { ...create, type: 'dubboVersion' }] })).toEqual([]);
  expect(notesFor({ match: [shop, other] })).toEqual([]);
  expect(notesFor({ match: [other] })).toEqual(['routes cannot say "!=" of dubboMethod']);
  expect(notesFor({ match: [{ ...shop, condition: 'regex', value: '\\pL+' }] })).toEqual([
    'routes cannot say "regex" of dubboInterface',
  ]);
  for (const condition of ['==', '!=', 'prefix']) expect(notesFor({ match: [{ ...caller, condition }] })).toEqual([]);
  expect(notesFor({ match: [{ ...caller, condition: 'regex', value: '\\pL' }] })).toEqual([
    'routes cannot say "regex" of sourceLabel user',
  ]);
});

describe('a pattern is told to Envoy in bytes', () => {
  const multibyte = '[\\xc2-\\xdf][\\x80-\\xbf]|[\\xe0-\\xef][\\x80-\\xbf]{2}|[\\xf0-\\xf4][\\x80-\\xbf]{3}';
  test.each([
    ['cn-(?:shenzhen|beijing)', 'cn-(?:shenzhen|beijing)'],
    ['[a-z]+\\.example', '[a-z]+\\.example'],
    ['^(a|b){2,3}$', '(a|b){2,3}'],
    ['a\\$', 'a\\$'],
    ['a\\\\$', 'a\\\\'],
    ['^a|b$', 'a|b'],
    ['[$^]', '[$^]'],
    ['^$', '(?:)'],
    ['.*', `(?:[^\\n\\x80-\\xff]|${multibyte})*`],
    ['[^/]+', `(?:[^/\\x80-\\xff]|${multibyte})+`],
    ['\\D', `(?:[^\\d\\x80-\\xff]|${multibyte})`],
    ['ö+', '(?:ö)+'],
    ['\\\\E', '\\\\E'],
  ])('%s', (pattern, expected) => expect(patternInBytes(pattern)).toBe(expected));

  test.each([
    '\\pL',
    '[[:alpha:]]',
    '[a-ö]',
    '[^\\D]',
    '\\Qa',
    '(?P<name>a)',
    '(?s).',
    '(?i)a',
    '\\x41',
    'a\tb',
    '(^a)',
    '^*a',
    'a$|b',
    '\\Aa\\z',
  ])('or not at all: %s', (pattern) => expect(patternInBytes(pattern)).toBeUndefined());
});
