import { expect, test } from 'vitest';
import { analyse } from '../../src/sql/analyse.ts';
import { divert } from '../../src/sql/divert.ts';
import { namesMapped } from '../../src/sql/mapped.ts';
import { withCharset } from '../../src/sql/mode.ts';
import type { TableName } from '../../src/sql/shadows.ts';
import { tableKey, temporaryAfter } from '../../src/sql/temporary.ts';
import { bytes, mariadb, orders } from './given.ts';

const isMapped = ({ database, table }: TableName) => database === 'app' && table === 'orders';
const touched = (sql: string, database: string | undefined = 'app') => {
  const found = namesMapped(analyse(sql, mariadb), database, isMapped);
  return Object.entries(found).flatMap(([what, is]) => (is ? [what] : []));
};

test.each([
  ['SELECT * FROM orders', ['read']],
  ['SELECT * FROM items', []],
  ['SELECT * FROM other.orders', []],
  ['SELECT "orders"', []],
  ['INSERT INTO orders SELECT * FROM items', ['written']],
  ['INSERT INTO items SELECT * FROM orders', ['read']],
  ['INSERT INTO orders SELECT * FROM orders', ['read', 'written']],
  ['UPDATE items JOIN orders SET items.a = 1', ['read']],
  ['DROP TABLE orders', ['written']],
  ['LOCK TABLES orders WRITE', ['read']],
  ['SELECT 1; DELETE FROM orders', ['written']],
  ['USE other; DELETE FROM orders', []],
  ['USE other; USE app; DELETE FROM orders', ['written']],
  ["EXECUTE IMMEDIATE 'USE other'; DELETE FROM orders", []],
  ["PREPARE s FROM 'DELETE FROM orders'", ['written']],
  ["EXECUTE IMMEDIATE 'SELECT * FROM orders'", ['read']],
  ['CREATE TEMPORARY TABLE orders SELECT * FROM orders', ['read']],
  ['EXECUTE s', ['unclear']],
  ['PREPARE s FROM @x', ['unclear']],
  ['CALL p()', ['unclear']],
  ['FOO', ['unclear']],
  ["SELECT 'a", ['unclear']],
  ['INSERT INTO', ['unclear']],
  ['SELECT * FROM orders; CALL p()', ['read', 'unclear']],
  ['SET GLOBAL x = 1', []],
  ['GRANT SELECT ON orders TO x', []],
  ['BEGIN', []],
])('%s touches %j', (sql, expected) => {
  expect(touched(sql)).toEqual(expected);
});

test('a name without a database means no mapped table where none is chosen', () => {
  expect(touched('DELETE FROM orders', 'other')).toEqual([]);
  expect(namesMapped(analyse('DELETE FROM orders', mariadb), undefined, isMapped).written).toBe(false);
  expect(namesMapped(analyse('USE app; DELETE FROM orders', mariadb), undefined, isMapped).written).toBe(true);
});

const keys = (...names: string[]) => new Set(names.map((name) => tableKey({ database: 'app', table: name }, mariadb)));

test.each([
  ['CREATE TEMPORARY TABLE t (id INT)', keys(), keys('t')],
  ['CREATE TEMPORARY TABLE IF NOT EXISTS app.t LIKE orders', keys('a'), keys('a', 't')],
  ['CREATE TABLE t (id INT)', keys(), keys()],
  ['DROP TABLE t, other.a', keys('t', 'a'), keys('a')],
  ['DROP TEMPORARY TABLE IF EXISTS t', keys('t'), keys()],
  ['TRUNCATE t', keys('t'), keys('t')],
  ['USE app; CREATE TEMPORARY TABLE t (id INT); USE other; DROP TABLE t', keys(), keys('t')],
  ["EXECUTE IMMEDIATE 'CREATE TEMPORARY TABLE t (id INT)'", keys(), keys('t')],
  ["USE app; EXECUTE IMMEDIATE 'USE other'; DROP TABLE t", keys('t'), keys('t')],
  ["PREPARE s FROM 'CREATE TEMPORARY TABLE t (id INT)'", keys(), keys()],
  // What may have dropped any.
  ['EXECUTE s', keys('t'), keys()],
  ['CALL p()', keys('t'), keys()],
  ["SELECT 'a", keys('t'), keys()],
])('after %s the temporary tables are known', (sql, before, after) => {
  expect(temporaryAfter(analyse(sql, mariadb), { database: 'app', temporary: before })).toEqual(after);
});

test('the set of temporary tables is the same object where none is made or dropped', () => {
  const temporary = keys('t');
  expect(temporaryAfter(analyse('SELECT * FROM t', mariadb), { database: 'app', temporary })).toBe(temporary);
});

const given = { database: 'app', shadows: orders, definitions: 'refuse' } as const;

