import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { analyse } from '../../src/sql/analyse.ts';
import { divert } from '../../src/sql/divert.ts';
import { mariadb, orders, readMarked } from './given.ts';
import { type Outcome, outcomeOf, type Server, shop, startServer } from './servers.ts';
import { given, readCases, told, verdictOf } from './verdicts.ts';

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

/** Three more tables, for which the verdicts have shadows, or which they read. */
const more = (moved: string, both: string) => `
  DROP DATABASE IF EXISTS app_gray; CREATE DATABASE app_gray;
  CREATE TABLE ${moved} (id INT PRIMARY KEY, qty INT) WITH SYSTEM VERSIONING; INSERT INTO ${moved} VALUES (1, 2), (3, 4);
  CREATE TABLE ${both} (id INT PRIMARY KEY, qty INT); INSERT INTO ${both} VALUES (1, 5), (2, 6);
  CREATE TABLE other.items (id INT)`;

/** Without the names that a shadow has: in plans, in lists of columns, and as what RETURNING is of. */
function asBase(outcome: Outcome): unknown {
  const { error, rows, fields, changed } = outcome;
  const told = JSON.stringify({ error, rows, fields, changed });
  return JSON.parse(
    told.replaceAll(/app_gray\.two|app_gray\.moved|orders_gray|\btwo\b/g, (name) => baseNames[name] ?? name),
  );
}

const baseNames: Readonly<Record<string, string>> = {
  'app_gray.two': 'app.both',
  'app_gray.moved': 'app.moved',
  orders_gray: 'orders',
  two: 'both',
};

describe('what verdicts say does what the base does, and where that is an error the same error', () => {
  const runnable = readCases().filter(({ statement, expected }) => {
    const { flags } = given(statement);
    const isRun = !/^(LOAD|EXPLAIN EXT|ANALYZE|FLUSH|SHOW TABLES)/.test(statement);
    return (
      isRun &&
      !/^(passes|refused)/.test(expected) &&
      flags.every((flag) => ['', 'define', 'ansi', 'nbe'].includes(flag))
    );
  });

  test('are many', () => expect(runnable.length).toBeGreaterThan(120));

  test.each(runnable)('$statement', async ({ statement }) => {
    const { sql, mode } = given(statement);
    const text = Buffer.from(told(verdictOf(statement)), 'utf8').toString('latin1');
    await Promise.all([
      base.connection.query(`${shop('orders')};${more('app.moved', 'app.both')}`),
      gray.connection.query(`${shop('orders_gray')};${more('app_gray.moved', 'app_gray.two')}`),
    ]);
    const set = `SET sql_mode = '${mode.ansiQuotes ? 'ANSI_QUOTES' : ''}${mode.noBackslashEscapes ? 'NO_BACKSLASH_ESCAPES' : ''}'`;
    if (mode.ansiQuotes || mode.noBackslashEscapes)
      await Promise.all([base.connection.query(set), gray.connection.query(set)]);
    const [there, here] = await Promise.all([outcomeOf(base, sql), outcomeOf(gray, text)]);
    expect(asBase(here), `${text}\n${here.message}\n${there.message}`).toEqual(asBase(there));
  });
});
