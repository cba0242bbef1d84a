// A document held against its schema: every mistake with its place, what was found, what was expected.

import { z } from 'zod';
import type { Problem, Result } from '../problem.ts';
import { nearest } from './nearest.ts';
import type { Document, Path } from './parse.ts';
import { byPlace, problemAt } from './place.ts';
import { scalarProblems } from './scalars.ts';
import { isJsonNumber, isMapping, listed, quoted, quoteHint, shown, valueAt } from './value.ts';

/**
 * Reports all mistakes, in the order of the text. Messages of the schema say only what was expected (`expected a port`):
 * what was found is put before.
 */
export function validate<T>(document: Document, schema: z.ZodType<T>): Result<T> {
  const fields = validateFields(document, schema);
  const problems = fields.ok ? [] : fields.problems;
  const reported = new Set(problems.map((problem) => problem.path));
  problems.push(...scalarProblems(document).filter((problem) => !reported.has(problem.path)));
  if (fields.ok && problems.length === 0) return fields;
  return { ok: false, problems: problems.sort(byPlace).slice(0, maxProblems) };
}

/** The same for a document of which only some fields are read: how the others are written is not our business. */
export function validateFields<T>(document: Document, schema: z.ZodType<T>): Result<T> {
  const parsed = schema.safeParse(document.value, { error: (issue) => expectation(document, issue) });
  if (parsed.success) return { ok: true, value: parsed.data };
  const issues = parsed.error.issues.slice(0, maxProblems);
  return { ok: false, problems: issues.flatMap((issue) => problemsOf(document, schema, issue)).sort(byPlace) };
}

const maxProblems = 100;

function problemsOf(document: Document, schema: z.ZodType, issue: z.core.$ZodIssue): Problem[] {
  const path = pathOf(issue.path);
  if (issue.code === 'unrecognized_keys') return unknownFields(document, schema, path, issue.keys);
  if (issue.code === 'invalid_key')
    return [atKey(document, path, `found the key ${quoted(String(path.at(-1)))}, ${issue.issues[0]?.message}`)];
  const found = shown(valueAt(document.value, path), document.source(path));
  return [problemAt(document, path, `found ${found}, ${issue.message}`)];
}

function unknownFields(document: Document, schema: z.ZodType, parent: Path, keys: readonly string[]): Problem[] {
  const known = fieldsAt(z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }), parent);
  return keys.map((key) => {
    const near = nearest(key, known);
    const hint =
      near === undefined ? `expected ${known.join(', ') || 'no such field'}` : `did you mean ${quoted(near)}?`;
    return atKey(document, [...parent, key], `unknown field ${quoted(key)}; ${hint}`);
  });
}

function atKey(document: Document, path: Path, message: string): Problem {
  return { ...problemAt(document, path, message), ...document.keyPlace(path) };
}

/** The fields that a JSON schema knows at a path; those it knows only to refuse (`not`) do not count. */
function fieldsAt(root: unknown, path: Path): string[] {
  let schema = root;
  for (const part of path) {
    if (!isMapping(schema)) return [];
    const { properties, items, additionalProperties } = schema;
    if (typeof part === 'number') schema = items;
    else schema = valueAt(properties, [part]) ?? additionalProperties;
  }
  const properties = isMapping(schema) ? schema['properties'] : undefined;
  if (!isMapping(properties)) return [];
  return Object.keys(properties).filter((name) => !(isMapping(properties[name]) && 'not' in properties[name]));
}

/** What was expected, for the issues whose schema does not say it. */
function expectation(document: Document, issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return expectedTypes(document, issue, [issue.expected]);
    case 'invalid_union':
      return expectedTypes(
        document,
        issue,
        issue.errors.flat().flatMap((each) => ('expected' in each ? [each.expected] : [])),
      );
    case 'invalid_value':
      return expectedWords(issue.input, issue.values.map(String));
    case 'too_small':
      return `expected at least ${amount(issue.origin, issue.minimum)}`;
    case 'too_big':
      return `expected at most ${amount(issue.origin, issue.maximum)}`;
    case 'invalid_format':
      return `expected ${issue.format === 'datetime' ? 'a time such as "2026-01-31T12:00:00Z"' : `the form ${issue.pattern ?? issue.format}`}`;
    default:
      return 'expected another value';
  }
}

function expectedTypes(document: Document, issue: z.core.$ZodRawIssue, types: readonly string[]): string {
  // Where a string is allowed, it is what an operator should write.
  if (types.includes('string')) return `expected a string${quoteHint(document.source(pathOf(issue.path ?? [])))}`;
  const expected = `expected ${types.map((type) => typeNames[type] ?? type).join(' or ') || 'another value'}`;
  const isQuotedNumber = typeof issue.input === 'string' && isJsonNumber(issue.input);
  return types.includes('number') && isQuotedNumber ? `${expected}; write it without quotes: ${issue.input}` : expected;
}

const typeNames: Readonly<Record<string, string>> = {
  number: 'a number',
  int: 'an integer',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function expectedWords(input: unknown, words: readonly string[]): string {
  const near = typeof input === 'string' ? nearest(input, words) : undefined;
  const expected = `expected ${listed(words)}`;
  return near === undefined || words.length === 1 ? expected : `${expected}; did you mean ${quoted(near)}?`;
}

function amount(origin: string, count: number | bigint): string {
  if (origin === 'array') return `${count} ${count === 1 ? 'item' : 'items'}`;
  return origin === 'string' ? `${count} ${count === 1 ? 'character' : 'characters'}` : String(count);
}

/** Zod types paths as property keys; what YAML gave has no symbols. */
function pathOf(path: readonly PropertyKey[]): Path {
  return path.filter((part) => typeof part !== 'symbol');
}
