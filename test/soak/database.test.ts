// A database proxy for a long time, and by much: gigabytes, a thousand clients, servers and clients that die.
import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createConnection as createPlain } from 'mysql2';
import { type Connection, type ConnectionOptions, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findMariadb } from '../../src/demo/mariadb/install.ts';
import { launchMariadb, type Mariadb } from '../../src/demo/mariadb/launch.ts';
import { type Server, startServer } from '../database/server.ts';

vi.setConfig({ testTimeout: 180_000 });

const megabyte = 1 << 20;
const gray = "/*baggage='OpenSergo-Label%3Dgray'*/";

type State = { readonly bytes: number; readonly connections: number };
type Middle = { readonly port: number; state(): Promise<State>; child: ChildProcess };

async function startMiddle(kind: 'base' | 'gray', port: number): Promise<Middle> {
  const child = fork(fileURLToPath(new URL('../database/middle.ts', import.meta.url)), [kind, String(port)]);
  const said = <T>() => new Promise<T>((resolve) => child.once('message', (message) => resolve(message as T)));
  const { port: own } = await said<{ port: number }>();
  return {
    port: own,
    child,
    state() {
      const answer = said<State>();
      child.send('state');
      return answer;
    },
  };
}

/** The most memory that the process had meanwhile, above what it had before, in bytes. */
async function growth(middle: Middle, work: () => Promise<void>): Promise<number> {
  const { bytes: before } = await middle.state();
  let most = before;
  const done = work();
  let running = true;
  void done.finally(() => {
    running = false;
  });
  while (running) {
    most = Math.max(most, (await middle.state()).bytes);
    await sleep(50);
  }
  await done;
  return most - before;
}

