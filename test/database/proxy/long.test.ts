// What is longer than is read whole: of base it passes as it comes, of a label it is refused.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Connection, ConnectionOptions } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Unattributed } from '../../../src/database/options.ts';
import { frame } from '../../../src/database/packets/frames.ts';
import type { Recollection } from '../../../src/propagation/recollection.ts';
import { type Server, startServer } from '../server.ts';
import { label, noRules, type Stage, type StageOptions, startStage, tables } from '../stage.ts';

let server: Server;
let stage: Stage;
let client: Connection;
beforeAll(async () => {
  server = await startServer(['--max-allowed-packet=64M']);
});
afterAll(() => server.remove());
afterEach(() => stage.close());

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
const other = `00-${'a'.repeat(32)}-00f067aa0ba902b7-01`;
const sql = tables.map((each) => each.replace('VARCHAR(200)', 'LONGTEXT'));
/** A server of MySQL knows query attributes, one of MariaDB does not: only without them the packets of both are alike. */
const bare: ConnectionOptions = { flags: ['-CLIENT_QUERY_ATTRIBUTES'] };

async function open(options: StageOptions = {}, how: ConnectionOptions = {}): Promise<void> {
  stage = await startStage({ server, sql, maxStatementBytes: 1 << 16, ...options });
  client = await stage.connect(how);
}

const recall = (ids: readonly string[]): Promise<Recollection> =>
  Promise.resolve(ids.includes(`w3c:${trace}`) ? { outcome: 'label', label: label('gray') } : { outcome: 'none' });
const remembering = (writes: Unattributed): StageOptions => ({
  ...{ isRemembering: () => true, recall, unattributed: { writes, reads: 'base' } },
});

/** Of more than one packet, too. */
const sizes = [1 << 17, (1 << 24) + 99];
const insert = (size: number) => `INSERT INTO orders VALUES (?, ?)${' '.repeat(size)}`;
const tooLong = /^lanekeeper: too-long: /;
const ids = (table = 'orders') => stage.column(`SELECT id FROM app.${table} ORDER BY id`);