test('what a session prepared under this label may be executed under it', () => {
  const execute = analyse('EXECUTE S', mariadb);
  expect(divert('EXECUTE S', execute, { ...given, prepared: new Set(['s']) })).toEqual({ do: 'pass' });
  expect(divert('EXECUTE S', execute, { ...given, prepared: new Set(['t']) })).toMatchObject({ reason: 'dynamic' });
  expect(analyse("PREPARE S FROM 'SELECT 1'", mariadb).statements[0]?.prepared).toBe('s');
  expect(analyse('DEALLOCATE PREPARE S', mariadb).statements[0]?.prepared).toBe('s');
});

test('temporary tables are known in any case where names have none', () => {
  const mode = { ...mariadb, namesIgnoreCase: true };
  const temporary = temporaryAfter(analyse('CREATE TEMPORARY TABLE Orders (id INT)', mode), {
    database: 'App',
    temporary: new Set(),
  });
  expect(divert('DELETE FROM app.ORDERS', analyse('DELETE FROM app.ORDERS', mode), { ...given, temporary })).toEqual({
    do: 'pass',
  });
  expect(
    divert('DELETE FROM app.ORDERS', analyse('DELETE FROM app.ORDERS', mariadb), { ...given, temporary }),
  ).toMatchObject({ reason: 'no-shadow' });
});

test('names beyond ASCII are known in lower case where names have none', () => {
  const mode = { ...mariadb, namesIgnoreCase: true };
  const verdict = (sql: string) => divert(bytes(sql), analyse(bytes(sql), mode), given);
  for (const name of ['ÉCRAN', 'Écran', '\u212Aunden', 'İtems', '`Ǆ`'])
    for (const sql of [`SELECT * FROM ${name}`, `SELECT * FROM ${name}.orders`, `DROP TEMPORARY TABLE ${name}`])
      expect(verdict(sql), sql).toMatchObject({ reason: 'charset' });
  expect(verdict('SELECT * FROM écran, 订单, Orders2, É.a')).toMatchObject({ reason: 'charset' });
  expect(verdict('SELECT É.id FROM écran, 订单, Orders2 AS É')).toEqual({ do: 'pass' });
});

test('of a name that may be any nobody can tell what base touches, or which temporary table it drops', () => {
  const latin = withCharset(mariadb, 'latin1');
  const sql = 'DROP TEMPORARY TABLE b\xfccher';
  expect(temporaryAfter(analyse(sql, latin), { database: 'app', temporary: keys('t') })).toEqual(keys());
  expect(temporaryAfter(analyse(sql, mariadb), { database: 'app', temporary: keys('t') })).toEqual(keys('t'));
  expect(namesMapped(analyse('SELECT * FROM b\xfccher', latin), 'app', isMapped).unclear).toBe(true);
  expect(namesMapped(analyse('SELECT b\xfccher FROM items', latin), 'app', isMapped).unclear).toBe(false);
});

test('qualifiers of the target are found in any case where names have none', () => {
  const shadows = { ...orders, shadowOf: ({ database }: TableName) => ({ database, table: 'orders_gray' }) };
  const sql = 'DELETE FROM Orders WHERE ORDERS.id = 1 AND orders.id = 1';
  const verdict = divert(sql, analyse(sql, { ...mariadb, namesIgnoreCase: true }), { ...given, shadows });
  expect(verdict).toMatchObject({ text: 'DELETE FROM orders_gray WHERE orders_gray.id = 1 AND orders_gray.id = 1' });
});

test("a shadow's name that the client's charset writes otherwise is refused", () => {
  const shadows = {
    shadowOf: ({ database }: TableName) => ({ database, table: '\xe8\xae\xa2' }),
    isShadow: () => false,
  };
  const verdict = (charset: 'gbk' | 'bytes') => {
    const analysis = analyse('SELECT * FROM orders', { ...mariadb, charset });
    return divert('SELECT * FROM orders', analysis, { ...given, shadows });
  };
  expect(verdict('gbk')).toMatchObject({ reason: 'charset' });
  expect(verdict('bytes')).toMatchObject({ text: 'SELECT * FROM `\xe8\xae\xa2` AS orders' });
});

test('a shadow whose name needs quotes gets them', () => {
  const text = (table: string, sql = 'SELECT * FROM orders') => {
    const shadows = { shadowOf: ({ database }: TableName) => ({ database, table }), isShadow: () => false };
    return (divert(sql, analyse(sql, mariadb), { ...given, shadows }) as { text: string }).text;
  };
  expect(text('order')).toBe('SELECT * FROM `order` AS orders');
  expect(text('a-b')).toBe('SELECT * FROM `a-b` AS orders');
  expect(text('a`b')).toBe('SELECT * FROM `a``b` AS orders');
  expect(text('1a')).toBe('SELECT * FROM `1a` AS orders');
  expect(text('plain_1')).toBe('SELECT * FROM plain_1 AS orders');
  expect(text('x', 'SELECT * FROM `or``ders`')).toBe('SELECT * FROM `x` AS `or``ders`');
});
