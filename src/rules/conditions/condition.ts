// One condition: what of a request it looks at, and whether a value fulfils it.

import type { Place } from '../../documents/parse.ts';
import { quoted } from '../../documents/value.ts';
import { dubboHeaders, dubboInterfaceOf, dubboMethodOf } from '../../traffic/dubbo.ts';
import { bytesOf, cookieOf, hostOf, lowerCased, pathOf, queryOf, type Request } from '../../traffic/request.ts';
import { sourceLabelOf } from '../../traffic/source-labels.ts';
import { compilePattern } from './pattern.ts';
import { isWithin, parseRange } from './ranges.ts';

export const conditionWords = ['==', '!=', 'in', 'notIn', 'prefix', 'suffix', 'regex', 'exists', 'absent'] as const;
export const conditionTypes = [
  'header',
  'path',
  'query',
  'cookie',
  'method',
  'host',
  'sourceIp',
  'sourceLabel',
  'dubboInterface',
  'dubboMethod',
  'dubboVersion',
  'dubboGroup',
] as const;

export type ConditionWord = (typeof conditionWords)[number];
export type ConditionType = (typeof conditionTypes)[number];

/** Version and group of a Dubbo call are headers, and are looked at as such. */
type KeyType = Exclude<ConditionType, keyof typeof dubboHeaders>;

export type Key = {
  readonly type: KeyType;
  /** Byte string; of a header in lower case; empty where a request has only one such value. */
  readonly key: string;
};

export type Condition = Key & {
  readonly condition: ConditionWord;
  /** Byte strings; none for `exists` and `absent`; of `regex` the pattern, of `sourceIp` ranges. */
  readonly values: readonly string[];
  /** Whether the value that a request has, or has not, fulfils it. HOT */
  readonly holds: (value: string | undefined) => boolean;
  /** What to say where it does not hold: `header Location is not "cn-shenzhen"`. */
  readonly reason: string;
  readonly place: Place;
};

/** A condition of a valid document, as it was written. */
export type WrittenCondition = {
  readonly condition: ConditionWord;
  readonly type: ConditionType;
  readonly key?: string | undefined;
  readonly value?: unknown;
};

/** The value that a request has for a key; undefined where it has none. HOT */
export function read({ type, key }: Key, request: Request): string | undefined {
  switch (type) {
    case 'header':
      return request.header(key);
    case 'path':
      return pathOf(request) || undefined;
    case 'query':
      return queryOf(request, key);
    case 'cookie':
      return cookieOf(request, key);
    case 'method':
      return request.method || undefined;
    case 'host':
      return hostOf(request);
    case 'sourceIp':
      return request.sourceAddress;
    case 'sourceLabel':
      return sourceLabelOf(request, key);
    case 'dubboInterface':
      return dubboInterfaceOf(request);
    case 'dubboMethod':
      return dubboMethodOf(request);
  }
}

/** A condition of a valid document, ready for requests. */
export function compileCondition(written: WrittenCondition, place: Place): Condition {
  const { condition, type, key, value } = written;
  const texts = (Array.isArray(value) ? value : value === undefined ? [] : [value]).map(String);
  // The host of a request is in lower case. A pattern cannot be brought there: `\D` is not `\d`.
  const isFolded = type === 'host' && condition !== 'regex';
  const values = texts.map((text) => bytesOf(isFolded ? lowerCased(text) : text));
  const subject = [type, key].filter((part) => part !== undefined).join(' ');
  return {
    ...compileKey(written),
    condition,
    values,
    holds: testOf(written, values, texts),
    reason: `${subject} ${complaintOf(written, texts)}`,
    place,
  };
}

export function compileKey({ type, key = '' }: Pick<WrittenCondition, 'type' | 'key'>): Key {
  if (type === 'dubboVersion' || type === 'dubboGroup') return { type: 'header', key: dubboHeaders[type] };
  return { type, key: bytesOf(type === 'header' ? key.toLowerCase() : key) };
}

/** A missing value fails every condition but `absent`, `!=` and `notIn`. */
function testOf({ condition, type }: WrittenCondition, values: readonly string[], texts: string[]): Condition['holds'] {
  const isOne = type === 'sourceIp' ? rangeTest(texts) : equalTest(values);
  const [only = ''] = values;
  switch (condition) {
    case '==':
    case 'in':
      return (value) => value !== undefined && isOne(value);
    case '!=':
    case 'notIn':
      return (value) => value === undefined || !isOne(value);
    case 'prefix':
      return (value) => value?.startsWith(only) === true;
    case 'suffix':
      return (value) => value?.endsWith(only) === true;
    case 'regex': {
      const pattern = compilePattern(texts[0] ?? '');
      if (!pattern.ok) throw new Error(`the schema let through the regular expression ${quoted(only)}`);
      return (value) => value !== undefined && pattern.matches(value);
    }
    case 'exists':
      return (value) => value !== undefined;
    case 'absent':
      return (value) => value === undefined;
  }
}

function equalTest(values: readonly string[]): (value: string) => boolean {
  const [only] = values;
  if (values.length === 1) return (value) => value === only;
  const all = new Set(values);
  return (value) => all.has(value);
}

function rangeTest(texts: readonly string[]): (value: string) => boolean {
  const ranges = texts.map(parseRange).filter((range) => range !== undefined);
  return (value) => isWithin(value, ranges);
}

function complaintOf({ condition }: WrittenCondition, texts: readonly string[]): string {
  const [only = ''] = texts.map(quoted);
  const some = texts.length > 3 ? [...texts.slice(0, 3).map(quoted), '…'] : texts.map(quoted);
  const all = some.join(', ');
  switch (condition) {
    case '==':
    case 'in':
      return texts.length === 1 ? `is not ${only}` : `is none of ${all}`;
    case '!=':
    case 'notIn':
      return texts.length === 1 ? `is ${only}` : `is one of ${all}`;
    case 'prefix':
      return `does not begin with ${only}`;
    case 'suffix':
      return `does not end with ${only}`;
    case 'regex':
      return `does not match ${only}`;
    case 'exists':
      return 'is missing';
    case 'absent':
      return 'is there';
  }
}
