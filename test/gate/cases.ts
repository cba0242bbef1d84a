// Rules, and requests that nearly or really match them, for the property tests of the gate.
import fc from 'fast-check';
import { patternInBytes } from '../../src/envoy/routes/pattern.ts';
import { compilePattern } from '../../src/rules/conditions/pattern.ts';
import { bytesOf } from '../../src/traffic/request.ts';
import { sourceHeader, sourceLabels } from '../../src/traffic/source-labels.ts';
import { trafficRule } from '../rules/fixture.ts';
import type { Sent } from './evaluator.ts';

type DubboType = 'dubboInterface' | 'dubboMethod' | 'dubboVersion' | 'dubboGroup';
type Type = 'header' | 'path' | 'query' | 'cookie' | 'method' | 'host' | 'sourceLabel' | DubboType;

export type Written = {
  readonly condition: string;
  readonly type: Type;
  readonly key?: string;
  readonly value?: string | readonly string[];
};

/** A value that a request may have because of a condition. */
type Wanted = { readonly type: Type; readonly key?: string | undefined; readonly value: string };

type Rule = {
  readonly match: readonly Written[];
  readonly anyOf?: readonly (readonly Written[])[] | undefined;
  readonly percentage: number | undefined;
};

export type Case = {
  readonly rules: readonly Rule[];
  /** Of the paths that the route table's entry stands for. */
  readonly prefix: string;
  readonly sent: Sent;
};

/** The text of a case's rules. */
export function ruleText({ rules }: Case): string {
  return rules
    .map(({ match, anyOf, percentage }, index) =>
      trafficRule(`r${index}`, {
        match,
        ...(anyOf !== undefined && { anyOf }),
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
const prefixes = fc.constantFrom('/', '/', '/a', '/a/', '/a/b', '/ab', '/größe', '/a.b', '/com.shop.A');
const interfaces = fc.constantFrom('a', 'com.shop.A', 'com.shop.A', 'com.shop.AB', 'a.b', 'größe', '%61');
const calledMethods = fc.constantFrom('b', 'create', 'create', 'createAll', '$invoke', 'größe', 'b;v=1');

const methods = fc.constantFrom('GET', 'POST', 'PUT', 'get');
const hosts = fc.constantFrom('shop.example', 'Shop.Example', 'a.example', 'k.example', '[fd00::1]', 'shop');

/** Patterns that both sides read, that only re2js is trusted with, and what they match. */
const patterns: readonly (readonly [pattern: string, some: readonly string[]])[] = [
  ['a.*', ['a', 'abc', 'aö', 'a\xff']],
  ['[^a]+', ['b', 'öö', 'a']],
  ['(?:1|a b|)', ['1', 'a b', '']],
  ['\\d+|\\w', ['1', '12', 'a', '1a']],
  ['(?i:A B?)', ['a b', 'A ']],
  ['.*', ['', 'größe', 'a b']],
  ['a{2,3}\\.\\D', ['aa.x', 'aaaa.x']],
  ['größe', ['größe', 'gr']],
  ['\\Qa\\E', ['a']],
  ['\\pL+', ['größe', '1']],
  ['/?[a-z/]+', ['/a', '/a/b', 'a', '/A']],
  ['[a-z]+[.]example', ['shop.example', 'a.example']],
  ['[^A]hop.*', ['shop.example']],
  ['^(?:a b|/a.*)$', ['a b', '/a', '/ab']],
  ['^shop.*|(1$)', ['shop.example', '1']],
  ['(?:com[.].*|[cb]\\w*)', ['com.shop.A', 'com.shop.A/b', 'create', 'b']],
];

const keyed = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant<Type>('header'), key: headerNames }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom<Type>('query', 'cookie'), key: names }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant<Type>('sourceLabel'), key: names }) },
  { weight: 3, arbitrary: fc.constantFrom<Type>('path', 'path', 'method', 'host').map((type) => ({ type })) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom<Type>(
        'dubboInterface',
        'dubboInterface',
        'dubboMethod',
        'dubboMethod',
        'dubboVersion',
        'dubboGroup',
      )
      .map((type) => ({ type })),
  },
);

const valuesFor = {
  ...{ header: odd, query: odd, cookie: odd, sourceLabel: odd, path: paths, method: methods, host: hosts },
  ...{ dubboInterface: interfaces, dubboMethod: calledMethods, dubboVersion: odd, dubboGroup: odd },
};

