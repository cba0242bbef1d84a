import { expect, test } from 'vitest';
import { z } from 'zod';
import { parse } from '../../src/documents/parse.ts';
import { validate } from '../../src/documents/validate.ts';
import { formatProblem } from '../../src/problem.ts';

// Not a kind of this folder: others hold their documents against schemas of their own.
const schema = z.looseObject({
  spec: z.strictObject({
    port: z.int('expected a port').max(65535, 'expected a port').optional(),
    count: z.int().min(1).optional(),
    on: z.boolean().optional(),
    either: z.union([z.boolean(), z.array(z.string())]).optional(),
    keyed: z.record(z.string().regex(/^[a-z]+$/, 'expected small letters'), z.string()).optional(),
    pattern: z.string().regex(/^a+$/).optional(),
    constructor: z.string(),
  }),
});

function problemsOf(spec: string): string[] {
  const [document] = parse(`apiVersion: v1\nkind: A\nmetadata: { name: a }\nspec:\n${spec}`, 'f').documents;
  if (document === undefined) throw new Error('expected a document');
  const result = validate(document, schema);
  return result.ok ? [] : result.problems.map(formatProblem);
}

test('a right document is returned as its type', () => {
  expect(problemsOf('  { constructor: a, port: 80, on: true, either: [a], keyed: { a: b }, pattern: aa }')).toEqual([]);
});

test('mistakes are reported in the order of the text, with what was found before what the schema expected', () => {
  expect(
    problemsOf(`  pattern: b
  keyed: { A: b, c: off }
  unknown: 1
  either: 12
  on: "true"
  count: "3"
  port: 65536
`),
  ).toEqual([
    'f:5:3: spec.constructor: found nothing, expected a string',
    'f:5:12: spec.pattern: found "b", expected the form /^a+$/',
    'f:6:12: spec.keyed.A: found the key "A", expected small letters',
    'f:6:21: spec.keyed.c: found off, which Kubernetes does not read as a string; quote it: "off"',
    'f:7:3: spec.unknown: unknown field "unknown"; expected port, count, on, either, keyed, pattern, constructor',
    'f:8:11: spec.either: found 12, expected true or false or a list',
    'f:9:7: spec.on: found "true", expected true or false',
    'f:10:10: spec.count: found "3", expected a number; write it without quotes: 3',
    'f:11:9: spec.port: found 65536, expected a port',
  ]);
});

test('of many mistakes the first hundred are reported', () => {
  const problems = problemsOf(Array.from({ length: 300 }, (_, i) => `  x${i}: 1\n`).join(''));
  expect(problems).toHaveLength(100);
  expect(problems[99]).toContain('spec.x98:');
});
