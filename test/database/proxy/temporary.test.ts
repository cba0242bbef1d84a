import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isMysql, type Server, startServer } from '../server.ts';
import { ownServerRules, type Stage, shadowTable, startStage, tables } from '../stage.ts';

describe('a temporary table of a label', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage({ labels: ['gray'] });
  });
  afterAll(() => stage?.close());

  test('may be written, without a shadow, for as long as it is there', async () => {
    const client = await stage.connect();
    await client.query('create temporary table items (id int)');
    await client.query('insert into items values (1)');
    const [rows] = await client.query({ sql: 'select count(*) from items', rowsAsArray: true });
    expect(rows).toEqual([[1]]);
    await client.query('drop temporary table items');
    await expect(client.query("insert into items values (2, 'x')")).rejects.toThrow(/^lanekeeper: no-shadow/);
    expect(await stage.column('select id from app.items')).toEqual([]);
  });

  test('is forgotten with what is dropped beside it in one text, and with the session', async () => {
    const client = await stage.connect({ multipleStatements: true });
    await client.query('create temporary table items (id int); insert into items values (1); drop table items');
    await expect(client.query("insert into items values (2, 'x')")).rejects.toThrow(/^lanekeeper: no-shadow/);
    await client.query('create temporary table items (id int)');
    await client.changeUser({ user: 'root', database: 'app' });
    await expect(client.query("insert into items values (2, 'x')")).rejects.toThrow(/^lanekeeper: no-shadow/);
    expect(await stage.column('select id from app.items')).toEqual([]);
  });
});

describe('a temporary table on a server of a label, or on base', () => {
  let stage: Stage;
  let other: Server;
  beforeAll(async () => {
    const [base, second] = await Promise.all([startServer(), startServer()]);
    other = second;
    const rules = `${ownServerRules(base, other)}---${shadowTable.replaceAll('gray', 'blue')}`;
    const blue = 'CREATE TABLE app.orders_blue LIKE app.orders';
    stage = await startStage({ server: base, rules, sql: [...tables, blue] });
    const root = await there();
    for (const sql of ['CREATE DATABASE app_gray', 'CREATE TABLE app_gray.orders (id INT, name VARCHAR(200))'])
      await root.query(sql);
    root.destroy();
  });
  afterAll(async () => {
    await stage.close();
    await Promise.all([stage.server.remove(), other.remove()]);
  });
  const there = () => createConnection({ host: other.address, port: other.port, user: 'root' });
  const as = (label: string, sql: string) => `${sql} /*baggage='OpenSergo-Label%3D${label}'*/`;

  test('hides no table of the other for another label', async () => {
    const client = await stage.connect();
    await client.query(as('gray', 'CREATE TEMPORARY TABLE orders (id INT, name VARCHAR(200))'));
    await client.query(as('blue', "INSERT INTO orders VALUES (1, 'blue')"));
    await client.query(as('gray', "INSERT INTO app.orders VALUES (2, 'temporary')"));
    await client.query(as('gray', 'DROP TEMPORARY TABLE orders'));
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([]);
    expect(await stage.column('SELECT id FROM app.orders_blue')).toEqual([1]);
    await client.query('CREATE TEMPORARY TABLE orders (id INT, name VARCHAR(200))');
    await client.query(as('gray', "INSERT INTO app.orders VALUES (3, 'gray')"));
    expect((await client.query('SELECT id FROM orders'))[0]).toEqual([]);
    const root = await there();
    expect((await root.query('SELECT id FROM app_gray.orders'))[0]).toEqual([{ id: 3 }]);
    root.destroy();
  });
});

/** A MySQL renames the table that is hidden. */
const ofMariadb = /^RENAME|OR REPLACE|IMMEDIATE/;
const create = 'CREATE TEMPORARY TABLE orders (id INT, name VARCHAR(200))';
const gray = "/*baggage='OpenSergo-Label%3Dgray'*/";

describe.each([
  ['base', [], gray],
  ['gray', ['gray'], ''],
])('on a workload of %s a temporary table hides a mapped one no more', (_, labels, comment) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage({ labels });
  });
  afterAll(() => stage?.close());

  test.each(
    [
      'DROP TABLE absent, orders',
      'DROP TEMPORARY TABLE absent, orders',
      'ALTER TABLE orders RENAME TO other',
      'ALTER TABLE orders ADD COLUMN more INT, RENAME other',
      'RENAME TABLE orders TO other',
      'CREATE OR REPLACE TEMPORARY TABLE orders (PRIMARY KEY (id)) SELECT 1 AS id UNION ALL SELECT 1',
      "EXECUTE IMMEDIATE 'DROP TEMPORARY TABLE absent, orders'",
      'DROP TABLE orders; SELECT * FROM absent',
    ].filter((text) => !isMysql || !ofMariadb.test(text)),
  )('after %s', async (gone) => {
    const client = await stage.connect({ multipleStatements: true });
    await client.query(create);
    await client.query(gone).catch(() => {});
    await stage.direct().then((root) => root.query('TRUNCATE app.orders_gray'));
    await client.query(`INSERT INTO orders VALUES (1, 'gray') ${comment}`).catch(({ message }) => {
      // It stands before the table yet, or the statement was refused under the label.
      expect(message).toMatch(/^lanekeeper: /);
    });
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([]);
  });

  test('but it does where another statement has failed', async () => {
    const client = await stage.connect();
    await client.query(create);
    await client.query('SELECT * FROM absent').catch(() => {});
    await client.query(`INSERT INTO orders VALUES (1, 'mine') ${comment}`);
    expect((await client.query({ sql: 'SELECT name FROM orders', rowsAsArray: true }))[0]).toEqual([['mine']]);
  });
});