describe('a database proxy', () => {
  let server: Server;
  let base: Middle;
  let labelled: Middle;
  let root: Connection;
  const open = (middle: Middle, more: ConnectionOptions = {}) =>
    createConnection({ host: '127.0.0.1', port: middle.port, user: 'root', database: 'app', ...more });

  beforeAll(async () => {
    server = await startServer(['--max-allowed-packet=128M']);
    root = await createConnection({ host: '127.0.0.1', port: server.port, user: 'root', multipleStatements: true });
    await root.query(
      'CREATE DATABASE app; USE app; CREATE TABLE orders (id int, name varchar(9)); CREATE TABLE orders_gray LIKE orders',
    );
    [base, labelled] = await Promise.all([startMiddle('base', server.port), startMiddle('gray', server.port)]);
  });
  afterAll(async () => {
    await root?.end();
    for (const middle of [base, labelled]) middle?.child.kill('SIGKILL');
    await server?.remove();
  });

  async function column(sql: string): Promise<unknown[]> {
    const [rows] = await root.query<RowDataPacket[][]>({ sql, rowsAsArray: true });
    return rows.map(([first]) => first);
  }

  test('passes a gigabyte to a client, with memory flat, for base and for a label', async () => {
    for (const middle of [base, labelled]) {
      let bytes = 0;
      const grew = await growth(middle, async () => {
        const client = createPlain({ host: '127.0.0.1', port: middle.port, user: 'root', database: 'app' });
        const sql =
          "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT repeat('x', 1048576) AS x FROM n LEFT JOIN orders ON 0";
        for await (const row of client.query(sql).stream()) {
          bytes += (row as { x: string }).x.length;
          if (bytes % (100 * megabyte) === 0) await sleep(100); // a slow reader
        }
        client.destroy();
      });
      console.log(`${bytes / megabyte} MB to a client: ${(grew / megabyte).toFixed(0)} MB more at most`);
      expect(bytes).toBe(1000 * megabyte);
      expect(grew).toBeLessThan(150 * megabyte);
    }
  });

  test('passes a gigabyte to the server, with memory flat, in statements that are read and in longer ones', async () => {
    for (const [middle, size] of [
      [base, 8],
      [base, 50],
      [labelled, 8],
    ] as const) {
      const client = await open(middle);
      const times = Math.ceil(1000 / size);
      const text = `SELECT length('${'x'.repeat(size * megabyte)}') AS n`;
      const grew = await growth(middle, async () => {
        for (let sent = 0; sent < times; sent += 1) {
          const [[row]] = (await client.query<RowDataPacket[]>(text)) as unknown as [[{ n: number }]];
          expect(row.n).toBe(size * megabyte);
        }
      });
      console.log(`${times} statements of ${size} MB: ${(grew / megabyte).toFixed(0)} MB more at most`);
      expect(grew).toBeLessThan(200 * megabyte);
      await client.end();
    }
  });

  test('refuses a label a statement that is too long to be read, and lives on', async () => {
    const client = await open(labelled);
    const text = `INSERT INTO orders VALUES (1, '${'x'.repeat(60 * megabyte)}')`;
    await expect(client.query(text)).rejects.toThrow(/^lanekeeper: too-long/);
    const [rows] = await client.query({ sql: 'SELECT 6 * 7', rowsAsArray: true });
    expect(rows).toEqual([[42]]);
    await client.end();
  });

  test('serves a thousand clients at once, each of both lanes', async () => {
    await root.query('DELETE FROM app.orders; DELETE FROM app.orders_gray');
    const clients: Connection[] = [];
    for (let from = 0; from < 1000; from += 50)
      clients.push(...(await Promise.all(Array.from({ length: 50 }, () => open(base)))));
    expect((await base.state()).connections).toBe(1000);
    await Promise.all(
      clients.map(async (client, id) => {
        await client.query(`INSERT INTO orders VALUES (${id}, 'base')`);
        await client.query(`INSERT INTO orders VALUES (${id}, 'gray') ${gray}`);
      }),
    );
    for (const [table, name] of [
      ['orders', 'base'],
      ['orders_gray', 'gray'],
    ])
      expect(await column(`SELECT COUNT(DISTINCT id) FROM app.${table} WHERE name = '${name}'`)).toEqual([1000]);
    expect(await column('SELECT COUNT(*) FROM app.orders')).toEqual([1000]);
    console.log(`1,000 clients: ${((await base.state()).bytes / megabyte).toFixed(0)} MB`);
    await Promise.all(clients.map((client) => client.end()));
    await vi.waitFor(async () => expect((await base.state()).connections).toBe(0), { timeout: 10_000 });
  });

  test('rolls back what clients left in transactions, and keeps no connection of theirs', async () => {
    await root.query('DELETE FROM app.orders; DELETE FROM app.orders_gray');
    // Root, and who asks here: those that left before may still be on their way.
    const servedBy = () =>
      column("SELECT COUNT(*) FROM information_schema.processlist WHERE db = 'app' AND id <> CONNECTION_ID()");
    await vi.waitFor(async () => expect(await servedBy()).toEqual([0]), { timeout: 20_000 });
    const clients = await Promise.all(Array.from({ length: 50 }, (_, index) => open(index % 2 ? base : labelled)));
    await Promise.all(
      clients.map(async (client) => {
        await client.query('BEGIN');
        await client.query("INSERT INTO orders VALUES (1, 'x')");
        client.destroy();
      }),
    );
    await vi.waitFor(async () => expect(await servedBy()).toEqual([0]), { timeout: 20_000 });
    expect(await column('SELECT id FROM app.orders UNION ALL SELECT id FROM app.orders_gray')).toEqual([]);
  });

  test('outlives connections that are cut in the middle of a packet', async () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    for (let round = 0; round < 20; round += 1)
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const middle = random(2) ? base : labelled;
          const client = createPlain({ host: '127.0.0.1', port: middle.port, user: 'root', database: 'app' });
          client.on('error', () => {});
          const stream = (client as unknown as { stream: import('node:net').Socket }).stream;
          const limit = random(400);
          let written = 0;
          const write = stream.write.bind(stream);
          stream.write = ((chunk: Buffer, ...rest: []) => {
            const left = limit - written;
            written += chunk.length;
            if (left >= chunk.length) return write(chunk, ...rest);
            write(chunk.subarray(0, Math.max(0, left)), ...rest);
            setImmediate(() => stream.destroy());
            return true;
          }) as typeof stream.write;
          const closed = new Promise((resolve) => stream.once('close', resolve));
          client.query("INSERT INTO orders VALUES (1, 'xxxxxxxx')", () => {});
          client.query(`SELECT repeat('x', ${random(100_000)}) FROM orders`, () => stream.destroy());
          await closed;
        }),
      );
    for (const middle of [base, labelled]) {
      await vi.waitFor(async () => expect((await middle.state()).connections).toBe(0), { timeout: 10_000 });
      const client = await open(middle);
      expect((await client.query({ sql: 'SELECT 1', rowsAsArray: true }))[0]).toEqual([[1]]);
      await client.end();
    }
  });
});

