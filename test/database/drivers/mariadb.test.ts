// MariaDB's own connector for Node as a client of the proxy, text and prepared: it sends before it has replies.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, type ConnectionConfig, createConnection, createPool, importFile } from 'mariadb';
import { afterEach, describe, expect, test } from 'vitest';
import { isMysql } from '../server.ts';
import { numbers } from '../stage.ts';
import { digested, errors, inEachLane, insertRow, refusal, refused, rows } from './lanes.ts';

const insert = 'INSERT INTO orders (id, name) VALUES (?, ?)';
const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

describe('the mariadb connector', () => {
  inEachLane((lane) => {
    const open: Connection[] = [];
    const place = () => ({ host: '127.0.0.1', port: lane().stage.port, user: 'root', database: 'app' });
    const connect = async (options: ConnectionConfig = {}) => {
      const client = await createConnection({ ...place(), ...options });
      open.push(client);
      return client;
    };
    afterEach(() => open.splice(0).map((client) => client.destroy()));

    describe.each(['query', 'execute'] as const)('by %s', (how) => {
      test('gets values back as they went', async () => {
        const client = await connect({ dateStrings: true, bigIntAsNumber: false, rowsAsArray: true });
        for (const row of rows) await client[how](insertRow, [...row]);
        const found = (await client[how]('SELECT * FROM orders ORDER BY id')) as unknown[][];
        const asText = found.map((row) => row.map((value) => (typeof value === 'bigint' ? `${value}` : value)));
        expect(digested(asText)).toEqual(digested(rows));
        await lane().holds([1, 2]);
      });

      test("sees the server's own errors, and lives on", async () => {
        const client = await connect();
        await client[how](insert, [1, 'a']);
        for (const [sql, errno] of errors) await expect(client[how](sql)).rejects.toMatchObject({ errno });
        expect(await client[how]('SELECT id, name FROM orders')).toEqual([{ id: 1, name: 'a' }]);
        await lane().holds([1]);
      });

      test('sees refusals of a label, and of base none', async () => {
        const client = await connect();
        const isGray = lane().name === 'gray';
        for (const sql of isGray ? refused : refused.slice(0, 1)) {
          const outcome = expect(client[how](sql));
          if (isGray) await outcome.rejects.toMatchObject({ errno: 1235, sqlMessage: expect.stringMatching(refusal) });
          else await outcome.resolves.toBeDefined();
        }
        await client[how](insert, [1, 'a']);
        await lane().holds([1]);
        expect(await lane().stage.column('SELECT id FROM app.items')).toEqual(isGray ? [] : [1]);
      });

      test('rolls back and commits', async () => {
        const client = await connect();
        await client.beginTransaction();
        await client[how](insert, [1, 'a']);
        await client.rollback();
        await client.beginTransaction();
        await client[how](insert, [2, 'a']);
        await lane().holds([]);
        await client.commit();
        await lane().holds([2]);
      });

      test('sends a hundred at once, with errors and refusals among them, and each gets its own reply', async () => {
        const client = await connect({ pipelining: true });
        const isGray = lane().name === 'gray';
        const replies = await Promise.allSettled(
          upTo(100).flatMap((id): Promise<unknown>[] => [
            client[how](insert, [id, `name ${id}`]),
            id % 10 === 0
              ? client[how](id % 20 === 0 ? 'SELECT nothing FROM orders' : "INSERT INTO items VALUES (1, 'x')")
              : client[how]('SELECT id, name FROM orders WHERE id = ?', [id]),
          ]),
        );
        for (const [at, reply] of replies.entries()) {
          const id = (at >> 1) + 1;
          const failure = id % 20 === 0 ? 1054 : isGray ? 1235 : id === 10 ? undefined : 1062;
          if (at % 2 === 0) expect(reply).toMatchObject({ value: { affectedRows: 1 } });
          else if (id % 10 > 0) expect(reply).toMatchObject({ value: [{ id, name: `name ${id}` }] });
          else if (failure === undefined) expect(reply.status).toBe('fulfilled');
          else expect(reply).toMatchObject({ reason: { errno: failure } });
        }
        await lane().holds(upTo(100));
      });
    });

    test.each([
      { bulk: true, pipelining: true },
      { bulk: false, pipelining: true },
      { bulk: true, pipelining: false },
    ])('sends many rows as one batch: %o', async (options) => {
      const client = await connect(options);
      const sent = upTo(500).map((id) => [id, id % 3 === 0 ? null : `name 🚀 ${id}`]);
      // One reply for each row, as nobody offers to take them in bulk.
      expect(await client.batch(insert, sent)).toHaveLength(500);
      expect(await client.query({ sql: 'SELECT id, name FROM orders ORDER BY id', rowsAsArray: true })).toEqual(sent);
      const again = client.batch(insert, [
        [501, 'new'],
        [1, 'again'],
      ]);
      await expect(again).rejects.toMatchObject({ errno: 1062 });
      await client.query('DELETE FROM orders WHERE id > 3');
      await lane().holds([1, 2, 3]);
    });

    test('prepares once and executes often, also before the replies', async () => {
      const client = await connect();
      const statement = await client.prepare(insert);
      await Promise.all(upTo(50).map((id) => statement.execute([id, 'a'])));
      statement.close();
      const select = await client.prepare('SELECT id FROM orders WHERE id > ? ORDER BY id');
      expect(await Promise.all([48, 49, 50].map((id) => select.execute([id])))).toEqual([
        [{ id: 49 }, { id: 50 }],
        [{ id: 50 }],
        [],
      ]);
      select.close();
      await expect(client.prepare('SELECT nothing FROM orders')).rejects.toMatchObject({ errno: 1054 });
      await lane().holds(upTo(50));
    });

    test('says what its session is, and speaks accordingly before the reply', async () => {
      const client = await connect();
      const all = [
        "SET sql_mode = 'ANSI_QUOTES'",
        `INSERT INTO "orders" (id) VALUES (1)`,
        "SET sql_mode = ''",
        'INSERT INTO orders (id, name) VALUES (2, "orders")',
        'USE mysql',
        'INSERT INTO app.orders (id) VALUES (3)',
        'USE absent',
        'USE app',
        'INSERT INTO orders (id) VALUES (4)',
        'BEGIN',
        'INSERT INTO orders (id) VALUES (5)',
        'ROLLBACK',
        'SET NAMES latin1',
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "INSERT INTO orders (id, name) SELECT 6, '\\' FROM orders WHERE id = 1 AND ' FROM orders' <> ''",
      ].map((sql) => client.query(sql));
      const replies = (await Promise.allSettled(all)).map(({ status }, at) => (status === 'rejected' ? [at] : []));
      expect(replies.flat()).toEqual([6]);
      await lane().holds([1, 2, 3, 4, 6]);
    });

    test('prepares more statements than it keeps', async () => {
      const client = await connect({ prepareCacheLength: 5 });
      await Promise.all(upTo(60).map((id) => client.execute(`INSERT INTO orders (id, name) VALUES (${id}, ?)`, ['a'])));
      for (const id of upTo(60))
        expect(await client.execute(`SELECT id FROM orders WHERE id = ${id} AND id > ?`, [0])).toEqual([{ id }]);
      await lane().holds(upTo(60));
    });

    test('streams rows', async () => {
      const direct = await lane().stage.direct({ database: 'app' });
      await direct.query(`INSERT INTO ${lane().own} (id, name) SELECT seq, REPEAT('x', 100) FROM ${numbers(20_000)}`);
      const client = await connect();
      let sum = 0;
      for await (const { id } of client.queryStream('SELECT id, name FROM orders')) sum += id;
      expect(sum).toBe((20_000 * 20_001) / 2);
      expect(await client.query('SELECT MAX(id) AS last FROM orders')).toEqual([{ last: 20_000 }]);
    });

    // To a MySQL this driver neither resets connections after use nor changes the user.
    test.skipIf(isMysql)('keeps a pool that resets its connections after use', async () => {
      const pool = createPool({ ...place(), connectionLimit: 2, resetAfterUse: true });
      await Promise.all(upTo(20).map((id) => pool.execute(insert, [id, 'a'])));
      for (const id of [21, 22, 23]) {
        const one = await pool.getConnection();
        expect(await one.query('SELECT @kept AS kept, "orders" AS text')).toEqual([{ kept: null, text: 'orders' }]);
        await one.query("SET @kept = 1, sql_mode = 'ANSI_QUOTES'");
        await one.query(`INSERT INTO "orders" (id, name) VALUES (${id}, 'a')`);
        await one.execute('INSERT INTO "orders" (id, name) VALUES (?, ?)', [id + 10, 'a']);
        await one.release();
      }
      await pool.batch(insert, [
        [41, 'a'],
        [42, 'a'],
      ]);
      await pool.end();
      await lane().holds([...upTo(23), 31, 32, 33, 41, 42]);
    });

    test.skipIf(isMysql)('changes its user', async () => {
      const client = await connect();
      await client.execute(insert, [1, 'a']);
      await client.changeUser({ user: 'root', database: 'mysql' });
      await client.execute('INSERT INTO app.orders (id) VALUES (?)', [2]);
      await client.changeUser({ user: 'root', database: 'app' });
      // Not by the same text: it would take a statement from its cache that no server knows any more.
      await client.execute('INSERT INTO orders (id) VALUES (?)', [3]);
      await client.ping();
      await lane().holds([1, 2, 3]);
    });

    test('loads a file of SQL, and a local file of rows', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-import-'));
      const [sql, text] = [join(folder, 'sql'), join(folder, 'rows')];
      writeFileSync(
        sql,
        upTo(300)
          .map((id) => `INSERT INTO orders (id, name) VALUES (${id}, 'a;b');\n`)
          .join(''),
      );
      writeFileSync(text, '301\tone\n302\ttwo\n');
      await importFile({ ...place(), file: sql });
      const client = await connect({ permitLocalInfile: true });
      await client.query(`LOAD DATA LOCAL INFILE '${text}' INTO TABLE orders (id, name)`);
      rmSync(folder, { recursive: true });
      await lane().holds(upTo(302));
    });
  });
});
