import { describe, expect, test } from 'vitest';
import { analyse } from '../../src/sql/analyse.ts';
import { tokenize } from '../../src/sql/lexer.ts';
import { withCharset, withSqlMode } from '../../src/sql/mode.ts';
import { fill, isOfShape, piecesOf, shapeOf } from '../../src/sql/shape.ts';
import { mariadb } from './given.ts';

const shown = (text: string) => shapeOf(text, mariadb)?.text.replaceAll('70368744177663', '?');

test.each([
  ['SELECT name FROM orders WHERE id = 17', 'SELECT name FROM orders WHERE id = ?'],
  ['SELECT 1', 'SELECT ?'],
  ['UPDATE o SET a=-3,b= 007 WHERE c>1e-5', 'UPDATE o SET a=-?,b= ? WHERE c>1e-?'],
  ["INSERT INTO o VALUES (1,'it''s','','\xfc -- /* # 7')", "INSERT INTO o VALUES (?,'?','?','?')"],
  ["UPDATE o SET a = 'b\\'1'", "UPDATE o SET a = '?'"],
  ['SELECT t1.c2 FROM `t 3` AS t1 LIMIT 5', 'SELECT t1.c2 FROM `t 3` AS t1 LIMIT ?'],
  ["SELECT _utf8mb4 'a' 'b'", "SELECT _utf8mb4 '?' '?'"],
])('%j has the shape %j', (text, shape) => {
  expect(shown(text)).toBe(shape);
});

test.each([
  ...['SELECT 1.5, .5, 0x1F, 0b1, 1e5, a1, 1a', 'SELECT id FROM orders', 'SELECT app.1orders', ''],
  ...['SELECT 1 -- 2', 'SELECT 1 # 2', 'SELECT 1 /* 2 */', 'SELECT 1; SELECT 2', 'SELECT @a, 1', 'SELECT "a", 1'],
  ...["SELECT N'a'", "SELECT X'41'", "SELECT _utf8'a'", "SELECT 1'a'", 'SELECT $1$, 1', 'SELECT \\N, 1'],
  `INSERT INTO o VALUES (1${', 2'.repeat(64)})`,
  ...["SELECT 'a", "SELECT 1, 'a\\'", 'SELECT 1, `a', 'SELECT `a``', 'SELECT 1 [', 'SELECT 1\0'],
])('%j is read as it is', (text) => {
  expect(shown(text)).toBeUndefined();
});

test('a charset in which a quote may be half of a character has no shapes', () => {
  expect(shapeOf("SELECT 'a'", withCharset(mariadb, 'sjis'))).toBeUndefined();
});

test('a backslash is a byte as any, where the mode says so', () => {
  const mode = withSqlMode(mariadb, 'NO_BACKSLASH_ESCAPES');
  expect(shapeOf("SELECT 'a\\', 1", mode)?.literals).toEqual(['a\\', '1']);
});

describe.each([
  "SELECT a FROM orders AS o WHERE o.id IN (1, 22, 333) AND b = 'x' AND c = 1.5",
  "INSERT INTO orders (a, b) VALUES (1, ''), (2, 'it''s')",
])('of %j', (text) => {
  const shape = shapeOf(text, mariadb);

  test('the shape has the same tokens', () => {
    const words = (sql: string) => tokenize(sql, mariadb).tokens.map(({ kind, word }) => [kind, word]);
    expect(words(shape?.text ?? '')).toEqual(words(text));
  });

  test('the shape is filled again', () => {
    expect(fill(piecesOf(shape?.text ?? ''), shape?.literals ?? [])).toBe(text);
  });
});

test.each([
  ['SELECT 1', true],
  ["DELETE FROM orders WHERE a = 'x'", true],
  ['SET a = 1', false],
  ["PREPARE s FROM 'SELECT 1'", false],
  ["SHOW TABLES LIKE 'o%'", false],
  ["SELECT a INTO OUTFILE 'f' FROM orders", false],
  ['SELECT a FROM (orders', false],
  ['SELECT a INTO @x FROM orders', false],
])('that %j stands for all of its shape: %j', (text, is) => {
  expect(isOfShape(analyse(text, mariadb))).toBe(is);
});
