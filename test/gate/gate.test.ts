// The gate must let through whatever a rule could label: what it holds back, the processor never sees.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gatesOf, isBelow, pathMatch } from '../../src/envoy/routes/gate.ts';
import { match } from '../../src/rules/match.ts';
import { bytesOf, pathOf } from '../../src/traffic/request.ts';
import { rulesOf, trafficRule } from '../rules/fixture.ts';
import { cases, ruleText } from './cases.ts';
import { isLetThrough, passes, requestOf, type Sent } from './evaluator.ts';

test('whatever a rule labels is let through, at every prefix that the request is below', () => {
  let labelled = 0;
  fc.assert(
    fc.property(cases, (given) => {
      const { traffic } = rulesOf(ruleText(given));
      const gates = gatesOf(traffic, given.prefix);
      const isRouted = passes(pathMatch(given.prefix), given.sent);
      if (!isRouted || match(traffic, requestOf(given.sent), 'w3c:1').rule === undefined) return;
      labelled += 1;
      expect(isLetThrough(gates, given.sent)).toBe(true);
    }),
    { seed: 3, numRuns: 6_000 },
  );
  expect(labelled).toBeGreaterThan(500);
});

const user = { condition: '==', key: 'user', value: '1' };

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
  ])('%s', (_, conditions, sent) => {
    const { traffic } = rulesOf(trafficRule('gray', { match: conditions }));
    expect(match(traffic, requestOf(sent), undefined).rule?.label).toBe('gray');
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
    ['two paths at once', { match: [path, { ...path, value: '/a' }] }, { path: '/a/b', headers: [] }],
  ])('%s', (_, spec, sent) => {
    expect(isLetThrough(gatesOf(rulesOf(trafficRule('gray', spec)).traffic), sent)).toBe(false);
  });

  test('requests that have nothing in common with the conditions, whatever the rules', () => {
    fc.assert(
      fc.property(cases, (given) => {
        fc.pre(given.rules.every(({ match }) => match.some(({ type }) => type !== 'path')));
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
