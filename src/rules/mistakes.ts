// Mistakes that no single field shows: what one field makes of another. The value may have other mistakes beside.

import type { Document } from '../documents/parse.ts';
import { problemAt } from '../documents/place.ts';
import { isJsonNumber, isMapping, quoteHint, shown, valueAt } from '../documents/value.ts';
import type { Problem } from '../problem.ts';
import { labelHeader } from '../traffic/label.ts';

/** The message goes on after "found X, ". */
export type Mistake = { readonly path: string[]; readonly message: string };

export function conditionMistakes(condition: unknown): Mistake[] {
  if (!isMapping(condition)) return [];
  const mistakes = keyMistakes(condition);
  const value = condition['value'];
  if (condition['type'] !== 'path' || typeof value !== 'string') return mistakes;
  if (!value.startsWith('/')) mistakes.push({ path: ['value'], message: 'expected a path, which begins with "/"' });
  if (value.includes('?'))
    mistakes.push({
      path: ['value'],
      message: 'expected a path without query; add a condition of type "query" for it',
    });
  return mistakes;
}

export function stickyByMistakes(stickyBy: unknown): Mistake[] {
  return isMapping(stickyBy) ? keyMistakes(stickyBy) : [];
}

export function trafficMistakes(spec: unknown): Mistake[] {
  if (!isMapping(spec) || spec['stickyBy'] === undefined || spec['percentage'] !== undefined) return [];
  return [{ path: ['stickyBy'], message: 'expected percentage beside it; without one nothing is decided by a value' }];
}

export function selectorMistakes(spec: unknown): Mistake[] {
  if (!isMapping(spec) || !isMapping(spec['selector'])) return [];
  const { db, table, ...labels } = spec['selector'];
  const isDatabase = db !== undefined || table !== undefined;
  const mistakes: Mistake[] = [];
  if (Object.keys(spec['selector']).length === 0)
    mistakes.push({ path: ['selector'], message: 'expected labels of a workload, or db' });
  if (table !== undefined && db === undefined)
    mistakes.push({ path: ['selector', 'db'], message: 'expected the database of the table' });
  if (isDatabase)
    for (const name of Object.keys(labels))
      mistakes.push({
        path: ['selector', name],
        message: 'expected only db and table; write two rules for a workload and a database',
      });
  if (!isDatabase && spec['shadowOf'] !== undefined)
    mistakes.push({ path: ['shadowOf'], message: 'expected no such field; only a selector with db has a twin' });
  return mistakes;
}

function keyMistakes({ type, key }: Readonly<Record<string, unknown>>): Mistake[] {
  const message = keyMistake(type, key);
  return message === undefined ? [] : [{ path: ['key'], message }];
}

function keyMistake(type: unknown, key: unknown): string | undefined {
  if (type === 'path') return key === undefined ? undefined : 'expected no key; a request has one path';
  if (type !== 'header' && type !== 'query' && type !== 'cookie') return undefined;
  if (key === undefined) return `expected the name of a ${type === 'query' ? 'query parameter' : type}`;
  return type === 'header' && typeof key === 'string' ? headerMistake(key) : undefined;
}

function headerMistake(key: string): string | undefined {
  const name = key.toLowerCase();
  if (name.startsWith(':'))
    return 'expected the name of a header; ":" begins a pseudo header, use type "path" for the path';
  if (name === labelHeader) return 'expected another header; a request that carries a label is never labelled again';
  if (name.startsWith('x-lanekeeper-'))
    return 'expected another header; those of Lanekeeper are its own, and removed where requests enter';
  // RFC 9110, 5.6.2: token.
  return /^[!#$%&'*+.^_`|~0-9a-z-]*$/.test(name)
    ? undefined
    : 'expected the name of a header: letters, digits, "-", "_" or "."';
}

/** A value of a condition may be a number or boolean, where its text is the one that an API server keeps. */
export function valueProblems(document: Document): Problem[] {
  const conditions = valueAt(document.value, ['spec', 'match']);
  if (!Array.isArray(conditions)) return [];
  return conditions.flatMap((condition: unknown, index) => {
    const value = isMapping(condition) ? condition['value'] : undefined;
    const path = ['spec', 'match', index, 'value'];
    const source = document.source(path);
    if ((typeof value !== 'number' && typeof value !== 'boolean') || !source?.plain) return [];
    // Reported above, with all that readers of YAML disagree on.
    if (typeof value === 'number' && !isJsonNumber(source.text)) return [];
    if (source.text === JSON.stringify(value)) return [];
    return [problemAt(document, path, `found ${shown(value, source)}, expected a string${quoteHint(source)}`)];
  });
}
