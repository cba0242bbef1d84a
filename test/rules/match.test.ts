import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { match } from '../../src/rules/match.ts';
import { bucketOf } from '../../src/rules/percentage.ts';
import { bytesOf } from '../../src/traffic/request.ts';
import { requestOf, rulesOf, trafficRule } from './fixture.ts';

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
    const { rule, lost } = match(traffic, requestOf(target, headers), 'trace');
    expect(rule?.name).toBe(reason === undefined ? 'default/gray' : undefined);
    expect(lost).toEqual(reason === undefined ? [] : [{ rule: 'default/gray', reason }]);
  });
});

describe('a percentage', () => {
  const sticky = { match: [header], stickyBy: { type: 'header', key: 'X-User' } };
  const isIn = (spec: object, headers: Record<string, string>, identity: string | undefined): boolean =>
    match(rulesOf(trafficRule('gray', spec)).traffic, requestOf('/', { ...shenzhen, ...headers }), identity).rule !==
    undefined;
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
    const { rule, lost } = match(traffic, requestOf('/', { ...shenzhen, ...headers }), identity);
    expect({ rule, lost }).toEqual({ rule: undefined, lost: [{ rule: 'default/gray', reason }] });
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
  const { rule, lost } = match(rules, requestOf('/', shenzhen), undefined);
  expect([rule?.name, rule?.label]).toEqual(['default/c', 'blue']);
  expect(lost).toEqual([{ rule: 'default/a', reason: 'path is not "/a"' }]);
});

test('a reason is made once, not per request', () => {
  const { traffic } = rulesOf(trafficRule('gray', { match: [header] }));
  const [first, second] = [1, 2].map(() => match(traffic, requestOf('/'), undefined).lost[0]);
  expect(first).toBe(second);
});

// Few words, so that rules and requests meet often.
const word = fc.constantFrom('a', 'b');
const name = fc.constantFrom('a', 'b');
const anyCondition = fc.oneof(
  fc.record({ type: fc.constantFrom('header', 'query', 'cookie'), key: name, value: word }),
  fc.record({ type: fc.constant('path'), value: word.map((text) => `/${text}`) }),
);
const anySpec = fc.record(
  {
    match: fc.array(
      anyCondition.map((each) => ({ condition: '==', ...each })),
      { maxLength: 2 },
    ),
    priority: fc.integer({ min: -1, max: 1 }),
    percentage: fc.constantFrom(0, 50, 100),
  },
  { requiredKeys: ['match'] },
);
const words = fc.record({ a: word, b: word }, { requiredKeys: ['a'], noNullPrototype: true });
const anyRequest = fc.record({ path: word, headers: words, query: words, cookies: words });
type Spec = { match: { type: string; key?: string; value: string }[]; priority?: number; percentage?: number };
type Parts = {
  path: string;
  headers: Record<string, string>;
  query: Record<string, string>;
  cookies: Record<string, string>;
};

/** What opensergo.md says, without a thought for speed. */
function naive(specs: readonly Spec[], parts: Parts, identity: string): string | undefined {
  const rules = specs.map((spec, index) => ({ ...spec, name: `default/r${index}` }));
  const ordered = rules.sort((a, b) => (b.priority ?? 0) - (a.priority ?? 0) || a.name.localeCompare(b.name));
  const stores: Record<string, Record<string, string>> = {
    header: parts.headers,
    query: parts.query,
    cookie: parts.cookies,
  };
  const found = ordered.find(
    (rule) =>
      rule.match.length > 0 &&
      rule.match.every(
        ({ type, key = '', value }) => (type === 'path' ? `/${parts.path}` : stores[type]?.[key]) === value,
      ) &&
      bucketOf(rule.name, identity) < (rule.percentage ?? 100) * 100,
  );
  return found?.name;
}

test('the matcher agrees with a naive one on any rules and requests', () => {
  let matched = 0;
  const property = fc.property(
    fc.array(anySpec, { maxLength: 5 }),
    anyRequest,
    fc.string(),
    (specs, parts, identity) => {
      const joined = (pairs: Record<string, string>, by: string): string =>
        Object.entries(pairs)
          .map(([key, value]) => `${key}=${value}`)
          .join(by);
      const request = requestOf(`/${parts.path}?${joined(parts.query, '&')}`, {
        ...parts.headers,
        cookie: joined(parts.cookies, '; '),
      });
      const { traffic } = rulesOf(specs.map((spec, index) => trafficRule(`r${index}`, spec)).join(''));
      const { rule, lost } = match(traffic, request, identity);
      if (rule !== undefined) matched++;
      expect(rule?.name).toBe(naive(specs, parts, identity));
      expect(lost.length).toBe(rule === undefined ? traffic.length : traffic.indexOf(rule));
    },
  );
  fc.assert(property, { seed: 7, numRuns: 1000 });
  expect(matched).toBeGreaterThan(200);
});
