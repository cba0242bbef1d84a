import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createConnection as createMariadb } from 'mariadb';
import { createConnection } from 'mysql2';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Server, startServer } from '../server.ts';
import { numbers, type Stage, startStage, tables } from '../stage.ts';

let server: Server;
const stages = new Map<string, Stage>();
const flags = ['--max-allowed-packet=64M', '--local-infile=1'];

beforeAll(async () => {
  server = await startServer(flags);
  stages.set('base', await startStage({ server }));
  stages.set('gray', await startStage({ server, labels: ['gray'], maxStatementBytes: 40 << 20 }));
});
afterAll(async () => {
  for (const stage of stages.values()) await stage.close();
  await server.remove();
});

describe.each(['base', 'gray'])('a workload of %s', (name) => {
  let stage: Stage;
  const [own, other] = name === 'gray' ? ['orders_gray', 'orders'] : ['orders', 'orders_gray'];
  const ids = (table = own) => stage.column(`SELECT id FROM app.${table} ORDER BY id`);
  const mariadb = () =>
    createMariadb({ host: '127.0.0.1', port: stage.port, user: 'root', database: 'app', permitLocalInfile: true });

  beforeAll(() => {
    stage = stages.get(name) as Stage;
  });
  beforeEach(async () => {
    const root = await stage.direct();
    for (const each of tables) await root.query(each);
  });

  test('pipelines: commands are sent before the replies to those before', async () => {
    const client = await mariadb();
    const all = Array.from({ length: 20 }, (_, id) =>
      id % 2 === 0
        ? client.query(`INSERT INTO orders VALUES (${id}, 'text')`)
        : client.execute('INSERT INTO orders VALUES (?, ?)', [id, 'prepared']),
    );
    await Promise.all(all);
    await client.batch('INSERT INTO orders VALUES (?, ?)', [
      [30, 'a'],
      [31, 'b'],
    ]);
    const rows = client.execute('SELECT id FROM orders WHERE id >= ?', [30]);
    const refused = expect(client.query('NOTHING AT ALL')).rejects.toThrow(
      name === 'gray' ? /lanekeeper: unknown-verb/ : /syntax/,
    );
    expect(await rows).toEqual([{ id: 30 }, { id: 31 }]);
    await refused;
    await client.end();
    expect(await ids()).toEqual([...Array(20).keys(), 30, 31]);
    expect(await ids(other)).toEqual([]);
  });

  test('sends several statements at once', async () => {
    const client = await stage.connect({ multipleStatements: true });
    const [results] = await client.query(
      "INSERT INTO orders VALUES (1, 'a;b'); SELECT id FROM orders; DELETE FROM orders WHERE id = 1",
    );
    expect((results as unknown[])[1]).toEqual([{ id: 1 }]);
    await client.query("USE mysql; INSERT INTO app.orders VALUES (2, 'b')");
    await client.query("USE app; INSERT INTO orders VALUES (3, 'b'); USE mysql");
    await expect(client.query("INSERT INTO orders VALUES (4, 'b')")).rejects.toThrow(/mysql.*orders/);
    expect(await ids()).toEqual([2, 3]);
    expect(await ids(other)).toEqual([]);
  });

  test('loads a file of its own', async () => {
    const client = await stage.connect({ infileStreamFactory: () => Readable.from([Buffer.from('1\tone\n2\ttwo\n')]) });
    await client.query("LOAD DATA LOCAL INFILE 'x' INTO TABLE orders");
    const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-infile-'));
    writeFileSync(join(folder, 'big'), Array.from({ length: 100_000 }, (_, id) => `${id + 10}\tname ${id}\n`).join(''));
    const other = await mariadb();
    await other.query(`LOAD DATA LOCAL INFILE '${join(folder, 'big')}' INTO TABLE orders`);
    await other.end();
    expect((await client.query('SELECT COUNT(*) AS all_ FROM orders'))[0]).toEqual([{ all_: 100_002 }]);
    expect(await stage.column(`SELECT COUNT(*) FROM app.${own}`)).toEqual([100_002]);
  });

  test('sends and gets packets of more than 16 MB', async () => {
    const client = await stage.connect();
    const root = await stage.direct();
    for (const table of ['orders', 'orders_gray'])
      await root.query(`ALTER TABLE app.${table} ADD COLUMN body LONGBLOB`);
    for (const size of [(1 << 24) - 60, (1 << 24) + 1, 35 << 20]) {
      const body = Buffer.alloc(size, 'x');
      await client.query(`INSERT INTO orders VALUES (${size}, 'text', '${body.toString('latin1')}')`);
      const [rows] = await client.query({ sql: `SELECT body FROM orders WHERE id = ${size}` });
      expect((rows as { body: Buffer }[])[0]?.body.length).toBe(size);
    }
    const small = 3 << 20;
    await client.execute('INSERT INTO orders VALUES (?, ?, ?)', [1, 'prepared', Buffer.alloc(small, 'y')]);
    expect(await stage.column(`SELECT LENGTH(body) FROM app.${own} WHERE id = 1`)).toEqual([small]);
    expect(await ids(other)).toEqual([]);
    await client.end();
  });

  test('changes its user, and resets its connection', async () => {
    const client = await stage.connect();
    await client.execute('INSERT INTO orders VALUES (?, ?)', [1, 'a']);
    await client.changeUser({ user: 'root', database: 'mysql' });
    await client.execute('INSERT INTO app.orders VALUES (?, ?)', [2, 'a']);
    await client.changeUser({ user: 'root', database: 'app' });
    await client.execute('INSERT INTO orders VALUES (?, ?)', [3, 'a']);
    const second = await mariadb();
    await second.query("SET sql_mode = 'ANSI_QUOTES'");
    await second.query(`INSERT INTO "orders" VALUES (4, 'a')`);
    await second.reset();
    await second.query(`INSERT INTO orders VALUES (5, "orders")`);
    await second.execute('INSERT INTO orders VALUES (?, ?)', [6, 'a']);
    await second.end();
    expect(await ids()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await ids(other)).toEqual([]);
  });

  test('streams a big result at the pace of the client', async () => {
    const client = createConnection({ host: '127.0.0.1', port: stage.port, user: 'root', database: 'app' });
    client.on('error', () => {});
    const before = process.memoryUsage().rss;
    const stream = client.query(`SELECT seq, REPEAT('x', 1000) AS body FROM ${numbers(200_000)}`).stream();
    let rows = 0;
    let peak = 0;
    for await (const _ of stream) {
      rows += 1;
      if (rows % 20_000 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      if (rows % 1_000 === 0) peak = Math.max(peak, process.memoryUsage().rss - before);
    }
    expect(rows).toBe(200_000);
    expect(peak).toBeLessThan(150 << 20);
    client.destroy();
  });
});
