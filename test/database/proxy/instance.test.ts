import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeCertificates } from '../certificates.ts';
import { isMysql, type Server, startServer } from '../server.ts';
import { numbers, ownServerRules, type Stage, startStage } from '../stage.ts';

let base: Server;
let other: Server;
let stage: Stage;

/** Rows of app are on another server for gray. */
const rules = () => ownServerRules(base, other);

const open = async (labels: readonly string[]) => {
  stage = await startStage({ server: base, labels, rules: rules() });
  const root = await createConnection({ host: other.address, port: other.port, user: 'root' });
  for (const each of [
    'DROP DATABASE IF EXISTS app_gray',
    'CREATE DATABASE app_gray',
    'CREATE TABLE app_gray.orders (id INT PRIMARY KEY, name VARCHAR(200))',
    'CREATE TABLE app_gray.other (id INT)',
  ])
    await root.query(each);
  root.destroy();
};

/** Of the server of the label. */
const there = async (sql: string) => {
  const root = await createConnection({ host: other.address, port: other.port, user: 'root' });
  const [rows] = await root.query({ sql, rowsAsArray: true });
  root.destroy();
  return (rows as unknown[][]).map(([first]) => first);
};

beforeAll(async () => {
  [base, other] = await Promise.all([startServer(['--local-infile=1']), startServer(['--local-infile=1'])]);
});
afterAll(() => Promise.all([base.remove(), other.remove()]));

describe('a label with a server of its own', () => {
  beforeEach(() => open(['gray']));
  afterAll(() => stage.close());

  test('has its rows there, text and prepared, in transactions too', async () => {
    const client = await stage.connect();
    await client.query("INSERT INTO orders VALUES (1, 'text')");
    const insert = 'INSERT INTO app.orders VALUES (?, ?)';
    for (const id of [2, 3]) await client.execute(insert, [id, 'prepared']);
    await client.beginTransaction();
    await client.execute(insert, [4, 'undone']);
    await client.rollback();
    expect((await client.execute('SELECT id FROM orders WHERE id > ?', [1]))[0]).toEqual([{ id: 2 }, { id: 3 }]);
    expect((await client.query('SELECT DATABASE() AS name'))[0]).toEqual([{ name: 'app_gray' }]);
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([1, 2, 3]);
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([]);
    expect(stage.events).toContainEqual({ what: 'statement', did: 'shadow', by: 'workload' });
    await client.end();
  });

  test('has its settings there as well', async () => {
    const client = await stage.connect();
    await client.query("SET sql_mode = 'ANSI_QUOTES', @name = 'carried'");
    await client.query('INSERT INTO "orders" SELECT 1, @name');
    await client.query("SET NAMES latin1, @name = 'again'");
    await client.query('INSERT INTO "orders" SELECT 2, @name');
    expect(await there('SELECT name FROM app_gray.orders')).toEqual(['carried', 'again']);
    await expect(client.query('SET @name = (SELECT COUNT(*) FROM "orders")')).rejects.toThrow(/^lanekeeper: state: /);
  });

  test('may set as often as it likes, but not more than can be carried', async () => {
    const client = await stage.connect();
    for (let at = 0; at < 300; at += 1) await client.query(`SET autocommit = ${at % 2}, @name = '${at}'`);
    await client.query('SET @nothing = 1, @name = NULL, @nothing = NULL');
    await client.query("INSERT INTO orders SELECT 1, COALESCE(@name, @nothing, 'none')");
    expect(await there('SELECT name FROM app_gray.orders')).toEqual(['none']);
    await client.query(`SET @name = '${'x'.repeat(1 << 16)}'`);
    await expect(client.query('SELECT id FROM orders')).rejects.toThrow(
      /^lanekeeper: instance: .*found more than 256 settings of this session to carry there, or 65536 bytes/,
    );
    await client.changeUser({ user: 'root', database: 'app' });
    expect((await client.query('SELECT id FROM orders'))[0]).toEqual([{ id: 1 }]);
  });

  test('ends its transaction by a setting: what is acknowledged is there, though the client leaves', async () => {
    const client = await stage.connect();
    await client.query('SET autocommit = 0');
    await client.query("INSERT INTO orders VALUES (1, 'text')");
    await client.query('SET autocommit = 1');
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([1]);
    await client.execute('SET autocommit = 0');
    await client.execute('INSERT INTO orders VALUES (?, ?)', [2, 'prepared']);
    await client.prepare('SET autocommit = 1');
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([1]);
    await client.execute('SET autocommit = 1');
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([1, 2]);
    await client.query('BEGIN');
    await client.query("INSERT INTO orders VALUES (3, 'undone')");
    await expect(client.query('SET TRANSACTION READ ONLY')).rejects.toThrow(/^lanekeeper: instance: .*TRANSACTION/);
    await client.query('ROLLBACK');
  });

  test('ends transactions on the server that has them, whatever the default database is', async () => {
    const root = await stage.direct();
    await root.query('CREATE DATABASE IF NOT EXISTS aside');
    await root.query('CREATE TABLE IF NOT EXISTS aside.kept (id INT)');
    const client = await stage.connect({ database: '' });
    await client.query('SET autocommit = 0');
    for (const [id, end] of [
      [1, 'COMMIT'],
      [2, 'ROLLBACK'],
    ] as const) {
      await client.query(`INSERT INTO app.orders VALUES (${id}, 'x')`);
      await client.query('SAVEPOINT here');
      await client.query(`INSERT INTO app.orders VALUES (${id + 10}, 'x')`);
      await client.query('ROLLBACK TO here');
      await client.query(end);
    }
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([1]);
    await client.query('USE app');
    await client.query('SELECT COUNT(*) FROM aside.kept');
    await client.execute('COMMIT');
    await client.query("INSERT INTO orders VALUES (2, 'x')");
    await client.execute('COMMIT');
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([1, 2]);
  });

  test('gives up a transaction with the session in which it was, and the client goes on', async () => {
    const client = await stage.connect();
    await client.query('BEGIN');
    await client.query("INSERT INTO orders VALUES (1, 'undone')");
    await client.changeUser({ user: 'root', database: 'app' });
    expect((await client.query('SELECT COUNT(*) AS count FROM orders'))[0]).toEqual([{ count: 0 }]);
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([]);
  });

  test.each(['KILL ', 'KILL QUERY ', '/* ours */ kill connection '])(
    'never ends a stranger there: %s',
    async (kill) => {
      const client = await stage.connect();
      await client.query('SELECT id FROM orders');
      const stranger = await createConnection({ host: other.address, port: other.port, user: 'root' });
      await expect(client.query(kill + stranger.threadId)).rejects.toThrow(/^lanekeeper: state: found KILL/);
      await expect(client.execute(kill + stranger.threadId)).rejects.toThrow(/^lanekeeper: state: found KILL/);
      await stranger.query('SELECT 1');
      stranger.destroy();
    },
  );

  test('refuses what would be on two servers', async () => {
    const client = await stage.connect();
    await expect(client.query('SELECT * FROM orders, mysql.user')).rejects.toThrow(/^lanekeeper: two-servers: /);
    await client.query('BEGIN');
    await client.query("INSERT INTO orders VALUES (1, 'x')");
    await expect(client.query('SELECT COUNT(*) FROM mysql.user')).rejects.toThrow(/^lanekeeper: transaction: /);
    await client.query('COMMIT');
    await client.query('SELECT COUNT(*) FROM mysql.user');
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([1]);
  });

  test('loads files there, and big results come from there', async () => {
    const client = await stage.connect({ infileStreamFactory: () => Readable.from([Buffer.from('1\tone\n2\ttwo\n')]) });
    await client.query("LOAD DATA LOCAL INFILE 'x' INTO TABLE orders");
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([1, 2]);
    const [rows] = await client.query(`SELECT REPEAT('x', 10000) AS body FROM orders, ${numbers(2_000)}`);
    expect((rows as unknown[]).length).toBe(4000);
  });
});

