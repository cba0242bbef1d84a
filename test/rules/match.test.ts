import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bucketOf } from '../../src/rules/conditions/percentage.ts';
import { explain } from '../../src/rules/explain.ts';
import { indexRules } from '../../src/rules/lookup.ts';
import { match } from '../../src/rules/match.ts';
import { bytesOf } from '../../src/traffic/request.ts';
import { type Parts, requestFrom, requestOf, rulesOf, trafficRule } from './fixture.ts';
import { naive, type Spec, type Written } from './naive.ts';

const header = { condition: '==', type: 'header', key: 'Location', value: 'cn-shenzhen' };
const path = { condition: '==', type: 'path', value: '/a' };
const query = { condition: '==', type: 'query', key: 'user', value: 'a b' };
const cookie = { condition: '==', type: 'cookie', key: 'user', value: '1' };
const shenzhen = { location: 'cn-shenzhen' };

describe('a rule matches where all its conditions hold, else it says which did not', () => {
  test.each<[string, object[], string, Record<string, string>, string | undefined]>([
    ['header', [header], '/', shenzhen, undefined],
    ['header: another value', [header], '/', { location: 'cn' }, 'header Location is not "cn-shenzhen"'],
    ['header: values have case', [header], '/', { location: 'CN-Shenzhen' }, 'header Location is not "cn-shenzhen"'],
    ['header: missing', [header], '/', {}, 'header Location is not "cn-shenzhen"'],
    ['header: beginning with it', [header], '/', { location: 'cn-shenzhen-1' }, 'header Location is not "cn-shenzhen"'],
    ['header: repeated', [header], '/', { location: 'a,cn-shenzhen' }, 'header Location is not "cn-shenzhen"'],
    ['header: empty value', [{ ...header, value: '' }], '/', { location: '' }, undefined],
    ['header: missing is not empty', [{ ...header, value: '' }], '/', {}, 'header Location is not ""'],
    ['header: UTF-8 by bytes', [{ ...header, value: '深圳' }], '/', { location: bytesOf('深圳') }, undefined],
    ['header: a number as its text', [{ ...header, value: 12345 }], '/', { location: '12345' }, undefined],
    ['header: a boolean as its text', [{ ...header, value: true }], '/', { location: 'true' }, undefined],
    ['path', [path], '/a', {}, undefined],
    ['path: without the query', [path], '/a?b=c', {}, undefined],
    ['path: not what is below', [path], '/a/b', {}, 'path is not "/a"'],
    ['path: not decoded', [path], '/%61', {}, 'path is not "/a"'],
    ['path: none (CONNECT)', [path], '', {}, 'path is not "/a"'],
    ['query: decoded', [query], '/?user=a%20b', {}, undefined],
    ['query: key decoded', [query], '/?us%65r=a%20b', {}, undefined],
    ['query: the first counts', [query], '/?user=x&user=a%20b', {}, 'query user is not "a b"'],
    ['query: missing', [query], '/', {}, 'query user is not "a b"'],
    ['query: UTF-8 key', [{ ...query, key: 'größe' }], '/?gr%C3%B6%C3%9Fe=a%20b', {}, undefined],
    ['cookie', [cookie], '/', { cookie: 'a=b; user=1' }, undefined],
    ['cookie: the first counts', [cookie], '/', { cookie: 'user=2; user=1' }, 'cookie user is not "1"'],
    ['cookie: missing', [cookie], '/', {}, 'cookie user is not "1"'],
    ['all', [header, path, query, cookie], '/a?user=a%20b', { ...shenzhen, cookie: 'user=1' }, undefined],
    ['all but the last', [header, path, cookie], '/a', shenzhen, 'cookie user is not "1"'],
    ['no conditions', [], '/', shenzhen, 'no conditions'],
  ])('%s', (_, conditions, target, headers, reason) => {
    const { traffic } = rulesOf(trafficRule('gray', { match: conditions }));
    const { rule, lost } = explain(traffic, requestOf(target, headers), 'trace');
    expect(rule?.name).toBe(reason === undefined ? 'default/gray' : undefined);
    expect(lost).toEqual(reason === undefined ? [] : [{ rule: traffic[0], reason }]);
  });
});