const condition: fc.Arbitrary<Written> = keyed.chain((key) => {
  const value = valuesFor[key.type];
  const part = key.type === 'path' ? paths : value.filter((text) => text !== '');
  const pattern = fc.constantFrom(...patterns.map(([text]) => text));
  return fc
    .oneof(
      { weight: 4, arbitrary: fc.record({ condition: fc.constant('=='), value }) },
      fc.record({ condition: fc.constant('!='), value }),
      { weight: 2, arbitrary: list('in', value) },
      list('notIn', value),
      fc.record({ condition: fc.constantFrom('prefix', 'suffix'), value: part }),
      fc.record({ condition: fc.constant('regex'), value: pattern }),
      fc.record({ condition: fc.constantFrom('exists', 'absent') }),
    )
    .map((rest): Written => ({ ...key, ...rest }));
});

function list(word: string, value: fc.Arbitrary<string>): fc.Arbitrary<{ condition: string; value: string[] }> {
  return fc.record({ condition: fc.constant(word), value: fc.array(value, { minLength: 1, maxLength: 3 }) });
}

const conditions = fc.array(condition, { minLength: 1, maxLength: 3 });
const rules: fc.Arbitrary<Rule[]> = fc.array(
  fc.record({
    match: conditions,
    anyOf: fc.option(fc.array(conditions, { minLength: 1, maxLength: 2 }), { nil: undefined, freq: 4 }),
    percentage: fc.constantFrom(undefined, undefined, undefined, 100, 50, 0),
  }),
  { minLength: 1, maxLength: 2 },
);

/** The bytes that a header may have. */
const noise = fc.constantFrom('', 'a', 'a b', '\xff', '\xc3', '\xe9t\xe9', 'voil\xc3\xa0', '"', '%', '1');
const spaces = fc.constantFrom('', '', ' ', '\t ', '  ');

export const cases: fc.Arbitrary<Case> = fc.record({ rules, prefix: prefixes }).chain((given) =>
  wantedBy(given.rules.flatMap(({ match, anyOf = [] }) => [...match, ...anyOf.flat()]))
    .chain(sentFor)
    .map((sent) => ({ ...given, sent })),
);

/** For most conditions a value that fulfils them or nearly does. */
function wantedBy(written: readonly Written[]): fc.Arbitrary<Wanted[]> {
  return fc
    .tuple(...written.map((each) => fc.constantFrom(...samplesOf(each))))
    .map((texts) => texts.flatMap((value, at) => wanted(written[at], value)));
}

function wanted(condition: Written | undefined, value: string | undefined): Wanted[] {
  return condition === undefined || value === undefined ? [] : [{ type: condition.type, key: condition.key, value }];
}

function samplesOf({ condition: word, value = 'a' }: Written): (string | undefined)[] {
  const [text = '', ...others] = [value].flat();
  switch (word) {
    case '!=':
    case 'notIn':
    case 'absent':
      return [undefined, text, `${text}2`];
    case 'prefix':
      return [text, `${text}2`, `${text}2`];
    case 'suffix':
      return [text, `/${text}`, `2${text}`];
    case 'regex':
      return [...(patterns.find(([pattern]) => pattern === text)?.[1] ?? [])];
    default:
      return [text, ...others];
  }
}

function sentFor(conditions: readonly Wanted[]): fc.Arbitrary<Sent> {
  const ofType = (type: Type): Wanted[] => conditions.filter((each) => each.type === type);
  const written = ofType('path').map(({ value }) => value);
  const calls = callsFor(ofType('dubboInterface'), ofType('dubboMethod'));
  const path = mostly(fc.oneof(fc.constantFrom('/', '/a/b', ...written, ...written), ...calls), paths)
    .map((text) => (text.startsWith('/') ? text : `/${text}`))
    .map(bytesOf);
  const isHost = /^[A-Za-z.]+$|^\[fd00::1\]$/;
  const names = ofType('host').map(({ value }) => value);
  return fc
    .record({
      method: fc.constantFrom('GET', ...calls.map(() => 'POST'), ...ofType('method').map(({ value }) => value)),
      host: fc.constantFrom('shop.example', ...names.filter((name) => isHost.test(name))),
      port: fc.constantFrom('', '', ':80'),
      path,
      query: queryFor(ofType('query')),
      cookies: cookiesFor(ofType('cookie')),
      lines: linesFor([
        ...ofType('header'),
        ...ofType('dubboVersion').map((each) => ({ ...each, key: 'tri-service-version' })),
        ...ofType('dubboGroup').map((each) => ({ ...each, key: 'tri-service-group' })),
      ]),
      source: sourceFor(ofType('sourceLabel')),
    })
    .map(({ method, host, port, path, query, cookies, lines, source }) => ({
      method: /^(?:GET|POST|PUT)$/.test(method) ? method : 'GET',
      host: host + port,
      path: path + query,
      headers: [...cookies, ...lines, ...source],
    }));
}