describe('a base workload', () => {
  beforeEach(() => open([]));
  afterAll(() => stage.close());

  test('changes servers with the label of each execution', async () => {
    const client = await stage.connect();
    const attributes = { baggage: 'OpenSergo-Label=gray' };
    const insert = 'INSERT INTO orders VALUES (?, ?)';
    for (const id of [1, 2, 3, 4])
      await client.execute({ sql: insert, values: [id, 'x'], ...(id % 2 === 0 ? { attributes } : {}) });
    await client.query("INSERT INTO orders VALUES (5, 'x') /*baggage='OpenSergo-Label%3Dgray'*/");
    await client.query("INSERT INTO orders VALUES (6, 'x')");
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([1, 3, 6]);
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([2, 4, 5]);
  });

  test('ends the transaction of a label without naming it, also where the label was put down', async () => {
    const client = await stage.connect();
    const insert = (id: number) =>
      client.query(`INSERT INTO orders VALUES (${id}, 'x') /*baggage='OpenSergo-Label%3Dgray'*/`);
    await client.query('SET autocommit = 0');
    await insert(1);
    await client.query('SET autocommit = 1');
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([1]);
    await client.query('SET autocommit = 0');
    await insert(2);
    await client.ping();
    await expect(client.query('SELECT id FROM orders')).rejects.toThrow(/^lanekeeper: transaction: /);
    await client.query('COMMIT');
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([1, 2]);
  });

  const ofAccounts = isMysql
    ? [
        ["SET PASSWORD = 'new'", ''],
        ["SET PASSWORD FOR CURRENT_USER() = 'new'", ''],
        ['SET DEFAULT ROLE NONE TO root@localhost', ''],
      ]
    : [
        ["SET PASSWORD = PASSWORD('new')", ''],
        ["SET PASSWORD FOR 'root'@'localhost' = PASSWORD('new')", ''],
        ["SET @name = 'carried', PASSWORD = PASSWORD('new')", 'carried'],
        ['SET DEFAULT ROLE NONE', ''],
      ];
  const noPasswords = isMysql
    ? "SET PASSWORD = ''"
    : "SET PASSWORD = PASSWORD(''), PASSWORD FOR 'root'@'localhost' = PASSWORD('')";

  test.each([
    ...ofAccounts,
    ['SET GLOBAL max_connections = 77', ''],
    ["SET @name = 'carried', GLOBAL max_connections = 77", 'carried'],
  ])("%s is said to base's server alone", async (sql, name) => {
    const client = await stage.connect();
    const root = await stage.direct();
    await client.query(sql);
    await root.query(noPasswords);
    const insert = "INSERT INTO orders SELECT 1, COALESCE(@name, '') /*baggage='OpenSergo-Label%3Dgray'*/";
    await client.query(insert);
    expect(await there('SELECT name FROM app_gray.orders')).toEqual([name]);
    expect(await there('SELECT @@global.max_connections')).not.toEqual([77]);
  });

  test('has no label where it has set what another server would take otherwise', async () => {
    const client = await stage.connect();
    await client.query('SET wait_timeout = (SELECT 1000)');
    await expect(
      client.query("INSERT INTO orders VALUES (1, 'x') /*baggage='OpenSergo-Label%3Dgray'*/"),
    ).rejects.toThrow(/^lanekeeper: instance: .*found SET wait_timeout = \(SELECT 1000\) before, expected literals/);
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([]);
  });

  test('cannot change the label in a transaction, which stays as it was', async () => {
    const client = await stage.connect();
    await client.query('BEGIN');
    await client.query("INSERT INTO orders VALUES (1, 'x')");
    await expect(
      client.query("INSERT INTO orders VALUES (2, 'x') /*baggage='OpenSergo-Label%3Dgray'*/"),
    ).rejects.toThrow(/^lanekeeper: transaction: /);
    await client.query('COMMIT');
    expect(await stage.column('SELECT id FROM app.orders')).toEqual([1]);
    expect(await there('SELECT id FROM app_gray.orders')).toEqual([]);
  });
});

