// What a statement of base changes without being read, or without being counted, is asked for before it matters to a label.
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isMysql } from '../server.ts';
import { type Stage, startStage } from '../stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage({ maxStatementBytes: 1 << 12 });
  const root = await stage.direct({ multipleStatements: true });
  await root.query(
    "USE app; CREATE PROCEDURE two() BEGIN SELECT 1; SELECT 2; END; INSERT INTO items VALUES (1, 'item')",
  );
});
afterAll(() => stage?.close());
beforeEach(async () => {
  const root = await stage.direct();
  for (const table of ['orders', 'orders_gray']) await root.query(`TRUNCATE app.${table}`);
  await root.query("INSERT INTO app.orders_gray VALUES (1, 'gray')");
});

/** A MySQL has no EXECUTE IMMEDIATE. */
const isKnown = (text: string) => !isMysql || !text.includes('IMMEDIATE');

const connect = () => stage.connect({ multipleStatements: true, flags: ['-CLIENT_QUERY_ATTRIBUTES'] });
const gray = "/*baggage='OpenSergo-Label%3Dgray'*/";
const long = `SELECT '${'x'.repeat(1 << 13)}';`;
const short = (text: string) => text.replace(/x{9,}/, 'x…');
const temporary = 'CREATE TEMPORARY TABLE orders (id INT, name VARCHAR(200))';

const changeMode = "SET sql_mode = 'NO_BACKSLASH_ESCAPES'";
const modes = [
  `${long} ${changeMode}`,
  `EXECUTE IMMEDIATE "${changeMode}"`,
  `SET @mode = "${changeMode}"; EXECUTE IMMEDIATE @mode`,
  `PREPARE mode FROM "${changeMode}"; EXECUTE mode`,
  'SET sql_mode = 1048576',
];

describe('after a statement of base a label is read in the mode that counts: after', () => {
  test.each(modes.filter(isKnown).map((text) => [short(text), text]))('%s', async (_, text) => {
    const client = await connect();
    await client.query(text).catch(() => {});
    // Read with escapes, all behind the first quote is a string.
    const [rows] = await client.query({
      sql: `SELECT '\\', (SELECT GROUP_CONCAT(name) FROM orders) -- '\n${gray}`,
      rowsAsArray: true,
    });
    expect(rows).toEqual([['\\', 'gray']]);
  });
});

const drops = [`${long} DROP TEMPORARY TABLE orders`, 'CALL two(); SELECT * FROM absent; '.concat(temporary)];

describe('after a statement of base no table is taken for a temporary one that may be none: after', () => {
  test.each(drops.map((text) => [short(text), text]))('%s', async (_, text) => {
    const client = await connect();
    if (text.startsWith(long)) await client.query(temporary);
    await client.query(text).catch(() => {});
    await client.query(`INSERT INTO orders VALUES (2, 'gray') ${gray}`);
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([]);
  });
});

describe('a carrier variable is what the server says: after', () => {
  const label = "SET @baggage = 'OpenSergo-Label=gray'";
  test.each<[string, string, readonly number[]]>([
    ['a long text that sets it', `${long} ${label}`, []],
    ['a CALL behind which all failed', `CALL two(); SELECT * FROM absent; ${label}`, [2]],
    ['a CALL behind which it was set, and then all failed', `CALL two(); ${label}; SET sql_mode = 'absent'`, []],
    [
      'a statement that failed when it had set it',
      `SELECT @baggage := 'OpenSergo-Label=gray', (SELECT 1 UNION SELECT id + 9 FROM items)`,
      [],
    ],
  ])('%s', async (_, text, base) => {
    const client = await connect();
    await client.query(text).catch(() => {});
    const [[held]] = (await client.query({ sql: 'SELECT @baggage', rowsAsArray: true })) as unknown as [string[][]];
    await client.query("INSERT INTO orders VALUES (2, 'x')");
    expect(held).toEqual([base.length > 0 ? null : 'OpenSergo-Label=gray']);
    expect(await stage.column('SELECT id FROM app.orders')).toEqual(base);
  });
});

test('base is not asked behind a CALL that failed, or an EXECUTE, so that it finds what these have left', async () => {
  const left = async (client: Connection) => {
    const found: unknown[] = [];
    for (const text of [
      'CALL absent()',
      'SELECT 1; CALL absent()',
      "SET @do = 'DO 1'; PREPARE did FROM @do; EXECUTE did",
    ]) {
      await client.query('SELECT 1 UNION SELECT 2');
      await client.query(text).catch(() => {});
      found.push((await client.query({ sql: 'SELECT FOUND_ROWS(), ROW_COUNT()', rowsAsArray: true }))[0]);
    }
    return found;
  };
  expect(await left(await connect())).toEqual(await left(await stage.direct({ multipleStatements: true })));
});

test('base prepares and executes texts as it likes', async () => {
  const client = await connect();
  await client.query("PREPARE one FROM 'INSERT INTO orders VALUES (2, ?)'; SET @a = 'base'; EXECUTE one USING @a");
  await client.query('EXECUTE one USING @a; DEALLOCATE PREPARE one').catch(() => {});
  await client.query(`INSERT INTO orders VALUES (3, 'gray') ${gray}`);
  expect(await stage.column('SELECT id FROM app.orders')).toEqual([2]);
  expect(await stage.column('SELECT id FROM app.orders_gray')).toEqual([1, 3]);
});
