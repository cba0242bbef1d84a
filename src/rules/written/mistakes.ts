// Mistakes of a whole document that no single field shows. The value may have other mistakes beside.

import type { Document, Path } from '../../documents/parse.ts';
import { problemAt } from '../../documents/place.ts';
import { isJsonNumber, isMapping, quoted, quoteHint, shown, valueAt } from '../../documents/value.ts';
import type { Problem } from '../../problem.ts';
import { labelHeader } from '../../traffic/label.ts';
import { conditionMistakes, type Mistake } from './condition-mistakes.ts';
import { httpPath, writtenConditions } from './lane.ts';

export function trafficMistakes(spec: unknown): Mistake[] {
  if (!isMapping(spec)) return [];
  const mistakes: Mistake[] = [];
  if (spec['match'] === undefined && spec['anyOf'] === undefined)
    mistakes.push({ path: ['match'], message: 'expected a list' });
  if (spec['stickyBy'] !== undefined && spec['percentage'] === undefined)
    mistakes.push({
      path: ['stickyBy'],
      message: 'expected percentage beside it; without one nothing is decided by a value',
    });
  return mistakes;
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

export function laneMistakes(spec: unknown): Mistake[] {
  const [, ...http] = httpPath;
  const { conditions, mistakes } = writtenConditions(valueAt(spec, http));
  const found = conditions.flatMap(({ written, keyPath, valuePath }) =>
    conditionMistakes(written).map(({ path, message }) => ({ path: path[0] === 'key' ? keyPath : valuePath, message })),
  );
  return [...mistakes, ...found].map(({ path, message }) => ({ path: [...http, ...path], message }));
}

/** What is accepted, but does not do what its author may think. */
export function warnings(document: Document): Problem[] {
  return [...emptyLists(document), ...callersAtEdges(document), ...laneWarnings(document)].map((problem) => ({
    ...problem,
    severity: 'warning',
  }));
}

function emptyLists(document: Document): Problem[] {
  const at = (path: Path, what: string): Problem[] => {
    const list = valueAt(document.value, path);
    return Array.isArray(list) && list.length === 0 ? [problemAt(document, path, `found an empty list, ${what}`)] : [];
  };
  const anyOf = valueAt(document.value, ['spec', 'anyOf']);
  const lists = Array.isArray(anyOf) ? [...anyOf.keys()] : [];
  return [
    ...at(['spec', 'match'], 'expected a condition; this rule matches nothing'),
    ...at(['spec', 'anyOf'], 'expected a list of conditions; this rule matches nothing'),
    ...lists.flatMap((index) => at(['spec', 'anyOf', index], 'expected a condition; this list matches nothing')),
  ];
}

/** A rule without selector is for edges. */
function callersAtEdges(document: Document): Problem[] {
  const selector = valueAt(document.value, ['spec', 'selector']);
  if (isMapping(selector) && Object.keys(selector).length > 0) return [];
  const message =
    'found "sourceLabel" in a rule for edges, where the labels of callers are not known; expected a selector beside it';
  return [...conditionPaths(document), ['spec', 'stickyBy']]
    .filter((path) => !isDenial(valueAt(document.value, [...path, 'condition'])))
    .map((path) => [...path, 'type'])
    .filter((path) => valueAt(document.value, path) === 'sourceLabel')
    .map((path) => problemAt(document, path, message));
}

/** True for a condition that a missing value fulfils. */
function isDenial(condition: unknown): boolean {
  return condition === 'absent' || condition === '!=' || condition === 'notIn';
}

function laneWarnings(document: Document): Problem[] {
  const rules = ['spec', 'rules'];
  if (document.kind !== 'TrafficLane' || !isMapping(valueAt(document.value, rules))) return [];
  const problems: Problem[] = [];
  const header = valueAt(document.value, [...rules, 'traceIdBaggage']);
  if (typeof header === 'string' && header.toLowerCase() !== labelHeader) {
    const message = `found ${quoted(header)}, expected ${quoted(labelHeader)}: the name is fixed, and labels travel there`;
    problems.push(problemAt(document, [...rules, 'traceIdBaggage'], message));
  }
  const [headers, uri] = ['headers', 'uri'].map((field) => valueAt(document.value, [...httpPath, field]));
  const isEmpty = uri === undefined && (headers === undefined || (Array.isArray(headers) && headers.length === 0));
  if (isEmpty && valueAt(document.value, [...rules, 'workload']) === undefined)
    problems.push(problemAt(document, rules, 'found no headers, uri or workload; this rule matches nothing'));
  return problems;
}

/** A value of a condition may be a number or boolean, where its text is the one that an API server keeps. */
export function valueProblems(document: Document): Problem[] {
  return valuePaths(document).flatMap((path) => {
    const value = valueAt(document.value, path);
    const source = document.source(path);
    if ((typeof value !== 'number' && typeof value !== 'boolean') || !source?.plain) return [];
    // Reported above, with all that readers of YAML disagree on.
    if (typeof value === 'number' && !isJsonNumber(source.text)) return [];
    if (source.text === JSON.stringify(value)) return [];
    return [problemAt(document, path, `found ${shown(value, source)}, expected a string${quoteHint(source)}`)];
  });
}

function valuePaths(document: Document): Path[] {
  if (document.kind === 'TrafficLane')
    return writtenConditions(valueAt(document.value, httpPath)).conditions.map(({ valuePath }) => [
      ...httpPath,
      ...valuePath,
    ]);
  return conditionPaths(document).flatMap(
    (path): Path[] => itemsAt(document, [...path, 'value']) ?? [[...path, 'value']],
  );
}

/** Of every condition of `match` and `anyOf`. */
function conditionPaths(document: Document): Path[] {
  const lists = [['spec', 'match'], ...(itemsAt(document, ['spec', 'anyOf']) ?? [])];
  return lists.flatMap((path) => itemsAt(document, path) ?? []);
}

function itemsAt(document: Document, path: Path): Path[] | undefined {
  const list = valueAt(document.value, path);
  return Array.isArray(list) ? [...list.keys()].map((index) => [...path, index]) : undefined;
}
