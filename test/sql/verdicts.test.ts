import { describe, expect, test } from 'vitest';
import { reasons } from '../../src/sql/refusals.ts';
import { readCases, told, verdictOf } from './verdicts.ts';

const cases = readCases();

describe('what becomes of a labelled statement', () => {
  test.each(cases)('$statement', ({ statement, expected }) => {
    expect(told(verdictOf(statement))).toBe(expected);
  });
});

test('the table has every reason for a refusal', () => {
  const seen = new Set(cases.flatMap(({ expected }) => expected.match(/^refused: (.*)$/)?.[1] ?? []));
  expect([...seen].sort()).toEqual(Object.keys(reasons).sort());
});

test('each reason has one sentence that says what is the matter and how it is mended', () => {
  for (const sentence of Object.values(reasons)) expect(sentence).toMatch(/^[A-Z].*; .*\.$|^[A-Z].*, .*\.$/);
});
