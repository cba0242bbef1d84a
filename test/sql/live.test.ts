import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { analyse } from '../../src/sql/analyse.ts';
import { divert } from '../../src/sql/divert.ts';
import { mariadb, orders, readMarked } from './given.ts';
import { outcomeOf, type Server, shop, startServer } from './servers.ts';

// What is made new has no base to be kept from: the shop's own rules would name shadows for it.
const shadows = { ...orders, isShadow: () => true };

let base: Server;
let gray: Server;

beforeAll(async () => {
  [base, gray] = await Promise.all([startServer(), startServer()]);
});

afterAll(async () => {
  await Promise.all([base?.close(), gray?.close()]);
});

/** What shows names of tables as rows; or as metadata, where the table takes no alias. */
const showsNames = /^(SHOW|ANALYZE|CHECKSUM|EXPLAIN)|RETURNING/;

describe('on a server that has only the shadow a client sees what it saw on the base', () => {
  const runnable = readMarked('statements.txt').filter(
    ({ flags }) => !flags.includes('norun') && !flags.includes('my8'),
  );

  test.each(runnable)('$name', async ({ sql, mode }) => {
    const verdict = divert(sql, analyse(sql, mode), { database: 'app', shadows, definitions: 'shadow' });
    if (verdict.do === 'refuse') throw new Error(verdict.message);
    const text = verdict.do === 'pass' ? sql : verdict.text;
    await Promise.all([base.connection.query(shop('orders')), gray.connection.query(shop('orders_gray'))]);
    if (mode !== mariadb) {
      const value = [mode.ansiQuotes && 'ANSI_QUOTES', mode.noBackslashEscapes && 'NO_BACKSLASH_ESCAPES'];
      const set = `SET sql_mode = '${value.filter(Boolean).join(',')}'`;
      await Promise.all([base.connection.query(set), gray.connection.query(set)]);
    }
    const [there, here] = await Promise.all([outcomeOf(base, sql), outcomeOf(gray, text)]);
    const told = JSON.stringify(here);
    const same = showsNames.test(sql) ? JSON.parse(told.replaceAll('orders_gray', 'orders')) : here;
    expect({ ...same, message: undefined }, text).toEqual({ ...there, message: undefined });
    const [rows, rowsHere] = await Promise.all([
      outcomeOf(base, 'SELECT * FROM app.orders'),
      outcomeOf(gray, 'SELECT * FROM app.orders_gray AS orders'),
    ]);
    if (rows.error === undefined) expect(rowsHere).toEqual(rows);
  });
});
