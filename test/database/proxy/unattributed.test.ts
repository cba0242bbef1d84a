import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Unattributed } from '../../../src/database/options.ts';
import type { Recollection } from '../../../src/propagation/recollection.ts';
import { type Server, startServer } from '../server.ts';
import { label, type Stage, type StageOptions, startStage, tables } from '../stage.ts';

let server: Server;
let stage: Stage | undefined;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.remove());

const gray = label('gray');
const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
const other = `00-${'a'.repeat(32)}-00f067aa0ba902b7-01`;

/** A base workload that serves requests, one of which is gray. */
async function open(writes: Unattributed, reads: Unattributed, more: StageOptions = {}) {
  await stage?.close();
  const recall = (ids: readonly string[]): Promise<Recollection> =>
    Promise.resolve(ids.some((id) => id === `w3c:${trace}`) ? { outcome: 'label', label: gray } : { outcome: 'none' });
  stage = await startStage({ server, isRemembering: () => true, recall, unattributed: { writes, reads }, ...more });
  return { stage, client: await stage.connect() };
}

beforeEach(() => stage?.close());
afterAll(() => stage?.close());

describe('a statement of a base workload, while requests with a label are served,', () => {
  test('has the label of its trace, text or prepared', async () => {
    const { stage, client } = await open('refuse', 'refuse');
    await client.query(`INSERT INTO orders VALUES (1, 'gray') /*traceparent='${traceparent}'*/`);
    await client.query(`INSERT INTO orders VALUES (2, 'base') /*traceparent='${other}'*/`);
    const insert = 'INSERT INTO orders VALUES (?, ?)';
    await client.execute({ sql: insert, values: [3, 'gray'], attributes: { traceparent } });
    await client.execute({ sql: insert, values: [4, 'base'], attributes: { traceparent: other } });
    await client.query(`SET @traceparent = '${traceparent}'`);
    await client.execute(insert, [5, 'gray']);
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([2, 4]);
    expect(await stage.column('SELECT id FROM app.orders_gray')).toEqual([1, 3, 5]);
  });

  test('is refused without a carrier where it writes to a mapped table, and only there', async () => {
    const { stage, client } = await open('refuse', 'base');
    const refused = /^lanekeeper: unattributed: found a write to a table with a shadow/;
    await expect(client.query("INSERT INTO orders VALUES (1, 'x')")).rejects.toThrow(refused);
    await expect(client.execute('INSERT INTO orders VALUES (?, ?)', [2, 'x'])).rejects.toThrow(refused);
    await expect(client.query('CALL anything()')).rejects.toThrow(
      /unattributed: found a statement of which cannot be told/,
    );
    await client.query("INSERT INTO items VALUES (1, 'x')");
    expect((await client.query('SELECT * FROM orders'))[0]).toEqual([]);
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([]);
    expect(await stage.column('SELECT id FROM app.items')).toEqual([1]);
    expect(stage.events.filter(({ what }) => what === 'unattributed')).toEqual([
      ...Array(3).fill({ what: 'unattributed', policy: 'refuse' }),
      { what: 'unattributed', policy: 'base' },
    ]);
  });

  test('goes to the only shadow where the policy says so', async () => {
    const { stage, client } = await open('shadow', 'shadow');
    await client.query("INSERT INTO orders VALUES (1, 'x')");
    await client.execute('INSERT INTO orders VALUES (?, ?)', [2, 'x']);
    expect((await client.query('SELECT id FROM orders'))[0]).toEqual([{ id: 1 }, { id: 2 }]);
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([]);
    expect(await stage.column('SELECT id FROM app.orders_gray')).toEqual([1, 2]);
  });

  test('goes to the base where the policy says so', async () => {
    const { stage, client } = await open('base', 'base');
    await client.query("INSERT INTO orders VALUES (1, 'x')");
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([1]);
    expect(stage.events).toContainEqual({ what: 'unattributed', policy: 'base' });
  });

  test('is refused with a carrier that holds no label', async () => {
    const { client } = await open('base', 'base');
    const sql = "INSERT INTO orders VALUES (1, 'x')";
    await expect(client.query({ sql, attributes: { baggage: 'OpenSergo-Label=no label' } })).rejects.toThrow(
      /^lanekeeper: carrier: found "OpenSergo-Label=no label" in the attribute, expected one label/,
    );
  });

  test('is refused where it is longer than is read, and the connection lives', async () => {
    const { stage, client } = await open('refuse', 'base', { maxStatementBytes: 1 << 16 });
    const long = `INSERT INTO orders VALUES (1, '${'x'.repeat(199)}') ${' '.repeat(1 << 20)}`;
    await expect(client.query(long)).rejects.toThrow(/^lanekeeper: too-long: /);
    await expect(client.query(`INSERT INTO items VALUES (1, 'x') ${' '.repeat(1 << 20)}`)).rejects.toThrow(/too-long/);
    expect((await client.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([]);
  });

  test('sees new rules with the next statement, prepared ones too', async () => {
    const { stage, client } = await open('refuse', 'base', { rules: '' });
    const insert = { sql: 'INSERT INTO orders VALUES (?, ?)', attributes: { traceparent } };
    await client.execute({ ...insert, values: [1, 'x'] });
    stage.setRules((await import('../stage.ts')).shadowTable);
    await client.execute({ ...insert, values: [2, 'x'] });
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([1]);
    expect(await stage.column('SELECT id FROM app.orders_gray')).toEqual([2]);
  });

  test('is refused where base and shadow have other columns', async () => {
    const { stage, client } = await open('refuse', 'base');
    const root = await stage.direct();
    await root.query('ALTER TABLE app.orders_gray ADD COLUMN more INT');
    const select = { sql: 'SELECT * FROM orders WHERE id = ?', values: [1] };
    await client.execute(select);
    await expect(client.execute({ ...select, attributes: { traceparent } })).rejects.toThrow(
      /^lanekeeper: drift: found 3 columns in the result of the shadow's table, expected 2/,
    );
    for (const each of tables) await root.query(each);
  });
});
