// Rules, and requests that nearly or really match them, for the property tests of the gate.
import fc from 'fast-check';
import { bytesOf } from '../../src/traffic/request.ts';
import { trafficRule } from '../rules/fixture.ts';
import type { Sent } from './evaluator.ts';

export type Written = {
  readonly type: 'header' | 'path' | 'query' | 'cookie';
  readonly key?: string;
  readonly value: string;
};

export type Case = {
  readonly rules: readonly { readonly match: readonly Written[]; readonly percentage: number | undefined }[];
  /** Of the paths that the route table's entry stands for. */
  readonly prefix: string;
  readonly sent: Sent;
};

/** The text of a case's rules. */
export function ruleText({ rules }: Case): string {
  return rules
    .map(({ match, percentage }, index) =>
      trafficRule(`r${index}`, {
        match: match.map((condition) => ({ condition: '==', ...condition })),
        ...(percentage !== undefined && { percentage }),
      }),
    )
    .join('');
}

const odd = fc.constantFrom(
  ...[
    '1',
    'a',
    'a b',
    'a+b',
    '%41',
    '100%',
    'a=b',
    '=',
    'a;b',
    'a,b',
    'a&b',
    'a#b',
    'a?b',
    '.*',
    '(a|b)',
    '[a]',
    '\\d',
  ],
  ...['^$', 'a/b', '{2}', '-', 'größe', '深圳', 'ab\\C', '"a"', '\\', '', 'a\tb'],
);
const names = fc.constantFrom('user', 'u', 'x', 'us er', 'us%65r', 'größe', '.*', 'a[0]', 'user\\', 'a=b', '(', 'a&b');
const headerNames = fc.constantFrom('x-user', 'location', 'x', 'x.y', "!#$%&'*+^_`|~");
const paths = fc.constantFrom('/', '/a', '/a/', '/a/b', '/a/b/c', '/ab', '/%61', '/a.b', '/größe', '/a%20b', '/a;v=1');
const prefixes = fc.constantFrom('/', '/a', '/a/', '/a/b', '/ab', '/größe', '/a.b');

const condition: fc.Arbitrary<Written> = fc.oneof(
  fc.record({ type: fc.constant('header' as const), key: headerNames, value: odd }),
  fc.record({ type: fc.constant('path' as const), value: paths }),
  fc.record({ type: fc.constantFrom('query' as const, 'cookie' as const), key: names, value: odd }),
);

const rules = fc.array(
  fc.record({
    match: fc.array(condition, { minLength: 1, maxLength: 3 }),
    percentage: fc.constantFrom(undefined, undefined, undefined, 100, 50, 0),
  }),
  { minLength: 1, maxLength: 2 },
);

/** Bytes that a header may have. JavaScript's own `trim` takes a0 for a space. */
const noise = fc.constantFrom('', 'a', 'a b', '\xff', '\xc3', '\xc3\xa0', '\xe9t\xe9', '"', '%', '1');
const spaces = fc.constantFrom('', '', ' ', '\t ', '  ');

export const cases: fc.Arbitrary<Case> = fc
  .record({ rules, prefix: prefixes })
  .chain((given) => sentFor(given.rules.flatMap(({ match }) => match)).map((sent) => ({ ...given, sent })));

function sentFor(conditions: readonly Written[]): fc.Arbitrary<Sent> {
  const ofType = (type: Written['type']): Written[] => conditions.filter((each) => each.type === type);
  const written = ofType('path').map(({ value }) => value);
  const path = mostly(fc.constantFrom('/', '/a/b', ...written, ...written), paths).map(bytesOf);
  return fc
    .record({
      path,
      query: queryFor(ofType('query')),
      cookies: cookiesFor(ofType('cookie')),
      lines: linesFor(ofType('header')),
    })
    .map(({ path, query, cookies, lines }) => ({ path: path + query, headers: [...cookies, ...lines] }));
}

/** Pairs as they were written or others, in any order, each character encoded or not. */
function queryFor(conditions: readonly Written[]): fc.Arbitrary<string> {
  const right = ({ key = '', value }: Written): fc.Arbitrary<string> =>
    fc.tuple(encoded(key, true), encoded(value, false)).map((pair) => pair.join('='));
  const noise = fc.constantFrom('a=1', 'user=2', 'x', '', 'b=?', 'c=\xff', '%', '%zz=1', '\xc3=1');
  const wrong = fc.oneof(noise, ...conditions.map(({ key = '' }) => encoded(key, true)));
  const fragment = fc.constantFrom('', '', '', '', '#f', '#&user=1');
  return fc
    .tuple(withNoise(conditions.map(right), wrong), fragment)
    .map(([pairs, end]) => (pairs.length === 0 ? end : `?${pairs.join('&')}${end}`));
}

/** All that is right in its order, or not all of it; and what is wrong before and behind. */
function withNoise(right: fc.Arbitrary<string>[], wrong: fc.Arbitrary<string>): fc.Arbitrary<string[]> {
  const some = fc.array(fc.oneof(wrong, ...right), { maxLength: 2 });
  const around = fc.array(wrong, { maxLength: 1 });
  return fc.tuple(around, mostly(fc.tuple(...right), some), around).map((parts) => parts.flat());
}

function mostly<T>(one: fc.Arbitrary<T>, other: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 3, arbitrary: one }, { weight: 1, arbitrary: other });
}

/** What must be encoded is, and of the rest whatever `bits` says. */
function encoded(text: string, isKey: boolean): fc.Arbitrary<string> {
  const must = isKey ? /[&#%=\s]/ : /[&#%\s]/;
  return fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }).map((bits) =>
    [...bytesOf(text)]
      .map((byte, index) => {
        const asEscape = `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;
        return must.test(byte) || (bits[index % 4] && bits[0]) ? asEscape : byte;
      })
      .join(''),
  );
}

function cookiesFor(conditions: readonly Written[]): fc.Arbitrary<[string, string][]> {
  const right = ({ key = '', value }: Written): fc.Arbitrary<string> =>
    fc.tuple(spaces, spaces, spaces, spaces).map(([a, b, c, d]) => `${a}${bytesOf(key)}${b}=${c}${bytesOf(value)}${d}`);
  const wrong = fc.oneof(
    ...conditions.map(({ key = '' }) => fc.constant(`${bytesOf(key)}=other`)),
    fc.tuple(noise, noise).map((parts) => parts.join('=')),
    fc.constantFrom('a', 'user', 'user=2'),
  );
  return fc
    .tuple(withNoise(conditions.map(right), wrong), fc.nat(3))
    .map(([pairs, at]) =>
      [pairs.slice(0, at), pairs.slice(at)]
        .filter((line) => line.length > 0)
        .map((line): [string, string] => ['cookie', trimmed(line.join(';'))]),
    );
}

function linesFor(conditions: readonly Written[]): fc.Arbitrary<[string, string][]> {
  const line = ({ key = '', value }: Written): fc.Arbitrary<[string, string][]> =>
    mostly<[string, string][]>(
      fc.constantFrom(
        [[key, trimmed(bytesOf(value))]],
        value.split(',').map((part): [string, string] => [key, trimmed(bytesOf(part))]),
      ),
      fc.constantFrom<[string, string][]>([], [[key, 'other']]),
    );
  return fc.tuple(...conditions.map(line)).map((lines) => lines.flat());
}

/** No value begins or ends with a space when it arrives (RFC 9110, 5.5). */
function trimmed(value: string): string {
  return value.replace(/^[ \t]+|[ \t]+$/g, '');
}
