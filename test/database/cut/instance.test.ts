// The network between the proxy and a label's own server breaks in the middle of what that server says.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { query } from '../client.ts';
import { type Server, startServer } from '../server.ts';
import { ownServerRules, type Stage, startStage } from '../stage.ts';
import { execute, openSpeaker, ping, prepare, reset } from '../statements/speaker.ts';
import { lost, middle, type Places, toldSql } from './places.ts';
import { type How, openRelay, type Relay } from './relay.ts';

const hows: readonly How[] = ['FIN', 'RST'];
let base: Server;
let other: Server;
let relay: Relay;
let stage: Stage;
let client: Connection;
let bystander: Connection;

const rules = () => ownServerRules(base, { address: '127.0.0.1', port: relay.port });

const tables = [
  'DROP DATABASE IF EXISTS app_gray',
  'CREATE DATABASE app_gray',
  'CREATE TABLE app_gray.orders (id INT, body LONGTEXT)',
  `INSERT INTO app_gray.orders VALUES (1, REPEAT('x', 200)), (2, REPEAT('y', ${3 << 20}))`,
  "SET GLOBAL general_log = 1, GLOBAL log_output = 'TABLE'",
];

/** Of a row that is told apart from all others. */
let lastId = 2;

beforeAll(async () => {
  [base, other] = await Promise.all([startServer(), startServer(['--max-allowed-packet=64M'])]);
  const root = await createConnection({ host: other.address, port: other.port, user: 'root' });
  for (const each of tables) await root.query(each);
  await root.end();
});
afterAll(() => Promise.all([base.remove(), other.remove()]));

beforeEach(async () => {
  relay = await openRelay(other);
  stage = await startStage({ server: base, labels: ['gray'], rules: rules() });
  bystander = await stage.connect();
  client = await stage.connect();
  for (const each of [bystander, client]) await each.query('SELECT id FROM orders');
});
afterEach(async () => {
  relay.close();
  await stage.close();
});

/** Of the label's server. */
const there = async (sql: string) => {
  const root = await createConnection({ host: other.address, port: other.port, user: 'root' });
  const [rows] = await root.query({ sql, rowsAsArray: true });
  root.destroy();
  return (rows as unknown[][]).map(([first]) => first);
};

/** How often it has been told to do this. */
const told = async (text: string) => (await there(toldSql(text))).length;

async function ends(act: () => Promise<unknown>, how: How, afterBytes: number): Promise<void> {
  const cut = relay.cut({ how, afterBytes });
  await expect(act()).rejects.toThrow(lost);
  await cut;
  await letGo();
}

async function letGo(): Promise<void> {
  client.destroy();
  await expect.poll(() => [stage.proxy.connections, relay.open]).toEqual([1, 1]);
  expect((await bystander.query('SELECT id FROM orders ORDER BY id'))[0]).toContainEqual({ id: 1 });
  const own = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'root' AND DB = 'app'";
  await expect.poll(() => stage.column(own)).toHaveLength(1);
}