describe('a percentage', () => {
  const sticky = { match: [header], stickyBy: { type: 'header', key: 'X-User' } };
  const isIn = (spec: object, headers: Record<string, string>, identity: string | undefined): boolean =>
    match(
      indexRules(rulesOf(trafficRule('gray', spec)).traffic),
      requestOf('/', { ...shenzhen, ...headers }),
      identity,
    ) !== undefined;
  const users = Array.from({ length: 300 }, (_, i) => `user-${i}`);

  test.each<[string, object, Record<string, string>, string | undefined, string]>([
    ['of zero chooses nobody', { match: [header], percentage: 0 }, {}, 'trace', 'percentage 0: not among the chosen'],
    ['needs a trace', { match: [header], percentage: 100 }, {}, undefined, 'percentage 100: no value to stick by'],
    [
      'needs the value it sticks by',
      { ...sticky, percentage: 100 },
      {},
      'trace',
      'percentage 100: no value to stick by',
    ],
    [
      'comes after the conditions',
      { ...sticky, percentage: 0.5 },
      { location: 'cn' },
      'trace',
      'header Location is not "cn-shenzhen"',
    ],
  ])('%s', (_, spec, headers, identity, reason) => {
    const { traffic } = rulesOf(trafficRule('gray', spec));
    const explanation = explain(traffic, requestOf('/', { ...shenzhen, ...headers }), identity);
    expect(explanation).toEqual({ rule: undefined, lost: [{ rule: traffic[0], reason }] });
  });

  test('of a hundred chooses everybody', () => {
    expect(users.every((user) => isIn({ ...sticky, percentage: 100 }, { 'x-user': user }, undefined))).toBe(true);
  });

  test('keeps everybody when it is raised', () => {
    const chosen = [1, 12.34, 50, 99].map(
      (percentage) => new Set(users.filter((user) => isIn({ ...sticky, percentage }, { 'x-user': user }, undefined))),
    );
    for (const [index, smaller] of chosen.slice(0, -1).entries())
      expect([...smaller].filter((user) => !chosen[index + 1]?.has(user))).toEqual([]);
    expect(chosen.map((set) => set.size)).toEqual([...new Set(chosen.map((set) => set.size))].sort((a, b) => a - b));
  });

  test('is decided to a hundredth', () => {
    const user = users.find((each) => bucketOf('default/gray', each) % 100 !== 0) ?? '';
    const bucket = bucketOf('default/gray', user);
    expect(isIn({ ...sticky, percentage: bucket / 100 }, { 'x-user': user }, undefined)).toBe(false);
    expect(isIn({ ...sticky, percentage: (bucket + 1) / 100 }, { 'x-user': user }, undefined)).toBe(true);
  });

  test('follows the trace without stickyBy, and the value with it', () => {
    const [inside, outside] = [true, false].map((side) =>
      users.find((user) => bucketOf('default/gray', user) < 5000 === side),
    );
    const half = { match: [header], percentage: 50 };
    expect(isIn(half, { 'x-user': outside ?? '' }, inside)).toBe(true);
    expect(isIn({ ...sticky, percentage: 50 }, { 'x-user': outside ?? '' }, inside)).toBe(false);
    expect(isIn({ ...sticky, percentage: 50 }, { 'x-user': inside ?? '' }, outside)).toBe(true);
  });
});

test('the first rule in order wins, and those before it say why they lost', () => {
  const rules = rulesOf(
    trafficRule('c', { match: [header], priority: 1, trafficLabel: 'blue' }) +
      trafficRule('a', { match: [path], priority: 2 }) +
      trafficRule('d', { match: [header] }),
  ).traffic;
  const { rule, lost } = explain(rules, requestOf('/', shenzhen), undefined);
  expect([rule?.name, rule?.label]).toEqual(['default/c', 'blue']);
  expect(lost).toEqual([{ rule: rules[0], reason: 'path is not "/a"' }]);
  expect(match(indexRules(rules), requestOf('/', shenzhen), undefined)).toBe(rule);
});

