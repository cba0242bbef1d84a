import { expect, test } from 'vitest';
import { analyse } from '../../src/sql/analyse.ts';
import { divert } from '../../src/sql/divert.ts';
import { mariadb, orders } from './given.ts';

const given = { database: 'app', shadows: orders, definitions: 'shadow' } as const;

const pieces = [
  ...[
    '(',
    '()',
    "'",
    '"',
    '`',
    '/*',
    '/*!',
    '/*!99999 ',
    '*/',
    '--',
    '#\n',
    ',',
    ';',
    '.',
    'a.',
    '@',
    '\\',
    '1e',
    '1.',
    '$',
    '{',
  ],
  ...[
    ' union select',
    ' join orders',
    'orders.a,',
    'app.orders.a,',
    'with a as (',
    "set sql_mode='';",
    'select 1 from orders;',
  ],
  ...[
    ' orders,',
    'a,',
    ' set a=1,',
    'case ',
    ' for system_time as of',
    ' references orders',
    ' (select orders.id from',
  ],
];
const beginnings = [
  ...[
    '',
    'SELECT ',
    'SELECT * FROM ',
    'DELETE FROM orders WHERE ',
    'DELETE ',
    'UPDATE ',
    'UPDATE orders SET ',
    'LOCK TABLES ',
  ],
  ...[
    'WITH RECURSIVE a AS (',
    'INSERT INTO orders VALUES ',
    'CREATE TABLE x (',
    'CREATE PROCEDURE p() BEGIN ',
    'SET ',
    'CALL ',
  ],
];

/** How long the beginning with the piece again and again takes, with its parentheses closed and not. */
function msOf(beginning: string, piece: string, length: number): number {
  const opened = piece.split('(').length - piece.split(')').length;
  const times = Math.floor(length / piece.length);
  const repeated = beginning + piece.repeat(times);
  const start = performance.now();
  for (const sql of opened > 0 ? [repeated, repeated + ')'.repeat(opened * times)] : [repeated])
    divert(sql, analyse(sql, mariadb), given);
  return performance.now() - start;
}

test.each(['(', "'", '/*', ','])('a megabyte of %s is read in a second', (piece) => {
  // The best of two: others have the machine too.
  for (const beginning of ['', 'SELECT ', 'SELECT * FROM '])
    expect(Math.min(msOf(beginning, piece, 1_000_000), msOf(beginning, piece, 1_000_000))).toBeLessThan(1_000);
});

test('nothing that may nest or repeat takes more than its length', () => {
  const slow: string[] = [];
  for (const beginning of beginnings)
    for (const piece of pieces) {
      const ms = Math.min(msOf(beginning, piece, 100_000), msOf(beginning, piece, 100_000));
      if (ms > 250) slow.push(`${beginning}${piece}: ${ms.toFixed(0)} ms`);
    }
  expect(slow).toEqual([]);
});

test('a point select costs less than 25 microseconds', () => {
  const runs = 20_000;
  const once = () => {
    const start = performance.now();
    for (let run = 0; run < runs; run += 1) {
      const sql = `SELECT id, qty, name FROM orders WHERE id = ${run}`;
      divert(sql, analyse(sql, mariadb), given);
    }
    return ((performance.now() - start) * 1_000) / runs;
  };
  // The best of some: others have the machine too.
  expect(Math.min(...Array.from({ length: 5 }, once))).toBeLessThan(25);
});
