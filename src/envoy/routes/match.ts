// One condition as a route can say it: never less than what the rule means, and what is more is named.
import type { Condition } from '../../rules/conditions/condition.ts';
import { isCall } from '../../rules/conditions/implication.ts';
import { encodeSourceLabel, sourceHeader } from '../../traffic/source-labels.ts';
import type { Resource } from '../resource.ts';
import { patternInBytes } from './pattern.ts';
import { anyCase, anything, matching, oneOf, present, quote, textOf, without } from './text.ts';

export type Part = {
  /** Matches of headers, pseudo headers among them, that must all hold. */
  readonly headers: readonly Resource[];
  /** What the route lets through beside what the condition means; undefined where nothing worth a word. */
  readonly more?: string;
};

/** Of a regular expression: Envoy would take longer ones, for memory that nobody needs. */
const maxRegexCharacters = 16_384;

/** What a route can say of a condition, beside the others of its list. */
export function partOf(condition: Condition, list: readonly Condition[]): Part {
  switch (condition.type) {
    case 'header':
      return headerPart(condition.key, condition);
    case 'method':
      return headerPart(':method', condition);
    case 'path':
      return pathPart(condition);
    case 'host':
      return hostPart(condition);
    case 'query':
      return queryPart(condition);
    case 'cookie':
      return cookiePart(condition);
    case 'sourceIp':
      return { headers: [], more: 'routes do not know the source address' };
    case 'sourceLabel':
      return sourceLabelPart(condition);
    case 'dubboInterface':
    case 'dubboMethod':
      return callPart(condition, list);
  }
}

function headerPart(name: string, condition: Condition): Part {
  const { values } = condition;
  const texts = values.map(textOf);
  const [only = ''] = texts;
  // Its lines are joined in one way here and in another by Envoy.
  if (name === 'cookie' && condition.condition !== 'exists' && condition.condition !== 'absent')
    return allowing(condition, isNegative(condition) ? [] : [present(name)]);
  switch (condition.condition) {
    case '==':
    case 'in':
      if (texts.length === 1) return { headers: [{ name, string_match: { exact: only } }] };
      return regexPart(condition, name, oneOf(texts), [present(name)]);
    case '!=':
    case 'notIn': {
      // A missing value is unlike every value; as an empty one it would equal the empty text.
      if (texts.includes('')) return allowing(condition, []);
      if (texts.length === 1) return { headers: [without({ name, string_match: { exact: only } })] };
      return regexPart(condition, name, oneOf(texts), []);
    }
    case 'prefix':
    case 'suffix':
      return { headers: [{ name, string_match: { [condition.condition]: only } }] };
    case 'regex':
      return patternPart(condition, name, (pattern) => pattern, [present(name)]);
    case 'exists':
      return { headers: [present(name)] };
    case 'absent':
      return { headers: [{ name, present_match: false }] };
  }
}

/** Envoy's `:path` has the query, which a rule's path has not. */
function pathPart(condition: Condition): Part {
  const name = ':path';
  const texts = condition.values.map(textOf);
  const query = `(?:\\?${anything})?`;
  switch (condition.condition) {
    case '==':
    case 'in':
    case '!=':
    case 'notIn':
      return regexPart(condition, name, `${oneOf(texts)}${query}`, []);
    case 'prefix':
      return { headers: [{ name, string_match: { prefix: texts[0] } }] };
    case 'suffix':
      return regexPart(condition, name, `${anything}${oneOf(texts)}${query}`, []);
    case 'regex':
      return patternPart(condition, name, (pattern) => `(?:${pattern})${query}`, []);
    case 'exists':
    case 'absent':
      return { headers: [] };
  }
}

