// mysql2 as a client of the proxy, text and prepared.
import { Readable } from 'node:stream';
import { createPool as createCallbackPool, createConnection as createCallbacks } from 'mysql2';
import { type Connection, createPool, type QueryOptions } from 'mysql2/promise';
import { describe, expect, test } from 'vitest';
import { numbers } from '../stage.ts';
import { digested, errors, inEachLane, insertRow, refusal, refused, remembering, rows, trace } from './lanes.ts';

const baggage = 'a=b,OpenSergo-Label=gray';
const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
const insert = 'INSERT INTO orders (id, name) VALUES (?, ?)';

type How = 'query' | 'execute';
const by = (client: Connection, how: How, given: QueryOptions) =>
  how === 'query' ? client.query(given) : client.execute(given);

describe('mysql2', () => {
  inEachLane((lane) => {
    const exact = { dateStrings: true, supportBigNumbers: true, bigNumberStrings: true };
    const place = () => ({ host: '127.0.0.1', port: lane().stage.port, user: 'root', database: 'app' });

    describe.each(['query', 'execute'] as const)('by %s', (how) => {
      const run = (client: Connection, what: string | QueryOptions, values: unknown[] = []) =>
        by(client, how, { ...(typeof what === 'string' ? { sql: what } : what), values });

      test('gets values back as they went', async () => {
        const client = await lane().stage.connect(exact);
        for (const row of rows) await run(client, insertRow, [...row]);
        const [found] = await run(client, { sql: 'SELECT * FROM orders ORDER BY id', rowsAsArray: true });
        expect(digested(found)).toEqual(digested(rows));
        await lane().holds([1, 2]);
      });

      test("sees the server's own errors, and lives on", async () => {
        const client = await lane().stage.connect();
        await run(client, insert, [1, 'a']);
        for (const [sql, errno] of errors) await expect(run(client, sql)).rejects.toMatchObject({ errno });
        expect((await run(client, 'SELECT id, name FROM orders'))[0]).toEqual([{ id: 1, name: 'a' }]);
        await lane().holds([1]);
      });

      test('sees refusals of a label, and of base none', async () => {
        const client = await lane().stage.connect();
        const isGray = lane().name === 'gray';
        for (const sql of isGray ? refused : refused.slice(0, 1)) {
          const outcome = expect(run(client, sql));
          if (isGray) await outcome.rejects.toMatchObject({ errno: 1235, message: expect.stringMatching(refusal) });
          else await outcome.resolves.toBeDefined();
        }
        await run(client, insert, [1, 'a']);
        await lane().holds([1]);
        expect(await lane().stage.column('SELECT id FROM app.items')).toEqual(isGray ? [] : [1]);
      });

      test('rolls back and commits', async () => {
        const client = await lane().stage.connect();
        await client.beginTransaction();
        await run(client, insert, [1, 'a']);
        await client.rollback();
        await client.beginTransaction();
        await run(client, insert, [2, 'a']);
        expect((await run(client, 'SELECT id FROM orders'))[0]).toEqual([{ id: 2 }]);
        await lane().holds([]);
        await client.commit();
        await lane().holds([2]);
      });

      test('nests rows by the names of tables that were asked for', async () => {
        const client = await lane().stage.connect();
        await run(client, insert, [1, 'a']);
        const nested = (sql: string, nestTables: true | '_') => run(client, { sql, nestTables });
        expect((await nested('SELECT id, o.name FROM orders o', true))[0]).toEqual([{ o: { id: 1, name: 'a' } }]);
        const join = 'SELECT orders.id, i.id FROM orders LEFT JOIN items i ON i.id = orders.id';
        expect((await nested(join, true))[0]).toEqual([{ orders: { id: 1 }, i: { id: null } }]);
        expect((await nested(join, '_'))[0]).toEqual([{ orders_id: 1, i_id: null }]);
        await lane().holds([1]);
      });

      test('streams rows', async () => {
        await (await lane().stage.direct({ database: 'app' })).query(
          `INSERT INTO app.${lane().own} (id, name) SELECT seq, REPEAT('x', 100) FROM ${numbers(20_000)}`,
        );
        const client = createCallbacks(place());
        let sum = 0;
        const stream = client[how]('SELECT id, name FROM orders').stream({ highWaterMark: 5 });
        for await (const { id } of stream as AsyncIterable<{ id: number }>) sum += id;
        expect(sum).toBe((20_000 * 20_001) / 2);
        client.destroy();
      });

      test('sends packets of more than 16 MB', async () => {
        const client = await lane().stage.connect();
        const body = Buffer.alloc((1 << 24) + 5, 'orders');
        await run(client, 'INSERT INTO orders (id, body) VALUES (?, ?)', [1, body]);
        const [[row]] = (await run(client, 'SELECT body FROM orders')) as unknown as [{ body: Buffer }[]];
        expect(row?.body.equals(body)).toBe(true);
        await lane().holds([1]);
      });
    });

    test('prepares once and executes often', async () => {
      const client = await lane().stage.connect();
      const statement = await client.prepare(insert);
      for (const id of [1, 2, 3]) await statement.execute([id, 'a']);
      // Closed behind the back of its cache.
      client.unprepare(insert);
      await statement.close();
      for (const id of [4, 5]) await client.execute(insert, [id, 'a']);
      client.unprepare(insert);
      await client.execute(insert, [6, 'a']);
      await lane().holds([1, 2, 3, 4, 5, 6]);
    });

    test('sends several statements at once, and the first error ends them', async () => {
      const client = await lane().stage.connect({ multipleStatements: true });
      const [results] = await client.query(`${insert}; SELECT id FROM orders; SELECT 'a;b' AS c`, [1, ';']);
      expect((results as unknown[]).slice(1)).toEqual([[{ id: 1 }], [{ c: 'a;b' }]]);
      await expect(client.query(`${insert}; SELECT nothing FROM orders; ${insert}`, [2, '', 3, ''])).rejects.toThrow(
        expect.objectContaining({ errno: 1054 }),
      );
      await client.query(insert, [4, 'a']);
      await lane().holds([1, 2, 4]);
    });

    test('sends a file of its own', async () => {
      const text = Array.from({ length: 50_000 }, (_, id) => `${id + 1}\tname ${id}\n`).join('');
      const client = await lane().stage.connect({ infileStreamFactory: () => Readable.from([Buffer.from(text)]) });
      await client.query("LOAD DATA LOCAL INFILE 'x' INTO TABLE orders (id, name)");
      expect((await client.query('SELECT COUNT(*) AS count FROM orders'))[0]).toEqual([{ count: 50_000 }]);
      expect(await lane().stage.column(`SELECT MAX(id) FROM app.${lane().own}`)).toEqual([50_000]);
    });

    test('keeps a pool whose connections go from hand to hand', async () => {
      const pool = createPool({ ...place(), connectionLimit: 3, resetOnRelease: true });
      await Promise.all(Array.from({ length: 30 }, (_, id) => pool.execute(insert, [id + 1, 'a'])));
      const one = await pool.getConnection();
      await one.query('SET @kept = 1');
      await one.changeUser({ database: 'mysql' });
      await one.execute('INSERT INTO app.orders (id) VALUES (?)', [31]);
      await one.changeUser({ database: 'app' });
      one.release();
      await pool.query(insert, [32, 'a']);
      await pool.end();
      await lane().holds(Array.from({ length: 32 }, (_, id) => id + 1));
    });

    test('forgets by a reset what a session had said', async () => {
      const pool = createCallbackPool({ ...place(), connectionLimit: 1, resetOnRelease: true }).promise();
      const first = await pool.getConnection();
      await first.query("SET @kept = 1, sql_mode = 'ANSI_QUOTES'");
      await first.query(`INSERT INTO "orders" (id) VALUES (1)`);
      first.release();
      expect((await pool.query('SELECT @kept AS kept, "orders" AS text'))[0]).toEqual([{ kept: null, text: 'orders' }]);
      await pool.execute('INSERT INTO orders (id, name) VALUES (?, "orders")', [2]);
      await pool.end();
      await lane().holds([1, 2]);
    });

    test('says a label by attributes, of each execution anew', async () => {
      const client = await lane().stage.connect();
      const carriers = [
        { 'x-opensergo-traffic': 'gray' },
        { baggage },
        { traceparent },
        { traceparent: `00-${'a'.repeat(32)}-00f067aa0ba902b7-01` },
      ] as const;
      for (const [at, attributes] of carriers.entries())
        for (const [offset, how] of (
          ['query', 'execute', 'execute', 'query'] as const satisfies readonly How[]
        ).entries())
          await by(client, how, { sql: insert, values: [4 * at + offset + 1, 'a'], attributes });
      const all = Array.from({ length: 16 }, (_, id) => id + 1);
      const ids = (table: string) => lane().stage.column(`SELECT id FROM app.${table} ORDER BY id`);
      const base = lane().name === 'base' ? all.slice(12) : [];
      expect(await ids('orders')).toEqual(base);
      expect(await ids('orders_gray')).toEqual(all.filter((id) => !base.includes(id)));
    });
  }, remembering);
});
