// What a client can make as long as it likes is read in linear time. How fast that is, `npm run bench:database` says.
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
    'case (select 1 from orders) end,',
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

/** CPU time of the beginning with the piece again and again, with its parentheses closed and not. */
function cpuOf(beginning: string, piece: string, length: number): number {
  const opened = piece.split('(').length - piece.split(')').length;
  const times = Math.floor(length / piece.length);
  const repeated = beginning + piece.repeat(times);
  const texts = opened > 0 ? [repeated, repeated + ')'.repeat(opened * times)] : [repeated];
  const start = process.cpuUsage();
  for (const sql of texts) divert(sql, analyse(sql, mariadb), given);
  return process.cpuUsage(start).user;
}

/**
 * Eight times the length takes eight times the work, not the sixty-four of a quadratic reader. A pair that was disturbed
 * is measured again: what others do on the machine makes a linear reader look bad at times, and a quadratic one never good.
 */
function isLinear(beginning: string, piece: string, length: number): boolean {
  for (let tries = 0; tries < 8; tries += 1)
    if (cpuOf(beginning, piece, length * 8) < 24 * Math.max(cpuOf(beginning, piece, length), 100)) return true;
  return false;
}

test('a megabyte of what opens is read in linear time', () => {
  const pairs = ['', 'SELECT ', 'SELECT * FROM '].flatMap((each) =>
    ['(', "'", '/*', ','].map((piece) => [each, piece]),
  );
  expect(pairs.filter(([beginning = '', piece = '']) => !isLinear(beginning, piece, 125_000))).toEqual([]);
});

test('nothing that may nest or repeat takes more than its length', () => {
  const pairs = beginnings.flatMap((each) => pieces.map((piece) => [each, piece]));
  expect(pairs.filter(([beginning = '', piece = '']) => !isLinear(beginning, piece, 12_500))).toEqual([]);
});
