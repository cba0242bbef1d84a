// The network between the proxy and the client's own server breaks in the middle of what the server says.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Server, startServer } from '../server.ts';
import { type Stage, startStage } from '../stage.ts';
import { lost, middle, type Places, toldSql } from './places.ts';
import { type How, openRelay, type Relay } from './relay.ts';

const hows: readonly How[] = ['FIN', 'RST'];
const megabytes = 3 << 20;
const tables = [
  'DROP DATABASE IF EXISTS app',
  'CREATE DATABASE app',
  'CREATE TABLE app.orders (id INT, body LONGTEXT)',
  'CREATE TABLE app.orders_gray LIKE app.orders',
  ...['orders', 'orders_gray'].map(
    (table) => `INSERT INTO app.${table} VALUES (1, REPEAT('x', 200)), (2, REPEAT('y', ${megabytes}))`,
  ),
  "SET GLOBAL general_log = 1, GLOBAL log_output = 'TABLE'",
];

/** Of a row that is told apart from all others. */
let lastId = 2;
let server: Server;
let relay: Relay;
let stage: Stage;

beforeAll(async () => {
  server = await startServer(['--max-allowed-packet=64M']);
  const root = await createConnection({ host: server.address, port: server.port, user: 'root' });
  for (const each of tables) await root.query(each);
  await root.end();
});
afterAll(() => server.remove());

/** How often the server has been told to do this. */
const told = async (text: string) => (await stage.column(toldSql(text))).length;

/** Of `SELECT id, body`: its count of columns, two definitions, what ends them where that is said, two rows and their end. */
const places: Places = [
  ['the header of the first packet', () => 2],
  ['a column definition', (pieces) => middle(pieces[1])],
  ['the header of a row', (pieces) => (pieces.at(-3)?.from ?? 0) + 2],
  ['a row', (pieces) => middle(pieces.at(-3))],
  ['a row of several megabytes', (pieces) => middle(pieces.at(-2))],
  ['what ends the rows', (pieces) => middle(pieces.at(-1))],
  ['nothing, behind the last row', (pieces) => pieces.at(-1)?.from ?? 0],
];

describe.each([
  ['base', []],
  ['gray', ['gray']],
])('on a workload of %s, a server cut off', (lane, labels) => {
  const own = lane === 'gray' ? 'orders_gray' : 'orders';
  const maxStatementBytes = lane === 'gray' ? 64 << 20 : 8 << 20;
  let client: Connection;
  let bystander: Connection;

  beforeEach(async () => {
    relay = await openRelay(server);
    const upstream = { host: '127.0.0.1', port: relay.port };
    // Of base a long statement is streamed, of gray it is read whole.
    stage = await startStage({ server, labels, sql: [], upstream, maxStatementBytes });
    bystander = await stage.connect();
    client = await stage.connect();
    await client.query('SELECT 1');
    await bystander.query('SELECT 1');
  });
  afterEach(async () => {
    relay.close();
    await stage.close();
  });

  /** The client is told at once, all is let go, and the others are served. */
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
  }

  describe.each(hows)('by %s', (how) => {
    const select = 'SELECT id, body FROM orders WHERE id < 3 ORDER BY id';

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
      ['its last column', (pieces) => middle(pieces.at(-1))],
    ] as Places)('in %s, of what answers a preparation', async (_, at) => {
      const prepare = () => client.prepare('SELECT id, body FROM orders WHERE id = ? OR body = ?');
      const pieces = await relay.hear(prepare);
      await ends(() => client.prepare('SELECT id, body  FROM orders WHERE id = ? OR body = ?'), how, at(pieces));
    });

    test.each([
      ['text', (id: number) => client.query(`INSERT INTO orders VALUES (${id}, 'once')`)],
      ['prepared', (id: number) => client.execute('INSERT INTO orders VALUES (?, ?)', [id, 'once'])],
    ] as const)('in the OK of an INSERT (%s): it is done once', async (_, insert) => {
      await insert(lastId + 1);
      lastId += 2;
      await ends(() => insert(lastId), how, 5);
      expect(await stage.column(`SELECT COUNT(*) FROM app.${own} WHERE id = ${lastId}`)).toEqual([1]);
      expect(await told(`VALUES (${lastId}, ''once'')`)).toBe(1);
    });

    test.each([
      ['the greeting', (pieces) => middle(pieces[0])],
      ['the header of the greeting', () => 2],
      ['the OK of the login', (pieces) => middle(pieces[1])],
      ['the header of that OK', (pieces) => (pieces[1]?.from ?? 0) + 2],
      ['what the proxy asks itself', (pieces) => middle(pieces[2])],
    ] as Places)('in %s', async (_, at) => {
      const pieces = await relay.hear(async () => {
        const other = await stage.connect();
        await other.query('SELECT 1');
        await other.end();
      });
      client.destroy();
      await expect.poll(() => relay.open).toBe(1);
      await ends(() => stage.connect().then((other) => other.query('SELECT 1')), how, at(pieces));
    });

    test('while it takes no more of a long statement', async () => {
      void relay.cut({ how, afterBytes: 1 << 20, of: 'client' });
      const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
      const ended = once(stream, 'end');
      const long = client.query('INSERT INTO orders VALUES (-1, ?)', ['z'.repeat(40 << 20)]);
      await Promise.all([expect(long).rejects.toThrow(lost), ended]);
      await expect.poll(() => stage.proxy.connections).toBe(1);
      expect(await stage.column(`SELECT COUNT(*) FROM app.${own} WHERE id = -1`)).toEqual([0]);
    });
  });
});