/** Paths of calls, as often as there are conditions on them; some have a part too many, or too few. */
function callsFor(ofInterfaces: readonly Wanted[], ofMethods: readonly Wanted[]): fc.Arbitrary<string>[] {
  const among = (wanted: readonly Wanted[], others: fc.Arbitrary<string>) =>
    wanted.length === 0 ? others : mostly(fc.constantFrom(...wanted.map(({ value }) => value)), others);
  const end = mostly(fc.constant(''), fc.constantFrom('/', '/c', '?/b'));
  const call = fc
    .tuple(among(ofInterfaces, interfaces), among(ofMethods, calledMethods), end)
    .map(([name, method, rest]) => `/${name}/${method}${rest}`);
  return [...ofInterfaces, ...ofMethods].map(() => call);
}

/** Pairs as they were written or others, in any order, each character encoded or not. */
function queryFor(conditions: readonly Wanted[]): fc.Arbitrary<string> {
  const right = ({ key = '', value }: Wanted): fc.Arbitrary<string> =>
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

function cookiesFor(conditions: readonly Wanted[]): fc.Arbitrary<[string, string][]> {
  const right = ({ key = '', value }: Wanted): fc.Arbitrary<string> =>
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

/** As Envoy writes it for a caller that has these labels, or some of them, or none. */
function sourceFor(conditions: readonly Wanted[]): fc.Arbitrary<[string, string][]> {
  const right = conditions.map(({ key = '', value }): [string, string] => [key, value]);
  const labels = fc.record({
    right: mostly(
      fc.constant(right),
      fc.constantFrom(...right, []).map((one) => (one.length === 0 ? [] : [one])),
    ),
    wrong: fc.dictionary(names, odd, { maxKeys: 2, noNullPrototype: true }),
    asked: fc.constantFrom('', '', 'user', 'x'),
  });
  return labels.map(({ right, wrong, asked }) => {
    const value = sourceLabels({ ...wrong, ...Object.fromEntries(right) }, (key) => key !== asked);
    return value === undefined ? [] : [[sourceHeader, value]];
  });
}

function linesFor(conditions: readonly Wanted[]): fc.Arbitrary<[string, string][]> {
  const line = ({ key = '', value }: Wanted): fc.Arbitrary<[string, string][]> =>
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

const atoms = [
  'a',
  'b',
  'ö',
  '.',
  '[ab]',
  '[^a]',
  '[a-c]',
  '[^a/.]',
  '[\\d.]',
  '\\d',
  '\\D',
  '\\w',
  '\\W',
  '\\s',
  '\\S',
];
const others = [
  '\\.',
  '\\-',
  '\\/',
  '\\[',
  '\\\\',
  '(?i:A)',
  '(?:a|b)',
  '(b|)',
  '\\b',
  '\\B',
  '^',
  '$',
  '\\A',
  '\\z',
  ' ',
];
const repetitions = ['', '', '', '*', '+', '?', '{2}', '{1,3}', '{0,}', '*?', '{2}?'];
const piece = fc
  .tuple(fc.constantFrom(...atoms, ...others), fc.constantFrom(...repetitions))
  .map((both) => both.join(''));
const pieces = fc.array(piece, { minLength: 1, maxLength: 5 });

/** A pattern that both sides read, and a value, in bytes, that it may match. */
export const portablePatterns: fc.Arbitrary<[pattern: string, value: string]> = fc.tuple(
  fc
    .tuple(pieces, fc.option(pieces, { nil: undefined, freq: 3 }))
    .map(([one, other]) => one.join('') + (other === undefined ? '' : `|${other.join('')}`))
    .filter((pattern) => compilePattern(pattern).ok && patternInBytes(pattern) !== undefined),
  fc
    .array(fc.constantFrom('a', 'a', 'b', 'A', 'ö', 'c', '1', '.', '-', '/', '\\', '\xff', ' '), { maxLength: 4 })
    .map((letters) =>
      letters
        .map((letter) => (letter === '\xff' ? letter : bytesOf(letter)))
        .join('')
        .trim(),
    ),
);
