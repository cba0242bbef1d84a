import { expect, test } from 'vitest';
import { createMemory, type Outcome } from '../../../src/database/statements/memory.ts';
import { analyse } from '../../../src/sql/analyse.ts';
import type { Analysis } from '../../../src/sql/analysis.ts';
import { divert, type Verdict } from '../../../src/sql/divert.ts';
import { mariadb } from '../../sql/given.ts';
import { given, readCases, shadows } from '../../sql/verdicts.ts';

const circumstances = { database: 'app', shadows, temporary: new Set<string>() };
const find = (text: string, analysis: Analysis) => divert(text, analysis, { ...circumstances, definitions: 'refuse' });
const bare = (outcome: Outcome | Verdict) =>
  outcome.do === 'rewrite' ? { do: outcome.do, text: outcome.text } : outcome;

function remember() {
  const memory = createMemory(1 << 20);
  let found = 0;
  const verdictOf = (text: string, mode = mariadb) =>
    memory.verdictOf(text, mode, circumstances, (...all) => {
      found += 1;
      return find(...all);
    });
  return { verdictOf, found: () => found };
}

test.each(readCases())('$statement comes to the same from memory', ({ statement }) => {
  const { sql, mode } = given(statement);
  const { verdictOf } = remember();
  // Another text of the same shape, mostly, and then this one.
  const other = sql.replace(/\b\d+\b/g, '12345').replace(/'[^'\\]+'/g, "'another'");
  for (const text of [other, other, sql, other, sql])
    expect(bare(verdictOf(text, mode))).toEqual(bare(find(text, analyse(text, mode))));
});

test('texts that differ in literals are diverted once', () => {
  const { verdictOf, found } = remember();
  for (let id = 0; id < 100; id += 1)
    expect(bare(verdictOf(`UPDATE orders SET a = 'n${id}' WHERE id = ${id}`))).toEqual({
      do: 'rewrite',
      text: `UPDATE orders_gray AS orders SET a = 'n${id}' WHERE id = ${id}`,
    });
  // A shape is kept when it comes for the second time.
  expect(found()).toBe(2);
});

test('a column keeps the name that its text gave it, with its own literal', () => {
  const { verdictOf } = remember();
  for (let id = 0; id < 3; id += 1)
    expect(bare(verdictOf(`SELECT (SELECT a FROM orders WHERE id = ${id})`))).toEqual({
      do: 'rewrite',
      text: `SELECT (SELECT a FROM orders_gray AS orders WHERE id = ${id}) AS \`(SELECT a FROM orders WHERE id = ${id})\``,
    });
});

test('it keeps it where marks for its literals would make it too long for an alias', () => {
  const { verdictOf } = remember();
  for (const ids of ['1', '2', '12345678901234'].map((id) => Array(15).fill(id).join(','))) {
    const text = `SELECT (SELECT MAX(id) FROM orders WHERE id IN (${ids})) FROM items`;
    expect(bare(verdictOf(text))).toEqual(bare(find(text, analyse(text, mariadb))));
  }
});

test('a text in which the mark of literals stands itself is not mistaken', () => {
  const { verdictOf } = remember();
  for (const id of ['1', '70368744177663', '2'])
    for (const name of ['a70368744177663', '`70368744177663`', '70368744177663.5'])
      expect(bare(verdictOf(`SELECT ${name} FROM orders WHERE id = ${id}`))).toEqual({
        do: 'rewrite',
        text: `SELECT ${name} FROM orders_gray AS orders WHERE id = ${id}`,
      });
});
