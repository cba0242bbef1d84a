import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Stage, startStage, tables } from '../stage.ts';

let stage: Stage;

const empty = async () => {
  const root = await stage.direct();
  for (const each of tables) await root.query(each);
  stage.events.length = 0;
};

describe('a labelled workload', () => {
  beforeAll(async () => {
    stage = await startStage({ labels: ['gray'] });
  });
  afterAll(() => stage.close());
  beforeEach(empty);

  test('writes its rows to the shadow, and reads them there', async () => {
    const client = await stage.connect();
    await client.query("INSERT INTO orders VALUES (1, 'one')");
    const [rows, fields] = await client.query('SELECT orders.id, name FROM orders WHERE orders.id = 1');
    expect(rows).toEqual([{ id: 1, name: 'one' }]);
    expect(fields.map(({ table }) => table)).toEqual(['orders', 'orders']);
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([]);
    expect(await stage.column('SELECT id FROM app.orders_gray')).toEqual([1]);
  });

  test('is told why a statement is refused, and goes on', async () => {
    const client = await stage.connect();
    await expect(client.query("INSERT INTO items VALUES (1, 'one')")).rejects.toThrow(
      /^lanekeeper: no-shadow: INSERT writes to .*app.*items/,
    );
    await expect(client.query('CALL anything()')).rejects.toThrow(/lanekeeper: call: /);
    expect((await client.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
    expect(await stage.column('SELECT id FROM app.items')).toEqual([]);
    expect(stage.events.filter(({ what }) => what === 'refusal')).toEqual([
      { what: 'refusal', reason: 'no-shadow' },
      { what: 'refusal', reason: 'call' },
    ]);
  });

  test('executes prepared statements on the shadow', async () => {
    const client = await stage.connect();
    for (const id of [1, 2, 3]) await client.execute('INSERT INTO orders VALUES (?, ?)', [id, `n${id}`]);
    const [rows] = await client.execute('SELECT name FROM orders WHERE id > ?', [1]);
    expect(rows).toEqual([{ name: 'n2' }, { name: 'n3' }]);
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([]);
    expect(await stage.column('SELECT id FROM app.orders_gray')).toEqual([1, 2, 3]);
  });

  test('in a database that it chose later', async () => {
    const client = await stage.connect({ database: 'mysql' });
    await client.query('USE app');
    await client.query("INSERT INTO orders VALUES (1, 'one')");
    await client.changeUser({ database: 'mysql' });
    await client.query("INSERT INTO app.orders VALUES (2, 'two')");
    expect(await stage.column('SELECT id FROM app.orders_gray')).toEqual([1, 2]);
  });
});

describe('a base workload', () => {
  beforeAll(async () => {
    stage = await startStage();
  });
  afterAll(() => stage.close());
  beforeEach(empty);

  test('writes to the base', async () => {
    const client = await stage.connect();
    await client.query("INSERT INTO orders VALUES (1, 'one')");
    await client.execute('INSERT INTO orders VALUES (?, ?)', [2, 'two']);
    expect((await client.query('SELECT id FROM orders'))[0]).toEqual([{ id: 1 }, { id: 2 }]);
    expect(await stage.column('SELECT id FROM app.orders_gray')).toEqual([]);
  });

  const baggage = 'OpenSergo-Label=gray';
  const attributed = (client: Connection, sql: string, values?: (string | number)[]) =>
    values === undefined
      ? client.query({ sql, attributes: { baggage } })
      : client.execute({ sql, values, attributes: { baggage } });

  test('is of the label that a query attribute says, for that execution alone', async () => {
    const client = await stage.connect();
    await attributed(client, "INSERT INTO orders VALUES (1, 'gray')");
    await client.query("INSERT INTO orders VALUES (2, 'base')");
    const insert = 'INSERT INTO orders VALUES (?, ?)';
    await client.execute(insert, [3, 'base']);
    await attributed(client, insert, [4, 'gray']);
    await client.execute(insert, [5, 'base']);
    await attributed(client, insert, [6, 'gray']);
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([2, 3, 5]);
    expect(await stage.column('SELECT id FROM app.orders_gray')).toEqual([1, 4, 6]);
  });

  test('is of the label that a comment or a user variable says', async () => {
    const client = await stage.connect();
    await client.query("INSERT INTO orders VALUES (1, 'gray') /*baggage='OpenSergo-Label%3Dgray'*/");
    await client.query("INSERT INTO orders VALUES (2, '/*baggage=''OpenSergo-Label%3Dgray''*/')");
    await client.query("SET @baggage = 'OpenSergo-Label=gray'");
    await client.query("INSERT INTO orders VALUES (3, 'gray')");
    await client.query('SET @baggage = NULL');
    await client.query("INSERT INTO orders VALUES (4, 'base')");
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([2, 4]);
    expect(await stage.column('SELECT id FROM app.orders_gray')).toEqual([1, 3]);
  });
});