test('loses no insert that was acknowledged, and makes none twice, while the server is killed', async () => {
  const first = await startServer(['--innodb-flush-log-at-trx-commit=1']);
  const folder = first.socket.replace('/mariadb.sock', '');
  let server: Mariadb = first;
  const root = await createConnection({ host: '127.0.0.1', port: server.port, user: 'root', multipleStatements: true });
  root.on('error', () => {});
  await root.query(
    'CREATE DATABASE app; USE app; CREATE TABLE orders (id int, name varchar(9)); CREATE TABLE orders_gray LIKE orders',
  );
  root.destroy();
  const middle = await startMiddle('gray', server.port);
  const acknowledged: number[] = [];
  let [next, running, failed] = [0, true, 0];
  const open = async (): Promise<Connection> => {
    const made = await createConnection({ host: '127.0.0.1', port: middle.port, user: 'root', database: 'app' });
    made.on('error', () => {});
    return made;
  };
  const work = async () => {
    let client: Connection | undefined;
    while (running) {
      next += 1;
      const id = next;
      try {
        client ??= await open();
        await client.execute('INSERT INTO orders VALUES (?, ?)', [id, 'x']);
        acknowledged.push(id);
      } catch {
        failed += 1;
        client?.destroy();
        client = undefined;
        await sleep(10);
      }
    }
    client?.destroy();
  };
  try {
    const workers = Array.from({ length: 8 }, work);
    for (let times = 0; times < 3; times += 1) {
      const so = acknowledged.length;
      await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(so + 300), { timeout: 30_000 });
      await server.kill();
      server = await launchMariadb(await findMariadb(), {
        folder,
        port: first.port,
        flags: ['--innodb-flush-log-at-trx-commit=1'],
      });
    }
    const so = acknowledged.length;
    await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(so + 300), { timeout: 30_000 });
    running = false;
    await Promise.all(workers);
    const check = await createConnection({ host: '127.0.0.1', port: server.port, user: 'root', database: 'app' });
    const [rows] = await check.query<RowDataPacket[][]>({ sql: 'SELECT id FROM orders_gray', rowsAsArray: true });
    const ids = rows.map(([id]) => id as unknown as number);
    expect(new Set(ids).size, 'none is there twice').toBe(ids.length);
    expect(acknowledged.filter((id) => !new Set(ids).has(id)).length, 'acknowledged and lost').toBe(0);
    const [base] = await check.query({ sql: 'SELECT COUNT(*) FROM orders', rowsAsArray: true });
    expect(base).toEqual([[0]]);
    console.log(`${acknowledged.length} inserts acknowledged, ${failed} failed, over 3 kills of the server`);
    await check.end();
  } finally {
    running = false;
    middle.child.kill('SIGKILL');
    await server.kill();
    await first.remove();
  }
});
