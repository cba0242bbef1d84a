import type { Worker } from 'node:worker_threads';
import { type Connection, type ConnectionOptions, createConnection } from 'mysql2/promise';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Rules } from '../../../src/database/thread/messages.ts';
import { type Databases, openDatabases } from '../../../src/database/thread/open.ts';
import { freePorts } from '../../../src/demo/topology.ts';
import { conflict, none, type Recollection } from '../../../src/propagation/recollection.ts';
import type { TraceId } from '../../../src/propagation/trace.ts';
import { parseLabel } from '../../../src/traffic/label.ts';
import { rulesOf, twin } from '../../shadow/given.ts';
import { type Server, startServer } from '../server.ts';

const [gray] = ['gray'].map(parseLabel);
const traceOf = (digit: string) => `/*traceparent='00-${digit.repeat(32)}-b7ad6b7169203331-01'*/`;

describe('the thread of the database proxies', () => {
  let server: Server;
  let direct: Connection;
  let port: number;
  let databases: Databases | undefined;
  const workers: Worker[] = [];
  const opened: Connection[] = [];
  process.on('worker', (worker) => workers.push(worker));

  beforeAll(async () => {
    server = await startServer();
    direct = await createConnection({ host: '127.0.0.1', port: server.port, user: 'root', multipleStatements: true });
    await direct.query(
      'CREATE DATABASE app; USE app; CREATE TABLE orders (note varchar(9)); CREATE TABLE orders_gray LIKE orders',
    );
    [port = 0] = await freePorts(1);
  });
  afterEach(async () => {
    for (const connection of opened.splice(0)) connection.destroy();
    await databases?.close(1_000);
    databases = undefined;
    await direct.query('DELETE FROM orders; DELETE FROM orders_gray');
  });
  afterAll(async () => {
    await direct?.end();
    await server?.remove();
  });

  const asked: (readonly TraceId[])[] = [];
  function open(labels: Rules['labels'], remembered: (ids: readonly TraceId[]) => Recollection = () => none) {
    const { workloads, databases } = rulesOf(twin('orders', { selector: { db: 'app', table: 'orders_gray' } }));
    return openDatabases({
      places: [
        { listen: { address: '127.0.0.1', port }, upstream: { host: '127.0.0.1', port: server.port }, exit: undefined },
      ],
      rules: { workloads, databases, labels },
      namespace: 'default',
      unattributed: { writes: 'refuse', reads: 'base' },
      definitions: 'refuse',
      maxStatementBytes: 1 << 20,
      tls: { mode: 'strip' },
      takenMs: 0,
      recall(ids) {
        asked.push(ids);
        return remembered(ids);
      },
      log: pino({ level: 'silent' }),
    });
  }
  async function connect(more: ConnectionOptions = {}): Promise<Connection> {
    const connection = await createConnection({ host: '127.0.0.1', port, user: 'root', database: 'app', ...more });
    connection.on('error', () => {});
    opened.push(connection);
    return connection;
  }
  async function notes(table: string): Promise<unknown[]> {
    const [rows] = await direct.query({ sql: `SELECT note FROM ${table} ORDER BY note`, rowsAsArray: true });
    return (rows as unknown[][]).map(([note]) => note);
  }

  test('asks for the label of a trace, at once after one is remembered, and never before', async () => {
    databases = await open([], ([id]) =>
      id?.includes('1') ? { outcome: 'label', label: gray as never } : id?.includes('2') ? conflict : none,
    );
    const client = await connect();
    await client.query(`INSERT INTO orders VALUES ('before') ${traceOf('1')}`);
    expect(asked).toEqual([]);
    databases.setRemembering(true);
    await client.query(`INSERT INTO orders VALUES ('gray') ${traceOf('1')}`);
    await client.query(`INSERT INTO orders VALUES ('base') ${traceOf('3')}`);
    await expect(client.query(`INSERT INTO orders VALUES ('two') ${traceOf('2')}`)).rejects.toThrow(/unattributed/);
    expect([await notes('orders'), await notes('orders_gray')]).toEqual([['base', 'before'], ['gray']]);
    expect(asked.flat()).toEqual(['1', '3', '2'].map((digit) => `w3c:${digit.repeat(32)}`));
    databases.setRemembering(false);
    await client.query("INSERT INTO orders VALUES ('silent')");
    const { connections, refusals, statements } = await databases.counts();
    expect([connections, refusals]).toEqual([1, [{ reason: 'unattributed', times: 1 }]]);
    expect(statements).toContainEqual({ did: 'rewritten', by: 'memory', times: 1 });
    expect((await databases.counts()).statements).toEqual([]);
  });

  test('takes new rules and labels up, for connections that are open too', async () => {
    databases = await open([]);
    const client = await connect();
    await client.query("INSERT INTO orders VALUES ('base')");
    const { workloads, databases: rules } = rulesOf(twin('orders', { selector: { db: 'app', table: 'orders_gray' } }));
    databases.use({ workloads, databases: rules, labels: gray ? [gray] : [] });
    await databases.counts(); // it is heard in order
    await client.query("INSERT INTO orders VALUES ('gray')");
    expect([await notes('orders'), await notes('orders_gray')]).toEqual([['base'], ['gray']]);
  });

  test('is started again where it dies, with the rules that are in force', async () => {
    databases = await open(gray ? [gray] : []);
    await (await connect()).query("INSERT INTO orders VALUES ('1')");
    await workers.at(-1)?.terminate();
    const client = await vi.waitFor(() => connect(), { timeout: 10_000 });
    await client.query("INSERT INTO orders VALUES ('2')");
    expect([await notes('orders'), await notes('orders_gray')]).toEqual([[], ['1', '2']]);
  });

  test('answers and ends while it is dead, too', async () => {
    databases = await open([]);
    await workers.at(-1)?.terminate();
    expect(await databases.counts()).toEqual({ connections: 0, statements: [], refusals: [], unattributed: [] });
    await databases.close(1_000);
    databases = undefined;
  });

  test('says which port it cannot have', async () => {
    databases = await open([]);
    await expect(open([])).rejects.toThrow(`EADDRINUSE: address already in use 127.0.0.1:${port}`);
  });
});