describe.each(hows)("a label's own server, cut off by %s", (how) => {
  const select = 'SELECT id, body FROM orders WHERE id < 3 ORDER BY id';
  const places: Places = [
    ['the header of the first packet', () => 2],
    ['a column definition', (pieces) => middle(pieces[1])],
    ['a row', (pieces) => middle(pieces.at(-3))],
    ['a row of several megabytes', (pieces) => middle(pieces.at(-2))],
    ['nothing, behind the last row', (pieces) => pieces.at(-1)?.from ?? 0],
  ];

  test.each(places)('in %s, of a text', async (_, at) => {
    const pieces = await relay.hear(() => client.query(select));
    await ends(() => client.query(select), how, at(pieces));
  });

  test.each(places)('in %s, of a prepared statement', async (_, at) => {
    const statement = await client.prepare(select);
    const pieces = await relay.hear(() => statement.execute([]));
    await ends(() => statement.execute([]), how, at(pieces));
  });

  test.each([
    ['the header of its head', () => 2],
    ['its head', (pieces) => middle(pieces[0])],
    ['a parameter', (pieces) => middle(pieces[1])],
  ] as Places)('in %s, of what answers a preparation', async (_, at) => {
    const pieces = await relay.hear(() => client.prepare('SELECT id FROM orders WHERE id = ?'));
    await ends(() => client.prepare('SELECT id  FROM orders WHERE id = ?'), how, at(pieces));
  });

  test.each([
    ['text', (id: number) => client.query(`INSERT INTO orders VALUES (${id}, 'once')`)],
    ['prepared', (id: number) => client.execute('INSERT INTO orders VALUES (?, ?)', [id, 'once'])],
  ] as const)('in the OK of an INSERT (%s): it is done once', async (_, insert) => {
    await insert(lastId + 1);
    lastId += 2;
    await ends(() => insert(lastId), how, 5);
    expect(await there(`SELECT COUNT(*) FROM app_gray.orders WHERE id = ${lastId}`)).toEqual([1]);
    expect(await told(`VALUES (${lastId}, ''once'')`)).toBe(1);
  });

  test.each([
    ['the greeting', (pieces) => middle(pieces[0])],
    ['the OK of the login', (pieces) => middle(pieces[1])],
  ] as Places)('in %s: the statement is refused, and the next one runs there', async (_, at) => {
    const pieces = await relay.hear(async () => (await stage.connect()).query('SELECT id FROM orders'));
    const fresh = await stage.connect();
    const cut = relay.cut({ how, afterBytes: at(pieces) });
    await expect(fresh.query("INSERT INTO orders VALUES (-1, 'never')")).rejects.toThrow(
      /^lanekeeper: instance: .*gray-ds/,
    );
    await cut;
    lastId += 1;
    await fresh.query(`INSERT INTO orders VALUES (${lastId}, 'again')`);
    expect(await there(`SELECT id FROM app_gray.orders WHERE id IN (-1, ${lastId})`)).toEqual([lastId]);
  });

  test('in its answer to a setting that is carried there: nothing waits for it', async () => {
    await client.query('SELECT COUNT(*) FROM mysql.db');
    await client.query(`SET @name${how} = 'carried'`);
    await ends(() => client.query(`SELECT id, @name${how} FROM orders`), how, 5);
    expect(await told(`SET @name${how}`)).toBe(1);
  });

  test('in a transaction: it is undone, and so is what waits for it', async () => {
    await client.query('BEGIN');
    await client.query("INSERT INTO orders VALUES (-2, 'undone')");
    await ends(() => client.query('COMMIT AND CHAIN'), how, 0);
    const here = "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = 'app_gray'";
    await expect.poll(() => there(here)).toHaveLength(1);
  });

  test('while it is not used: the client goes on, and its statements are prepared anew', async () => {
    const statement = await client.prepare('SELECT id FROM orders WHERE id = ?');
    await client.query('SELECT COUNT(*) FROM mysql.db');
    await relay.cutAll(how);
    // By then the proxy has seen it.
    await client.query('SELECT COUNT(*) FROM mysql.db');
    expect((await client.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
    expect((await statement.execute([1]))[0]).toEqual([{ id: 1 }]);
  });

  test.each([
    'CREATE TEMPORARY TABLE orders (id INT)',
    'SELECT id INTO @id FROM orders WHERE id = 1',
    'LOCK TABLES orders WRITE',
  ])('while it is not used: the session ends with what it has there: %s', async (sql) => {
    await client.query(sql);
    await client.ping();
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
    const ended = once(stream, 'end');
    await relay.cutAll(how);
    await ended;
  });

  test.each(['base', 'gray'])('while %s has executed a statement last: it is reset on base alone', async (last) => {
    await client.end();
    const unlabelled = await startStage({ server: base, rules: rules() });
    const speaker = await openSpeaker(unlabelled.port);
    const say = (packet: Buffer) => {
      speaker.send(packet);
      return speaker.reply();
    };
    speaker.send(prepare('SELECT id FROM orders WHERE id < 3 ORDER BY id'));
    const id = Number(await speaker.reply('prepared'));
    await say(query("SET @baggage = 'OpenSergo-Label=gray'"));
    const fromThere = await say(execute(id));
    await say(query('SET @baggage = NULL'));
    const fromBase = last === 'base' ? await say(execute(id)) : undefined;
    expect(fromThere).not.toEqual(fromBase);
    await relay.cutAll(how);
    await say(ping);
    await say(reset(id));
    expect(fromThere).not.toEqual(await say(execute(id)));
    speaker.close();
    await unlabelled.close();
  });

  test('while it is not used: what only it could answer ends the client', async () => {
    await client.prepare('SELECT id FROM orders WHERE id = ?');
    await client.query('SELECT COUNT(*) FROM mysql.db');
    await relay.cutAll(how);
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
    const ended = once(stream, 'end');
    // COM_STMT_RESET of the statement that the proxy has numbered first.
    stream.write(Buffer.from([5, 0, 0, 0, 0x1a, 1, 0, 0, 0x40]));
    await ended;
  });
});
