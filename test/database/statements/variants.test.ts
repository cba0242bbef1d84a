// A statement that is executed for a label is the one that was prepared, but for its tables.
import type { Connection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Server, startServer } from '../server.ts';
import { type Stage, startStage, tables } from '../stage.ts';

let server: Server;
let stage: Stage;
let client: Connection;

const labels = ['g1', 'g2', 'g3', 'g4'];
const rules = labels
  .map(
    (label) => `---
apiVersion: traffic.opensergo.io/v1alpha1
kind: WorkloadLabelRule
metadata: { name: orders-${label} }
spec: { workloadLabels: [${label}], selector: { db: app, table: orders_${label} } }
`,
  )
  .join('');
const shadows = labels.map((label) => `CREATE TABLE app.orders_${label} LIKE app.orders`);
const other = ['DROP DATABASE IF EXISTS other', 'CREATE DATABASE other'];
const others = ['orders', 'items', 'orders_g1'].map((table) => `CREATE TABLE other.${table} LIKE app.orders`);
const rows = ["INSERT INTO app.items VALUES (0, 'of app')", "INSERT INTO other.items VALUES (0, 'of other')"];

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.remove());
beforeEach(async () => {
  stage = await startStage({ server, rules, sql: [...tables, ...shadows, ...other, ...others, ...rows] });
  client = await stage.connect();
});
afterEach(() => stage.close());

const run = (sql: string, id: number, label?: string) =>
  client.execute({ sql, values: [id], ...(label && { attributes: { baggage: `OpenSergo-Label=${label}` } }) });
const held = (table: string) => stage.column(`SELECT CONCAT(id, name) FROM ${table} ORDER BY id`);
const copy = 'INSERT INTO orders SELECT id + ?, name FROM items';
const drift = /^lanekeeper: drift: /;

test('it is refused in another database, where it is not prepared for the label yet', async () => {
  await run(copy, 1);
  await run(copy, 1, 'g1');
  await client.query('USE other');
  await expect(run(copy, 2, 'g2')).rejects.toThrow(/^lanekeeper: drift: found other as the default, expected app, as /);
  await run(copy, 3, 'g1');
  await run(copy, 3);
  await client.query('USE app');
  await run(copy, 4, 'g2');
  expect(await held('app.orders')).toEqual(['1of app', '3of app']);
  expect(await held('app.orders_g1')).toEqual(['1of app', '3of app']);
  expect(await held('app.orders_g2')).toEqual(['4of app']);
  for (const table of ['other.orders', 'other.orders_g1']) expect(await held(table)).toEqual([]);
});

test.each([
  ['ANSI_QUOTES', '', `INSERT INTO "orders" VALUES (?, 'a')`, 'a'],
  ['', 'ANSI_QUOTES', 'INSERT INTO orders VALUES (?, "a")', 'a'],
  ['NO_BACKSLASH_ESCAPES', '', String.raw`INSERT INTO orders VALUES (?, 'a\\b')`, String.raw`a\\b`],
  ['', 'NO_BACKSLASH_ESCAPES', String.raw`INSERT INTO orders VALUES (?, 'a\\b')`, String.raw`a\b`],
  ['PIPES_AS_CONCAT', '', `INSERT INTO orders VALUES (?, '0' || '1')`, '01'],
  ['', 'PIPES_AS_CONCAT', `INSERT INTO orders VALUES (?, '0' || '1')`, '1'],
])('it is refused under another sql_mode (%j, then %j): %s', async (before, after, sql, value) => {
  await client.query(`SET sql_mode = '${before}'`);
  await run(sql, 1);
  await client.query(`SET sql_mode = '${after}'`);
  await run(sql, 2);
  await expect(run(sql, 3, 'g1')).rejects.toThrow(drift);
  await client.query(`SET sql_mode = '${before}'`);
  await run(sql, 4, 'g1');
  await client.query(`SET sql_mode = '${after}'`);
  await run(sql, 5, 'g1');
  expect(await held('app.orders')).toEqual([`1${value}`, `2${value}`]);
  expect(await held('app.orders_g1')).toEqual([`4${value}`, `5${value}`]);
});

test('for however many labels it is executed, that of base stays as it was prepared', async () => {
  await run(copy, 1);
  for (const label of labels) await run(copy, 1, label);
  await client.query('USE other');
  await run(copy, 2);
  await client.query('USE app');
  for (const label of labels) await run(copy, 3, label);
  expect(await held('app.orders')).toEqual(['1of app', '2of app']);
  for (const label of labels) expect(await held(`app.orders_${label}`)).toEqual(['1of app', '3of app']);
  expect(await held('other.orders')).toEqual([]);
});
