import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createMemory } from '../../src/database/statements/memory.ts';
import { analyse } from '../../src/sql/analyse.ts';
import type { Analysis } from '../../src/sql/analysis.ts';
import { divert, type Verdict } from '../../src/sql/divert.ts';
import { tokenize } from '../../src/sql/lexer.ts';
import { namesMapped } from '../../src/sql/mapped.ts';
import type { Mode } from '../../src/sql/mode.ts';
import type { TableName } from '../../src/sql/shadows.ts';
import { fill, piecesOf, shapeOf } from '../../src/sql/shape.ts';
import { anyMode, anySql } from '../sql/arbitrary.ts';
import { bytes, mariadb, orders } from '../sql/given.ts';
import { anyStatement } from '../sql/grammar.ts';
import type { Target } from './targets.ts';

/** A right statement with some of its tokens lost, doubled or exchanged. */
const broken = fc
  .tuple(anyStatement, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 2 })), { maxLength: 4 }))
  .map(([sql, wounds]) => {
    const text = bytes(sql);
    const parts = tokenize(text, mariadb).tokens.map(({ from, to }) => text.slice(from, to));
    for (const [place, how] of wounds) {
      const at = place % (parts.length || 1);
      if (how === 0) parts.splice(at, 1);
      else if (how === 1) parts.splice(at, 0, parts[at] ?? '');
      else parts.push(...parts.splice(at, 1));
    }
    return wounds.length === 0 ? text : parts.join(' ');
  });

const isOrders = ({ database, table }: TableName) => database === 'app' && table === 'orders';
const home = { ...orders, isShadow: () => true };
const given = { database: 'app', shadows: home, definitions: 'shadow' } as const;

/** What is kept of a text of the same shape, with other literals, says the same of this one. */
function isRemembered(sql: string, mode: Mode, verdict: Verdict): void {
  const memory = createMemory(1 << 20);
  const shape = shapeOf(sql, mode);
  const pieces = piecesOf(shape?.text ?? '');
  const literals = shape?.literals.map((each) => (/^\d+$/.test(each) ? '7' : 'another')) ?? [];
  const other = pieces.length === literals.length + 1 ? fill(pieces, literals) : sql;
  const circumstances = { database: 'app', shadows: home, temporary: new Set<string>() };
  const find = (text: string, analysis: Analysis) => divert(text, analysis, given);
  for (let times = 0; times < 2; times += 1) memory.verdictOf(other, mode, circumstances, find);
  const found = memory.verdictOf(sql, mode, circumstances, find);
  const bare = (each: typeof found) => (each.do === 'rewrite' ? each.text : each);
  assert.deepEqual(bare(found), bare(verdict), 'it comes to the same from memory');
}

function holds(sql: string, mode: Mode): void {
  let at = 0;
  const { tokens } = tokenize(sql, mode);
  for (const { from, to } of tokens) {
    assert.ok(from >= at && to > from && to <= sql.length, 'tokens are in order');
    at = to;
  }
  const analysis = analyse(sql, mode);
  for (const { tables, qualifiers, labels, from, to } of analysis.statements)
    for (const place of [...tables, ...qualifiers, ...labels])
      assert.ok(place.from >= from && place.to > place.from && place.to <= to, 'places are in their statement');
  const strict = divert(sql, analysis, { ...given, shadows: orders, definitions: 'refuse' });
  const touched = namesMapped(analysis, 'app', isOrders);
  if (strict.do === 'pass')
    assert.ok(!touched.written || /TEMPORARY/i.test(sql), 'what writes to the base does not pass');
  const verdict = divert(sql, analysis, given);
  isRemembered(sql, mode, verdict);
  if (verdict.do !== 'rewrite') return;
  const again = analyse(verdict.text, mode);
  assert.deepEqual(divert(verdict.text, again, given), { do: 'pass' }, 'nothing of the base is left');
  assert.deepEqual(
    again.statements.map(({ verb, kind }) => [verb, kind]),
    analysis.statements.map(({ verb, kind }) => [verb, kind]),
    'the statements are the same',
  );
  assert.deepEqual(again.comments, analysis.comments, 'comments are the same');
  let next = 0;
  const now = tokenize(verdict.text, mode).tokens.map(({ from, to }) => verdict.text.slice(from, to));
  for (const { from, to } of tokens) {
    const token = sql.slice(from, to);
    // `app.` goes from the list of a DELETE.
    if (token === '.' || /orders|app/.test(token)) continue;
    const found = now.indexOf(token, next);
    assert.ok(found >= next, `${token} is left where it was`);
    next = found + 1;
  }
}

export const sqlTarget: Target = {
  promise: 'any text is read without a throw, and one that is rewritten names the shadow, and is else what it was',
  weight: 60,
  property: fc.property(
    fc.oneof({ weight: 2, arbitrary: anySql }, { weight: 1, arbitrary: broken }),
    anyMode,
    holds,
  ) as Target['property'],
};
