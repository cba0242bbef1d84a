// On a base workload a label may stand in a variable of the session, however it came there.
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isMysql } from '../server.ts';
import { type Stage, startStage } from '../stage.ts';

let stage: Stage;
let client: Connection;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage?.close());
beforeEach(async () => {
  const root = await stage.direct();
  for (const table of ['orders', 'orders_gray', 'items']) await root.query(`TRUNCATE app.${table}`);
  client = await stage.connect({ multipleStatements: true });
});

/** A MySQL has no EXECUTE IMMEDIATE. */
const isKnown = (text: string) => !isMysql || !text.includes('IMMEDIATE');

const written = async () => ({
  base: await stage.column('SELECT id FROM app.orders'),
  gray: await stage.column('SELECT id FROM app.orders_gray'),
});

describe('the label of a variable counts where it was set', () => {
  const texts = [
    "SET @baggage = CONCAT('OpenSergo-Label=', 'gray')",
    "SELECT 'OpenSergo-Label=gray' INTO @baggage",
    "SELECT 1, 'OpenSergo-Label=gray'INTO@x,@BAGGAGE",
    "SELECT @`baggage` := 'OpenSergo-Label=gray'",
    "SELECT 'gray' INTO @`x-opensergo-traffic`",
    `SELECT '${'x'.repeat(3000)}', 'OpenSergo-Label=gray' INTO @x, @baggage`,
    `SET @baggage = 0x${Buffer.from('OpenSergo-Label=gray').toString('hex')}`,
    'EXECUTE IMMEDIATE "SET @baggage = \'OpenSergo-Label=gray\'"',
  ];
  test.each(texts.filter(isKnown).map((text) => [text.replace(/x{9,}/, 'x…'), text]))('by %s', async (_, text) => {
    await client.query(text);
    await client.query("INSERT INTO orders VALUES (1, 'gray')");
    await client.query('SET @baggage = NULL, @`x-opensergo-traffic` = NULL');
    await client.query("INSERT INTO orders VALUES (2, 'base')");
    expect(await written()).toEqual({ base: [2], gray: [1] });
  });

  test('by a prepared statement', async () => {
    for (const [id, value] of [
      [1, 'OpenSergo-Label=gray'],
      [2, null],
    ] as const) {
      await client.execute('SET @baggage = ?', [value]);
      await client.execute('INSERT INTO orders VALUES (?, ?)', [id, 'x']);
    }
    expect(await written()).toEqual({ base: [2], gray: [1] });
  });

  test('whatever the session has set about rows and charsets of results', async () => {
    await client.query('SET sql_select_limit = 0, character_set_results = ucs2');
    await client.query("SET @baggage = CONCAT('OpenSergo-Label=', 'gray')");
    await client.query("INSERT INTO orders VALUES (1, 'gray')");
    expect(await written()).toEqual({ base: [], gray: [1] });
  });
});

test('a variable that is no carrier, and an e-mail address, say no label', async () => {
  await client.query("SET @mine = CONCAT('gr', 'ay'), @b = 1");
  await client.query("INSERT INTO orders VALUES (1, 'somebody@bank')");
  expect(await written()).toEqual({ base: [1], gray: [] });
});

describe('of one text, the variables that it sets', () => {
  const set = "SET @baggage = 'OpenSergo-Label=gray'";
  const insert = "INSERT INTO orders VALUES (1, 'x')";

  test.each(
    [
      `${set}; ${insert}`,
      `BEGIN; ${set}; ${insert}; COMMIT; SET @baggage = NULL`,
      `EXECUTE IMMEDIATE "${set}"; ${insert}`,
    ].filter(isKnown),
  )('before all else count for the rest: %s', async (text) => {
    await client.query(text);
    expect(await written()).toEqual({ base: [], gray: [1] });
  });

  test.each([
    `SELECT 1; ${set}; ${insert}`,
    `SET @baggage = CONCAT('OpenSergo-Label=', 'gray'); ${insert}`,
    `SELECT 'OpenSergo-Label=gray' INTO @baggage; ${insert}`,
    `${set}; ${insert}; SET @baggage = NULL; ${insert}`,
  ])('behind others, or to no literal, make it refused: %s', async (text) => {
    await expect(client.query(text)).rejects.toThrow(
      /^lanekeeper: carrier: found "a value that is not known" in the variable, expected one label/,
    );
    expect(await written()).toEqual({ base: [], gray: [] });
  });

  test.each([
    `SET NAMES utf8mb4; SET @x = CONCAT('a', 'b'); ${insert}`,
    `SET @baggage = NULL; ${insert}; SELECT 1 INTO @baggage`,
    `SELECT 1, 2, 3 INTO @b1, @b2, @b3; ${insert}`,
    `${set}; SET @baggage = NULL; ${insert}`,
  ])('leave it to base where they say no label: %s', async (text) => {
    await client.query(text);
    expect(await written()).toEqual({ base: [1], gray: [] });
  });
});