describe('a rule that loses says why, in the words of its condition', () => {
  test.each<[object[], Record<string, string>, string]>([
    [[{ condition: '!=', type: 'header', key: 'A', value: '1' }], { a: '1' }, 'header A is "1"'],
    [[{ condition: 'in', type: 'header', key: 'A', value: ['1', '2'] }], {}, 'header A is none of "1", "2"'],
    [
      [{ condition: 'notIn', type: 'header', key: 'A', value: ['1', '2', '3', '4'] }],
      { a: '4' },
      'header A is one of "1", "2", "3", …',
    ],
    [[{ condition: 'prefix', type: 'path', value: '/a' }], {}, 'path does not begin with "/a"'],
    [[{ condition: 'suffix', type: 'path', value: '/a' }], {}, 'path does not end with "/a"'],
    [[{ condition: 'regex', type: 'cookie', key: 'A', value: 'a+' }], {}, 'cookie A does not match "a+"'],
    [[{ condition: 'exists', type: 'query', key: 'A' }], {}, 'query A is missing'],
    [[{ condition: 'absent', type: 'header', key: 'A' }], { a: '' }, 'header A is there'],
    [[{ condition: '==', type: 'sourceIp', value: '10.0.0.0/8' }], {}, 'sourceIp is not "10.0.0.0/8"'],
    [[{ condition: '==', type: 'sourceLabel', key: 'app', value: 'a' }], {}, 'sourceLabel app is not "a"'],
    [[{ condition: '==', type: 'dubboInterface', value: 'com.A' }], {}, 'dubboInterface is not "com.A"'],
    [[{ condition: 'exists', type: 'dubboMethod' }], {}, 'dubboMethod is missing'],
    [
      [{ condition: 'in', type: 'dubboVersion', value: ['1', '2'] }],
      { 'tri-service-version': '3' },
      'dubboVersion is none of "1", "2"',
    ],
    [[{ condition: '!=', type: 'dubboGroup', value: 'g' }], { 'tri-service-group': 'g' }, 'dubboGroup is "g"'],
  ])('%j', (conditions, headers, reason) => {
    const { traffic } = rulesOf(trafficRule('gray', { match: conditions }));
    expect(explain(traffic, requestOf('/', headers), undefined).lost).toEqual([{ rule: traffic[0], reason }]);
  });

  test('of anyOf every list says it, and what they have in common is said once', () => {
    const { traffic } = rulesOf(trafficRule('gray', { match: [path], anyOf: [[header], [cookie]] }));
    const reasonFor = (target: string) => explain(traffic, requestOf(target), undefined).lost[0]?.reason;
    expect(reasonFor('/a')).toBe('header Location is not "cn-shenzhen"; cookie user is not "1"');
    expect(reasonFor('/b')).toBe('path is not "/a"');
  });
});