describe.each([
  ['without rules', noRules],
  ['with a shadow', undefined],
])('on a base workload %s', (_, rules) => {
  const options: StageOptions = rules === undefined ? {} : { rules };

  test.each(sizes)('a long statement of %d bytes is prepared, and executed again and again', async (size) => {
    await open(options);
    const statement = await client.prepare(insert(size));
    await statement.execute([1, 'one']);
    await client.query('SELECT 1');
    await statement.execute([2, null]);
    await expect(statement.execute([1, 'again'])).rejects.toMatchObject({ errno: 1062 });
    await statement.close();
    expect(await ids()).toEqual([1, 2]);
    expect(stage.events.filter(({ what }) => what === 'refusal')).toEqual([]);
  });

  test('what the server says of a long statement is what its client hears', async () => {
    await open(options);
    await expect(client.prepare(insert(1 << 17).replace('orders', 'absent'))).rejects.toMatchObject({ errno: 1146 });
    expect((await client.execute('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
  });

  test('a long text passes with query attributes, and behind variables that say no label', async () => {
    await open(options);
    await client.query("SET @mine = 'x'");
    const text = insert(1 << 17).replace('?, ?', "1, 'x'");
    await client.query({ sql: text, attributes: { traceparent: other, more: 'y'.repeat(200) } });
    await client.query(text.replace('1,', '2,'));
    expect(await ids()).toEqual([1, 2]);
  });

  test.each(sizes)('an execution with values of %d bytes passes', async (size) => {
    await open(options, bare);
    const statement = await client.prepare('INSERT INTO orders VALUES (?, ?)');
    await statement.execute([1, 'short']);
    for (const id of [2, 3]) await statement.execute([id, Buffer.alloc(size, 'z')]);
    await statement.execute([4, 'short']);
    expect(await ids()).toEqual([1, 2, 3, 4]);
    expect(await stage.column('SELECT LENGTH(name) FROM app.orders ORDER BY id')).toEqual([5, size, size, 5]);
  });
});

/** A value that is sent before its execution: that has no reply, so that one too many would be taken for the next. */
async function executeLong(size: number): Promise<Buffer> {
  const statement = await client.prepare('INSERT INTO orders VALUES (1, ?)');
  const { id } = (statement as unknown as { statement: { id: number } }).statement;
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.removeAllListeners('data');
  const head = Buffer.from([0x18, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32LE(id, 1);
  // One parameter, not NULL; its type is told: a blob.
  const execution = Buffer.from([0x17, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0xfc, 0]);
  execution.writeUInt32LE(id, 1);
  stream.write(frame(Buffer.concat([head, Buffer.alloc(size, 'z')]), 0));
  stream.write(frame(execution, 0));
  const [answer] = await once(stream, 'data');
  return answer as Buffer;
}

describe.each([
  ['base', [], 'orders'],
  ['gray', ['gray'], 'orders_gray'],
] as const)('on a workload of %s', (_, labels, table) => {
  test.each(sizes)('a long value of %d bytes that is sent before its execution has no reply', async (size) => {
    await open({ labels }, bare);
    // An OK.
    expect((await executeLong(size)).subarray(3, 5)).toEqual(Buffer.from([1, 0]));
    expect(await stage.column(`SELECT LENGTH(name) FROM app.${table}`)).toEqual([size]);
  });
});

test('on a gray workload long statements are refused, and the connection lives', async () => {
  await open({ labels: ['gray'] }, bare);
  await expect(client.prepare(insert(1 << 17))).rejects.toThrow(tooLong);
  await expect(client.query(insert(1 << 17).replace('?, ?', "1, 'x'"))).rejects.toThrow(tooLong);
  const statement = await client.prepare('INSERT INTO orders VALUES (?, ?)');
  await expect(statement.execute([1, Buffer.alloc(1 << 17)])).rejects.toThrow(tooLong);
  await statement.execute([2, 'x']);
  expect([await ids(), await ids('orders_gray')]).toEqual([[], [2]]);
});

describe('on a base workload that remembers labels, a long prepared statement', () => {
  test('is refused where a write without a carrier is, and passes with one that says base', async () => {
    await open(remembering('refuse'));
    const text = insert(1 << 17);
    await expect(client.execute(text, [1, 'x'])).rejects.toThrow(tooLong);
    await expect(client.execute({ sql: text, values: [2, 'x'], attributes: { traceparent } })).rejects.toThrow(tooLong);
    await client.execute({ sql: text, values: [3, 'x'], attributes: { traceparent: other } });
    await client.query(`SET @traceparent = '${traceparent}'`);
    await expect(client.execute(text, [4, 'x'])).rejects.toThrow(tooLong);
    expect([await ids(), await ids('orders_gray')]).toEqual([[3], []]);
  });

  test('is of base where the policy says so, and never where it says a label', async () => {
    await open(remembering('base'));
    const text = insert(1 << 17);
    await client.execute(text, [1, 'x']);
    await expect(client.execute({ sql: text, values: [2, 'x'], attributes: { traceparent } })).rejects.toThrow(tooLong);
    await expect(client.query({ sql: text.replace('?, ?', "3, 'x'"), attributes: { traceparent } })).rejects.toThrow(
      tooLong,
    );
    expect([await ids(), await ids('orders_gray')]).toEqual([[1], []]);
  });

  test('executed with long values is of base or refused, as its text says', async () => {
    await open(remembering('refuse'), bare);
    const values = [1, Buffer.alloc(1 << 17, 'z')];
    await expect(client.execute('INSERT INTO orders VALUES (?, ?)', values)).rejects.toThrow(
      /^lanekeeper: unattributed: /,
    );
    await client.execute('INSERT INTO items VALUES (?, ?)', values);
    expect([await ids(), await ids('items')]).toEqual([[], [1]]);
  });
});
