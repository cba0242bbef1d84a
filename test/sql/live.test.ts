import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { analyse } from '../../src/sql/analyse.ts';
import { divert } from '../../src/sql/divert.ts';
import { withCharset } from '../../src/sql/mode.ts';
import { isMysql } from '../database/server.ts';
import { orders, readMarked } from './given.ts';
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

test('every charset that a client may have is known, but for one whose letters are not those of ASCII', async () => {
  const [all] = await base.connection.query('SHOW CHARACTER SET');
  const names = (all as unknown as [string][]).map(([name]) => name);
  expect(names.length).toBeGreaterThan(35);
  const unknown = names.filter((name) => withCharset(base.mode, name).charset === 'other');
  // No client may have one of two bytes a letter.
  expect(unknown.filter((name) => !/^(ucs2|utf16|utf16le|utf32)$/.test(name))).toEqual(['swe7']);
});

/** What shows names of tables as rows; or as metadata, where the table takes no alias. */
const showsNames = /^(SHOW|ANALYZE|CHECKSUM|EXPLAIN|TABLE)|RETURNING/;

/** The seventh column of SHOW INDEX is an estimate, which a server makes anew when it likes. */
const certain = (sql: string, rows: unknown) =>
  sql.startsWith('SHOW INDEX') ? (rows as unknown[][]).map((row) => row.toSpliced(6, 1)) : rows;

describe('on a server that has only the shadow a client sees what it saw on the base', () => {
  const runnable = readMarked('statements.txt').filter(
    ({ flags }) => !flags.includes('norun') && !flags.includes(isMysql ? 'maria' : 'my8'),
  );

  test.each(runnable)('$name', async ({ sql, mode: written }) => {
    const mode = { ...written, server: base.mode.server };
    const verdict = divert(sql, analyse(sql, mode), { database: 'app', shadows, definitions: 'shadow' });
    if (verdict.do === 'refuse') throw new Error(verdict.message);
    const text = verdict.do === 'pass' ? sql : verdict.text;
    await Promise.all([base.connection.query(shop('orders')), gray.connection.query(shop('orders_gray'))]);
    if (mode.ansiQuotes || mode.noBackslashEscapes) {
      const value = [mode.ansiQuotes && 'ANSI_QUOTES', mode.noBackslashEscapes && 'NO_BACKSLASH_ESCAPES'];
      const set = `SET sql_mode = '${value.filter(Boolean).join(',')}'`;
      await Promise.all([base.connection.query(set), gray.connection.query(set)]);
    }
    const [there, here] = await Promise.all([outcomeOf(base, sql), outcomeOf(gray, text)]);
    // The plan of a MySQL tells aliases.
    if (isMysql && /^EXPLAIN/.test(sql)) return expect(here.error).toBeUndefined();
    const said = (outcome: Outcome) =>
      JSON.parse(JSON.stringify({ ...outcome, message: undefined, rows: certain(sql, outcome.rows) }));
    const same = (text: string) => (showsNames.test(sql) ? text.replaceAll('orders_gray', 'orders') : text);
    expect(JSON.parse(same(JSON.stringify(said(here)))), text).toEqual(said(there));
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
  CREATE TABLE ${moved} (id INT PRIMARY KEY, qty INT)${isMysql ? '' : ' WITH SYSTEM VERSIONING'}; INSERT INTO ${moved} VALUES (1, 2), (3, 4);
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

/** A MySQL lets a CTE in parentheses be seen behind them; read as the table, as everywhere else, it is the shadow. */
const readOtherwise = new Set([
  'SELECT 1 UNION (WITH orders AS (SELECT 1) SELECT * FROM orders) UNION SELECT id FROM orders',
]);

describe('what verdicts say does what the base does, and where that is an error the same error', () => {
  const runnable = readCases().filter(({ statement, expected }) => {
    const { flags } = given(statement);
    const isRun = !/^(LOAD|EXPLAIN EXT|ANALYZE|FLUSH|SHOW TABLES)/.test(statement);
    return (
      isRun &&
      !(isMysql && readOtherwise.has(statement)) &&
      !/^(passes|refused)/.test(expected) &&
      flags.every((flag) => ['', 'define', 'ansi', 'nbe', isMysql ? 'my8' : ''].includes(flag))
    );
  });

  test('are many', () => expect(runnable.length).toBeGreaterThan(120));

  test.each(runnable)('$statement', async ({ statement }) => {
    const { sql, mode } = given(statement);
    const verdict = verdictOf(statement, base.mode.server);
    const text = Buffer.from(told(verdict), 'utf8').toString('latin1');
    await Promise.all([
      base.connection.query(`${shop('orders')};${more('app.moved', 'app.both')}`),
      gray.connection.query(`${shop('orders_gray')};${more('app_gray.moved', 'app_gray.two')}`),
    ]);
    const set = `SET sql_mode = '${mode.ansiQuotes ? 'ANSI_QUOTES' : ''}${mode.noBackslashEscapes ? 'NO_BACKSLASH_ESCAPES' : ''}'`;
    if (mode.ansiQuotes || mode.noBackslashEscapes)
      await Promise.all([base.connection.query(set), gray.connection.query(set)]);
    // What only the other kind of server reads may be refused where this one does not read it.
    if (isMysql && verdict.do === 'refuse') {
      if (verdict.reason !== 'unread') expect((await outcomeOf(base, sql)).error, text).toBeDefined();
      return;
    }
    const [there, here] = await Promise.all([
      outcomeOf(base, sql),
      outcomeOf(gray, verdict.do === 'pass' ? sql : text),
    ]);
    expect(asBase(here), `${text}\n${here.message}\n${there.message}`).toEqual(asBase(there));
  });
});