test('a server of a label that is not there refuses its statements, and nothing else', async () => {
  await open(['gray']);
  const away = { ...other, port: 1 };
  stage.setRules(rules().replace(`:${other.port}/app_gray`, `:${away.port}/app_gray`));
  const client = await stage.connect();
  await expect(client.query("INSERT INTO orders VALUES (1, 'x')")).rejects.toThrow(
    /^lanekeeper: instance: the label's server default\/gray-ds cannot be used: connect ECONNREFUSED/,
  );
  expect((await client.query('SELECT COUNT(*) > 0 AS some FROM mysql.user'))[0]).toEqual([{ some: 1 }]);
  await stage.close();
});

test('a client that has left before the password is read runs nothing on the server of its label', async () => {
  await open(['gray']);
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-'));
  const file = join(folder, 'password');
  execFileSync('mkfifo', [file]);
  stage.setRules(rules().replace(`/app_gray', username: root`, `/app_gray', username: root, passwordFile: ${file}`));
  const leaver = await stage.connect();
  leaver.query("INSERT INTO orders VALUES (1, 'never')").catch(() => {});
  const client = await stage.connect();
  await client.query('SELECT COUNT(*) FROM mysql.user');
  leaver.destroy();
  await expect.poll(() => stage.proxy.connections).toBe(1);
  await writeFile(file, '');
  rmSync(file);
  await writeFile(file, '');
  await client.query("INSERT INTO orders VALUES (2, 'x')");
  expect(await there('SELECT id FROM app_gray.orders')).toEqual([2]);
  await stage.close();
  rmSync(folder, { recursive: true });
});

test('a server of a label that is spoken to in secret alone has its rows, where TLS is terminated', async () => {
  const { path, text, remove } = makeCertificates(['server', 'proxy']);
  const secret = await startServer([
    ...[`--ssl-cert=${path('server.crt')}`, `--ssl-key=${path('server.key')}`],
    '--require-secure-transport=ON',
  ]);
  const root = await createConnection({
    ...{ host: secret.address, port: secret.port, user: 'root', ssl: { rejectUnauthorized: false } },
  });
  for (const sql of ['CREATE DATABASE app_gray', 'CREATE TABLE app_gray.orders (id INT, name LONGTEXT)'])
    await root.query(sql);
  const certificate = { certificate: text('proxy.crt'), key: text('proxy.key') };
  const inSecret = await startStage({
    ...{
      server: base,
      labels: ['gray'],
      rules: rules().replace(`:${other.port}/app_gray`, `:${secret.port}/app_gray`),
    },
    tls: { mode: 'terminate', ...certificate, authority: text('server.crt') },
  });
  const client = await inSecret.connect();
  await client.execute('INSERT INTO orders VALUES (?, ?)', [1, 'x'.repeat(1 << 20)]);
  expect((await client.query('SELECT LENGTH(name) AS length FROM orders'))[0]).toEqual([{ length: 1 << 20 }]);
  expect((await root.query('SELECT id FROM app_gray.orders'))[0]).toEqual([{ id: 1 }]);
  root.destroy();
  await inSecret.close();
  await secret.remove();
  remove();
});