/** Envoy's `:authority` may have a port and letters of any case, which a rule's host has not. */
function hostPart(condition: Condition): Part {
  const name = ':authority';
  const texts = condition.values.map(textOf);
  const withPort = (text: string) => `${anyCase(text)}${text.startsWith('[') ? anything : `(?::${anything})?`}`;
  const host = `(?:${texts.map(withPort).join('|')})`;
  switch (condition.condition) {
    case '==':
    case 'in':
    case '!=':
    case 'notIn':
      return regexPart(condition, name, host, []);
    case 'prefix':
      return { headers: [{ name, string_match: { prefix: texts[0], ignore_case: true } }] };
    case 'suffix':
      return regexPart(condition, name, `${anything}${host}`, []);
    case 'regex':
      // Once case does not count, a class that excludes a letter excludes both its cases.
      return /\[\^|[A-Z]/.test(texts[0] ?? '')
        ? allowing(condition, [])
        : patternPart(condition, name, (pattern) => `(?i:${pattern})(?::${anything})?`, []);
    case 'exists':
    case 'absent':
      return { headers: [] };
  }
}

/** Envoy does not decode: a query with an escape is let through, and the processor decodes it. */
function queryPart(condition: Condition): Part {
  if (isNegative(condition)) return allowing(condition, []);
  const key = quote(textOf(condition.key));
  const pair = (value: string) =>
    `${anything}\\?(?:(?:${anything}&)?${value}(?:[&#]${anything})?|${anything}%${anything})`;
  const exists = pair(`${key}(?:=${anything})?`);
  if (condition.condition === 'absent') {
    // Only what surely is the parameter may hold a request back: `?a=b` is not one of the name `a=b`.
    if (/[=&#%]/.test(condition.key)) return allowing(condition, []);
    const regex = `[^?]*\\?(?:${anything}&)?${key}(?:[=&#]${anything})?`;
    return regexPart(condition, ':path', regex, []);
  }
  const around = (value: string, isEmpty: boolean) => pair(`${key}${isEmpty ? `(?:=${value})?` : `=${value}`}`);
  return valuesPart(condition, { name: ':path', around, exists });
}

/** Lines may come joined with `,`; spaces around name and value do not count. */
function cookiePart(condition: Condition): Part {
  if (isNegative(condition)) return allowing(condition, []);
  const key = quote(textOf(condition.key));
  // Only what surely is the cookie may hold a request back: `a=1,b=2` is one cookie, or two lines.
  if (condition.condition === 'absent' && /[=;]|^[ \t]|[ \t]$/.test(condition.key)) return allowing(condition, []);
  if (condition.condition === 'absent')
    return regexPart(condition, 'cookie', `(?:${anything};)?[ \\t]*${key}[ \\t]*=${anything}`, []);
  const pair = (value: string) => `(?:${anything}[;,])?\\s*${key}\\s*=\\s*${value}\\s*(?:[;,]${anything})?`;
  return valuesPart(condition, { name: 'cookie', around: pair, exists: pair(anything) });
}

/** As the Envoy of the caller writes it: every text has one form there, so that a route may deny as well. */
function sourceLabelPart(condition: Condition): Part {
  const isPattern = condition.condition === 'regex';
  const encoded = isPattern ? condition : { ...condition, values: condition.values.map(encodeSourceLabel) };
  const key = quote(encodeSourceLabel(condition.key));
  const pair = (value: string) => `(?:${anything}&)?${key}=${value}(?:&${anything})?`;
  // A pattern is about what an escape stands for, which the processor knows.
  const around = (value: string) => pair(isPattern ? `(?:${value}|${anything}%${anything})` : value);
  if (isNegative(condition)) return regexPart(encoded, sourceHeader, pair(oneOf(encoded.values)), []);
  if (condition.condition === 'absent') return regexPart(condition, sourceHeader, pair(anything), []);
  return valuesPart(encoded, { name: sourceHeader, around, exists: pair(anything) });
}

/** One part of a path of two, in a POST. */
function callPart(condition: Condition, list: readonly Condition[]): Part {
  const part = '[^/?]+';
  const [before, behind] = condition.type === 'dubboInterface' ? ['', `/${part}`] : [`${part}/`, ''];
  const call = (value: string) => `/${before}${value}${behind}(?:\\?${anything})?`;
  const anyCall = call(part);
  if (!isCall(condition)) {
    // What is no POST fulfils it too, whatever its path: one route says it only where another condition asks for a call.
    if (!list.some(isCall)) return allowing(condition, []);
    const denied = condition.condition === 'absent' ? anyCall : call(oneOf(condition.values.map(textOf)));
    return regexPart(condition, ':path', denied, []);
  }
  const said = valuesPart(condition, { name: ':path', around: call, exists: anyCall, rest: '[^/?]*' });
  // A pattern may go beyond its part.
  const form = condition.condition === 'regex' ? [matching(':path', anyCall)] : [];
  return { ...said, headers: [{ name: ':method', string_match: { exact: 'POST' } }, ...form, ...said.headers] };
}

type Values = {
  readonly name: string;
  /** The header with this value, a regular expression, in it. */
  readonly around: (value: string, canBeEmpty: boolean) => string;
  readonly exists: string;
  /** What a value may have beside a beginning or an end. */
  readonly rest?: string;
};

/** A condition on a value that stands among others in one header. */
function valuesPart(condition: Condition, { name, around, exists, rest = anything }: Values): Part {
  const texts = condition.values.map(textOf);
  const looser = [matching(name, exists)];
  switch (condition.condition) {
    case 'prefix':
      return regexPart(condition, name, around(`${oneOf(texts)}${rest}`, false), looser);
    case 'suffix':
      return regexPart(condition, name, around(`${rest}${oneOf(texts)}`, false), looser);
    case 'regex':
      return patternPart(condition, name, (pattern) => around(`(?:${pattern})`, true), looser);
    case 'exists':
      return { headers: looser };
    default:
      return regexPart(condition, name, around(oneOf(texts), texts.includes('')), looser);
  }
}

/** A regular expression of ours, which the whole value must match, or must not for a condition that denies. */
function regexPart(condition: Condition, name: string, regex: string, looser: readonly Resource[]): Part {
  if (regex.length > maxRegexCharacters) return { headers: looser, more: `${named(condition)} has too many values` };
  const match = matching(name, regex);
  return { headers: [isNegative(condition) || condition.condition === 'absent' ? without(match) : match] };
}

/** A pattern of the operator's, where Envoy surely reads it as we do. */
function patternPart(
  condition: Condition,
  name: string,
  around: (pattern: string) => string,
  looser: readonly Resource[],
): Part {
  const pattern = patternInBytes(textOf(condition.values[0] ?? ''));
  const regex = pattern && around(pattern);
  if (regex === undefined || regex.length > maxRegexCharacters) return allowing(condition, looser);
  return { headers: [matching(name, regex)] };
}

function allowing(condition: Condition, headers: readonly Resource[]): Part {
  return { headers, more: `routes cannot say ${named(condition)}` };
}

function named({ type, key, condition }: Condition): string {
  return [`"${condition}"`, 'of', type, ...(key === '' ? [] : [textOf(key)])].join(' ');
}

function isNegative({ condition }: Condition): boolean {
  return condition === '!=' || condition === 'notIn';
}
