// Mistakes of one condition that no single field shows: what one field makes of another.

import { isMapping } from '../../documents/value.ts';
import { labelHeader } from '../../traffic/label.ts';
import { sourceHeader } from '../../traffic/source-labels.ts';
import { compilePattern } from '../conditions/pattern.ts';
import { parseRange } from '../conditions/ranges.ts';

/** The message goes on after "found X, ". */
export type Mistake = { readonly path: readonly (string | number)[]; readonly message: string };

type Fields = Readonly<Record<string, unknown>>;

/** The value may have any form, and other mistakes beside. */
export function conditionMistakes(condition: unknown): Mistake[] {
  if (!isMapping(condition)) return [];
  const mistakes = [...keyMistakes(condition), ...wordMistakes(condition), ...formMistakes(condition)];
  if (mistakes.some(({ path }) => path[0] !== 'key')) return mistakes;
  const { value } = condition;
  const values = Array.isArray(value) ? value : [value];
  for (const [index, each] of values.entries()) {
    const message = typeof each === 'string' ? valueMistake(condition, each) : undefined;
    if (message !== undefined) mistakes.push({ path: Array.isArray(value) ? ['value', index] : ['value'], message });
  }
  return mistakes;
}

export function stickyByMistakes(stickyBy: unknown): Mistake[] {
  return isMapping(stickyBy) ? keyMistakes(stickyBy) : [];
}

function keyMistakes({ type, key }: Fields): Mistake[] {
  const message = keyMistake(type, key);
  return message === undefined ? [] : [{ path: ['key'], message }];
}

const onlyOne: ReadonlyMap<unknown, string> = new Map([
  ['path', 'path'],
  ['method', 'method'],
  ['host', 'host'],
  ['sourceIp', 'source address'],
  ['dubboInterface', 'interface that it calls'],
  ['dubboMethod', 'method that it calls'],
  ['dubboVersion', 'version that it calls'],
  ['dubboGroup', 'group that it calls'],
]);

const named: ReadonlyMap<unknown, string> = new Map([
  ['header', 'header'],
  ['query', 'query parameter'],
  ['cookie', 'cookie'],
  ['sourceLabel', 'label of the calling workload'],
]);

function keyMistake(type: unknown, key: unknown): string | undefined {
  const [single, many] = [onlyOne.get(type), named.get(type)];
  if (single !== undefined) return key === undefined ? undefined : `expected no key; a request has one ${single}`;
  if (many !== undefined && key === undefined) return `expected the name of a ${many}`;
  return type === 'header' && typeof key === 'string' ? headerMistake(key) : undefined;
}

function headerMistake(key: string): string | undefined {
  const name = key.toLowerCase();
  if (name.startsWith(':'))
    return 'expected the name of a header; ":" begins a pseudo header, use type "path", "method" or "host"';
  if (name === 'host') return 'expected another header; use type "host", without key';
  if (name === labelHeader) return 'expected another header; a request that carries a label is never labelled again';
  if (name === sourceHeader) return 'expected another header; use type "sourceLabel", with the name of a label as key';
  if (name.startsWith('x-lanekeeper-'))
    return 'expected another header; those of Lanekeeper are its own, and removed where requests enter';
  // RFC 9110, 5.6.2: token.
  return /^[!#$%&'*+.^_`|~0-9a-z-]*$/.test(name)
    ? undefined
    : 'expected the name of a header: letters, digits, "-", "_" or "."';
}

function wordMistakes({ condition, type }: Fields): Mistake[] {
  const isText = condition === 'prefix' || condition === 'suffix' || condition === 'regex';
  if (type !== 'sourceIp' || !isText) return [];
  return [{ path: ['condition'], message: 'expected "==", "!=", "in" or "notIn": an address is held against ranges' }];
}

/** Whether there must be a value, and whether it is a list. */
function formMistakes({ condition, type, value }: Fields): Mistake[] {
  const message = formMistake(condition, type, value);
  return message === undefined ? [] : [{ path: ['value'], message }];
}

function formMistake(condition: unknown, type: unknown, value: unknown): string | undefined {
  if (condition === 'exists' || condition === 'absent')
    return value === undefined ? undefined : `expected no value: ${condition} only asks whether there is one`;
  const isList = Array.isArray(value);
  if (value === undefined) return isOfList(condition) ? 'expected a list of strings' : 'expected a string';
  if (isList && value.length === 0) return 'expected at least 1 item';
  // Ranges are written as they come: one, or a list of them.
  if (type === 'sourceIp' || isMapping(value) || value === null) return undefined;
  if (isOfList(condition)) return isList ? undefined : `expected a list; "${other(condition)}" takes one value`;
  return isList ? listHint(condition) : undefined;
}

function listHint(condition: unknown): string {
  if (condition === '==' || condition === '!=') return `expected a string; "${other(condition)}" takes a list`;
  return 'expected a string; write a rule, or a list of anyOf, for each';
}

function isOfList(condition: unknown): boolean {
  return condition === 'in' || condition === 'notIn';
}

function other(condition: unknown): string {
  return { in: '==', notIn: '!=', '==': 'in', '!=': 'notIn' }[String(condition)] ?? '==';
}

function valueMistake({ condition, type }: Fields, value: string): string | undefined {
  const isPart = condition === 'prefix' || condition === 'suffix';
  if (value === '' && (isPart || condition === 'regex')) return 'expected at least 1 character';
  if (condition === 'regex') {
    const pattern = compilePattern(value);
    return pattern.ok ? undefined : `expected a regular expression ${pattern.message}`;
  }
  if (type === 'path') return pathMistake(value, condition);
  if (type === 'host') return hostMistake(value, condition);
  if (type === 'dubboInterface' || type === 'dubboMethod') return callMistake(value, type);
  if (type === 'sourceIp' && parseRange(value) === undefined)
    return 'expected an IP address, or a range such as "10.0.0.0/8" or "fd00::/8"';
  return undefined;
}

function pathMistake(value: string, condition: unknown): string | undefined {
  if (value.includes('?')) return 'expected a path without query; add a condition of type "query" for it';
  return value.startsWith('/') || condition === 'suffix' ? undefined : 'expected a path, which begins with "/"';
}

function callMistake(value: string, type: 'dubboInterface' | 'dubboMethod'): string | undefined {
  if (value !== '' && !/[/?]/.test(value)) return undefined;
  return type === 'dubboInterface'
    ? 'expected the name of an interface, such as "com.shop.OrderService"; "/com.shop.OrderService/create" is a value of type "path"'
    : 'expected the name of a method, such as "create"; "/com.shop.OrderService/create" is a value of type "path"';
}

function hostMistake(value: string, condition: unknown): string | undefined {
  if (value.startsWith('[') && (condition === 'prefix' || /^\[[^\]]*\]$/.test(value))) return undefined;
  return /[:[]/.test(value) ? 'expected a host without port; one of IPv6 in brackets, "[::1]"' : undefined;
}