describe('a regular expression', () => {
  const isMatching = (value: string, sent: string): boolean => {
    const { traffic } = rulesOf(trafficRule('a', { match: [{ condition: 'regex', type: 'header', key: 'a', value }] }));
    return match(indexRules(traffic), requestOf('/', { a: sent }), undefined) !== undefined;
  };

  test('does not look at more than 8192 bytes: a longer value does not match', () => {
    expect(isMatching('a+', 'a'.repeat(8192))).toBe(true);
    expect(isMatching('a+', 'a'.repeat(8193))).toBe(false);
  });

  test('takes no longer for a value made to take long', () => {
    const started = performance.now();
    expect(isMatching('(a+)+b', 'a'.repeat(8192))).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test('does not match what is no UTF-8', () => {
    expect(isMatching('.*', '\xff')).toBe(false);
    expect(isMatching('.', bytesOf('ö'))).toBe(true);
  });
});

// Few words, so that rules and requests meet often.
const word = fc.constantFrom('a', 'b', 'ab', 'ba');
const keyed = fc.record({
  type: fc.constantFrom('header', 'query', 'cookie', 'sourceLabel'),
  key: fc.constantFrom('a', 'B'),
});
const unkeyed = fc
  .constantFrom('path', 'method', 'host', 'sourceIp', 'dubboInterface', 'dubboMethod', 'dubboVersion', 'dubboGroup')
  .map((type) => ({ type }));
const methods = fc.constantFrom('GET', 'POST');
const hosts = fc.constantFrom('a', 'b.a', 'A.a', 'ab');
const addresses = fc.constantFrom('10.0.0.1', '10.1.0.1', 'fd00::1');
const ranges = fc.constantFrom('10.0.0.0/8', '10.0.0.1', 'fd00::/8', '0.0.0.0/0');

function valueFor(type: string): fc.Arbitrary<string> {
  if (type === 'path') return word.map((text) => `/${text}`);
  if (type === 'method') return methods;
  if (type === 'host') return hosts;
  return type === 'sourceIp' ? ranges : word;
}

const anyCondition: fc.Arbitrary<Written> = fc.oneof(keyed, unkeyed).chain((key) => {
  const isRange = key.type === 'sourceIp';
  const value = valueFor(key.type);
  const list = fc.array(value, { minLength: 1, maxLength: 3 });
  const start = key.type === 'path' ? fc.constantFrom('/', '/a', '/b') : fc.constantFrom('a', 'b', 'G');
  return fc
    .oneof(
      fc.record({ condition: fc.constantFrom('==', '!='), value }),
      fc.record({ condition: fc.constantFrom('in', 'notIn'), value: list }),
      fc.record({ condition: fc.constantFrom('exists', 'absent') }),
      ...(isRange
        ? []
        : [
            fc.record({ condition: fc.constant('prefix'), value: start }),
            fc.record({ condition: fc.constant('suffix'), value: fc.constantFrom('a', 'b', 'T') }),
            fc
              .record({ condition: fc.constant('regex'), value: fc.constantFrom('/?a.*', '[ab]+', '.*b|G.*', '') })
              .filter(({ value: pattern }) => pattern !== ''),
          ]),
    )
    .map((rest) => ({ ...key, ...rest }) as Written);
});

const conditions = fc.array(anyCondition, { maxLength: 2 });
const anySpec: fc.Arbitrary<Spec> = fc
  .record({
    match: fc.option(conditions, { nil: undefined }),
    anyOf: fc.option(fc.array(conditions, { maxLength: 3 }), { nil: undefined, freq: 2 }),
    priority: fc.integer({ min: -1, max: 1 }),
    percentage: fc.constantFrom(undefined, undefined, 0, 50, 100),
    stickyBy: fc.option(fc.oneof(keyed, unkeyed), { nil: undefined, freq: 2 }),
  })
  .map(({ match: all, anyOf, percentage, stickyBy, priority }) => ({
    ...((all !== undefined || anyOf === undefined) && { match: all ?? [] }),
    ...(anyOf !== undefined && { anyOf }),
    priority,
    ...(percentage !== undefined && { percentage, ...(stickyBy !== undefined && { stickyBy }) }),
  }));

const some = fc.dictionary(fc.constantFrom('a', 'b'), word, { noNullPrototype: true });
const anyRequest: fc.Arbitrary<Parts> = fc
  .record({
    method: methods,
    host: hosts.map((host) => `${host}:80`),
    path: fc.oneof(
      word,
      fc.tuple(word, word).map((parts) => parts.join('/')),
      fc.constantFrom('', 'a/', '/a', 'a/b/a'),
    ),
    query: some,
    cookies: some,
    headers: some,
    labels: fc.option(some, { nil: undefined }),
    version: fc.option(word, { nil: undefined }),
    group: fc.option(word, { nil: undefined }),
    sourceAddress: fc.option(addresses, { nil: undefined }),
  })
  .map(({ path: below, query: pairs, cookies, headers, labels, version, group, sourceAddress, ...rest }) => ({
    ...rest,
    path: `/${below}?${joined(pairs, '&')}`,
    headers: {
      ...headers,
      cookie: joined(cookies, '; '),
      ...(labels !== undefined && { 'x-lane-source': joined(labels, '&') }),
      ...(version !== undefined && { 'tri-service-version': version }),
      ...(group !== undefined && { 'tri-service-group': group }),
    },
    ...(sourceAddress !== undefined && { sourceAddress }),
  }));

function joined(pairs: Readonly<Record<string, string>>, by: string): string {
  return Object.entries(pairs)
    .map((pair) => pair.join('='))
    .join(by);
}

test('the index, the explanation and a naive reading agree on any rules and requests', () => {
  let matched = 0;
  const property = fc.property(
    fc.array(anySpec, { minLength: 1, maxLength: 50, size: 'max' }),
    fc.array(anyRequest, { minLength: 1, maxLength: 5 }),
    fc.option(word, { nil: undefined }),
    (specs, requests, identity) => {
      const named = Object.fromEntries(specs.map((spec, position) => [`r${position}`, spec]));
      const { traffic } = rulesOf(
        Object.entries(named)
          .map(([name, spec]) => trafficRule(name, spec))
          .join(''),
      );
      const rules = indexRules(traffic);
      for (const parts of requests) {
        const request = requestFrom(parts);
        const winner = match(rules, request, identity);
        if (winner !== undefined) matched++;
        const expected = naive(named, parts, identity);
        expect(winner?.name).toBe(expected && `default/${expected}`);
        const { rule, lost } = explain(traffic, request, identity);
        expect(rule).toBe(winner);
        expect(lost.map((loss) => loss.rule)).toEqual(winner ? traffic.slice(0, traffic.indexOf(winner)) : traffic);
      }
    },
  );
  fc.assert(property, { seed: 7, numRuns: 300 });
  expect(matched).toBeGreaterThan(500);
});

test('of a thousand rules only those are looked at that could match', () => {
  const rules = Array.from({ length: 1_000 }, (_, position) =>
    trafficRule(`r${position}`, {
      match: [
        { condition: '==', type: 'method', value: 'GET' },
        { condition: position % 2 ? '==' : 'prefix', type: 'path', value: `/${position}` },
      ],
    }),
  );
  const { lookups, others } = indexRules(rulesOf(rules.join('')).traffic);
  expect(others).toEqual([]);
  expect(lookups.map(({ key }) => key)).toEqual([{ type: 'path', key: '' }]);
  expect(
    Math.max(
      ...lookups.flatMap(({ tables }) =>
        tables.flatMap(({ found }) => [...found.values()].map(({ length }) => length)),
      ),
    ),
  ).toBe(1);
});
