// What a session has prepared or opened by text is used under the label for which it was, and under no other.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Stage, startStage } from '../stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage?.close());
beforeEach(async () => {
  const root = await stage.direct();
  for (const table of ['orders', 'orders_gray']) {
    await root.query(`TRUNCATE app.${table}`);
    await root.query(`INSERT INTO app.${table} VALUES (1, '${table}')`);
  }
});

const connect = () => stage.connect({ database: 'app', rowsAsArray: true, flags: ['-CLIENT_QUERY_ATTRIBUTES'] });
const gray = "/*baggage='OpenSergo-Label%3Dgray'*/";
const prepare = "FROM 'SELECT name FROM orders'";

test('what a label has prepared it may execute, until base prepares another of that name', async () => {
  const client = await connect();
  await client.query(`PREPARE s ${prepare} ${gray}`);
  expect((await client.query(`EXECUTE s ${gray}`))[0]).toEqual([['orders_gray']]);
  await client.query(`PREPARE S ${prepare}`);
  await expect(client.query(`EXECUTE s ${gray}`)).rejects.toThrow(/^lanekeeper: dynamic/);
});

// In MySQL it is: names are compared without accents, and without spaces behind them.
test.each(['ś', 'ſ', '`s `'])('nor where it prepares one as %s, which may be the same', async (name) => {
  const client = await connect();
  await client.query(`PREPARE s ${prepare} ${gray}`);
  await client.query(`PREPARE ${name} ${prepare}`);
  await expect(client.query(`EXECUTE s ${gray}`)).rejects.toThrow(/^lanekeeper: dynamic/);
  await client.query(`PREPARE ${name} ${prepare} ${gray}`);
  await client.query(`PREPARE s ${prepare}`);
  await expect(client.query(`EXECUTE ${name} ${gray}`)).rejects.toThrow(/^lanekeeper: dynamic/);
});

test('a label prepares nothing on a temporary table, which would be the base when that is gone', async () => {
  const client = await connect();
  await client.query(`CREATE TEMPORARY TABLE orders (name VARCHAR(20)) ${gray}`);
  await expect(client.query(`PREPARE s ${prepare} ${gray}`)).rejects.toThrow(/^lanekeeper: dynamic/);
  await client.query(`DROP TEMPORARY TABLE orders ${gray}`);
  await client.query(`PREPARE s ${prepare} ${gray}`);
  expect((await client.query(`EXECUTE s ${gray}`))[0]).toEqual([['orders_gray']]);
});

test('what base has opened with HANDLER a label does not read', async () => {
  const client = await connect();
  await client.query('HANDLER orders OPEN');
  await expect(client.query(`HANDLER orders READ FIRST ${gray}`)).rejects.toThrow(/^lanekeeper: dynamic/);
  expect((await client.query('HANDLER orders READ FIRST'))[0]).toEqual([[1, 'orders']]);
  // It holds the table.
  await client.query('HANDLER orders CLOSE');
});

test.each([
  'SET sql_mode = 1048576',
  "SET `sql_mode` = X'4E4F5F4241434B534C4153485F45534341504553'",
  "SET @@session.sql_modé = 'NO_BACKSLASH_ESCAPES'",
  "SET `sql_mode ` = 'NO_BACKSLASH_ESCAPES'",
])('after %s, where the server takes it, a label is read as it set', async (set) => {
  const client = await connect();
  const isTaken = await client.query(set).then(
    () => true,
    () => false,
  );
  const [[[held]]] = (await client.query('SELECT @@sql_mode')) as unknown as [[[string]]];
  if (!isTaken || !held.includes('NO_BACKSLASH_ESCAPES')) return;
  const [rows] = await client.query(`SELECT '\\', (SELECT name FROM orders) -- '\n${gray}`);
  expect(rows).toEqual([['\\', 'orders_gray']]);
});
