// Whatever server answers a command, its client hears of it in its turn.
import { createConnection as createMariadb } from 'mariadb';
import { createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { lastId } from '../../../src/database/payloads/execute.ts';
import { query } from '../client.ts';
import { type Server, startServer } from '../server.ts';
import { ownServerRules, type Stage, startStage } from '../stage.ts';
import { execute, fetch, openSpeaker, ping, prepare, reset, type Speaker } from './speaker.ts';

let base: Server;
let other: Server;
let stage: Stage;
let speaker: Speaker;

beforeAll(async () => {
  [base, other] = await Promise.all([startServer(), startServer()]);
  const root = await createConnection({ host: other.address, port: other.port, user: 'root' });
  for (const sql of ['CREATE DATABASE app_gray', 'CREATE TABLE app_gray.orders (id INT, name VARCHAR(200))'])
    await root.query(sql);
  root.destroy();
});
afterAll(() => Promise.all([base.remove(), other.remove()]));
beforeEach(async () => {
  stage = await startStage({ server: base, rules: ownServerRules(base, other) });
  speaker = await openSpeaker(stage.port);
});
afterEach(async () => {
  speaker.close();
  await stage.close();
});

const gray = "/*baggage='OpenSergo-Label%3Dgray'*/";
/** The label's server takes its time for it. */
const slow = `SELECT CONCAT('slow', SLEEP(0.2), COUNT(*)) FROM orders ${gray}`;

test('a preparation and its execution, behind a statement of another server', async () => {
  speaker.send(query(slow), prepare("SELECT 'five'"), execute(lastId), query(slow), prepare('SELECT nothing'));
  expect(await speaker.reply()).toBe('slow00');
  expect(await speaker.reply('prepared')).toEqual(expect.any(Number));
  expect(await speaker.reply()).toBe('five');
  expect(await speaker.reply()).toBe('slow00');
  expect(await speaker.reply('prepared')).toMatch(/^1054 /);
});

test('a preparation when the rules are no more', async () => {
  speaker.send(query(slow));
  await expect.poll(() => stage.events.filter(({ what }) => what === 'statement')).toHaveLength(1);
  stage.setRules('');
  speaker.send(prepare('SELECT 5'));
  expect(await speaker.reply()).toBe('slow00');
  expect(await speaker.reply('prepared')).toEqual(expect.any(Number));
});

test.each([
  ['an execution', execute(99), /^1243 /],
  ['a reset', reset(99), /^1243 /],
  ['a fetch', fetch(99), /^1243 /],
] as const)('%s of what no server knows, behind a statement of another server', async (_, packet, unknown) => {
  speaker.send(query(slow), packet, query(slow), packet);
  for (const expected of [/^slow00$/, unknown, /^slow00$/, unknown]) expect(await speaker.reply()).toMatch(expected);
});

test('a reset and a fetch of a statement of one server, behind a statement of the other', async () => {
  speaker.send(prepare('SELECT id FROM orders WHERE id = ?'));
  const here = Number(await speaker.reply('prepared'));
  speaker.send(query(slow), reset(here), query(slow), fetch(here), query(slow));
  for (const expected of [/^slow00$/, /^ok$/, /^slow00$/, /^\d{4} /, /^slow00$/])
    expect(await speaker.reply()).toMatch(expected);
});

test("a reset of a statement of the label, behind a statement of the client's own server", async () => {
  const own = await startStage({ server: base, labels: ['gray'], rules: ownServerRules(base, other) });
  const client = await openSpeaker(own.port);
  client.send(prepare('SELECT id FROM orders WHERE id = ?'));
  const there = Number(await client.reply('prepared'));
  client.send(query("SELECT CONCAT('slow', SLEEP(0.2), COUNT(*)) FROM mysql.db WHERE 0"), reset(there));
  expect(await client.reply()).toBe('slow00');
  expect(await client.reply()).toBe('ok');
  client.close();
  await own.close();
});

test('mariadb connector, as it is: it sends before it has heard', async () => {
  const client = await createMariadb({ host: '127.0.0.1', port: stage.port, user: 'root', database: 'app' });
  const [first, second] = await Promise.all([
    client.query(slow.replace(' FROM', ' AS said FROM')),
    client.execute('SELECT ? AS five', [5]),
  ]);
  expect([first, second]).toEqual([[{ said: 'slow00' }], [{ five: 5 }]]);
  await client.end();
});

test.each([
  ['a preparation', prepare('SELECT id FROM items WHERE id = ?'), 'prepared'],
  ['a ping', ping, undefined],
] as const)('%s leaves a transaction on the other server as it was', async (_, packet, kind) => {
  speaker.send(query(`BEGIN ${gray}`), query(`INSERT INTO orders VALUES (1, 'x') ${gray}`), packet);
  for (let left = 2; left > 0; left -= 1) expect(await speaker.reply()).toBe('ok');
  expect(`${await speaker.reply(kind)}`).toMatch(/^(ok|\d+)$/);
  speaker.send(query("INSERT INTO orders VALUES (2, 'base')"));
  expect(await speaker.reply()).toMatch(/^1235 lanekeeper: transaction: /);
  expect(await stage.column('SELECT id FROM app.orders')).toEqual([]);
});
