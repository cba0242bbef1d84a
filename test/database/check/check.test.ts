// lanekeeper database check, as a person runs it, on a real MariaDB.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Finding } from '../../../src/database/check/inspect.ts';
import { twin } from '../../shadow/given.ts';
import { type Server, startServer } from '../server.ts';

const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const base = `(id int NOT NULL AUTO_INCREMENT, name varchar(20) DEFAULT 'x', price decimal(8,2), at datetime,
  twice decimal(9,2) AS (price * 2) STORED, PRIMARY KEY (id), UNIQUE KEY by_name (name), KEY by_at (at)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`;

describe('lanekeeper database check', () => {
  let server: Server;
  let root: Connection;
  let folder: string;
  beforeAll(async () => {
    server = await startServer();
    root = await createConnection({ host: '127.0.0.1', port: server.port, user: 'root', multipleStatements: true });
    folder = mkdtempSync(join(tmpdir(), 'lanekeeper-check-'));
    rules(twin('orders', { selector: { db: 'app', table: 'orders_gray' } }));
  });
  afterAll(async () => {
    await root?.end();
    await server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await root.query(`DROP DATABASE IF EXISTS app; DROP DATABASE IF EXISTS app_gray; CREATE DATABASE app;
      CREATE TABLE app.orders ${base}; CREATE TABLE app.orders_gray LIKE app.orders; CREATE TABLE app.items (id int)`);
  });

  function rules(...documents: object[]): void {
    writeFileSync(join(folder, 'rules.yaml'), documents.map((each) => JSON.stringify(each)).join('\n---\n'));
  }

  function run(...more: string[]): Promise<{ code: number; out: string; err: string }> {
    const argv = ['database', 'check', '--config', folder, '--server', `127.0.0.1:${server.port}`, '--user', 'root'];
    return new Promise((resolve) =>
      execFile(process.execPath, [main, ...argv, ...more], (error, out, err) =>
        resolve({ code: error ? Number(error.code) : 0, out, err }),
      ),
    );
  }
  const found = async () => (JSON.parse((await run('--format', 'json')).out) as { findings: Finding[] }).findings;

  test('finds nothing where the shadow is as its base, whatever it counts on from and says of itself', async () => {
    await root.query("ALTER TABLE app.orders_gray AUTO_INCREMENT=77, COMMENT='it''s gray'");
    expect(await run()).toEqual({ code: 0, out: '1 rule: 0 wrong, 0 warnings\n', err: '' });
  });

  test.each<[string, string, string[]]>([
    ['a shadow that is missing', 'DROP TABLE app.orders_gray', ['error missing found no such table']],
    [
      'a column that is missing',
      'ALTER TABLE app.orders_gray DROP COLUMN at',
      ['error drift found no column at', 'warning drift found no KEY `by_at`'],
    ],
    ['a column too many', 'ALTER TABLE app.orders_gray ADD COLUMN more int', ['error drift found the column more']],
    [
      'another type',
      'ALTER TABLE app.orders_gray MODIFY at timestamp NULL',
      ['error drift found the column at timestamp'],
    ],
    [
      'another default',
      "ALTER TABLE app.orders_gray MODIFY name varchar(20) DEFAULT 'y'",
      ['error drift found the column name'],
    ],
    [
      'another nullability',
      'ALTER TABLE app.orders_gray MODIFY at datetime NOT NULL',
      ['error drift found the column at'],
    ],
    [
      'another charset',
      'ALTER TABLE app.orders_gray MODIFY name varchar(20) CHARACTER SET latin1',
      ['error drift found the column name'],
    ],
    ['another counter', 'ALTER TABLE app.orders_gray MODIFY id int NOT NULL', ['error drift found the column id']],
    [
      'another formula',
      'ALTER TABLE app.orders_gray MODIFY twice decimal(9,2) AS (price * 3) STORED',
      ['error drift found the column twice'],
    ],
    [
      'another order',
      'ALTER TABLE app.orders_gray MODIFY at datetime FIRST',
      ['error drift found the columns in the order at, id'],
    ],
    [
      'a unique key that is missing',
      'ALTER TABLE app.orders_gray DROP KEY by_name',
      ['error drift found no UNIQUE KEY'],
    ],
    [
      'a unique key too many',
      'ALTER TABLE app.orders_gray ADD UNIQUE KEY more (at)',
      ['error drift found UNIQUE KEY `more`'],
    ],
    [
      'another key',
      'ALTER TABLE app.orders_gray DROP KEY by_at, ADD KEY by_at (at, id)',
      ['warning drift found KEY `by_at`'],
    ],
    [
      'another primary key',
      'ALTER TABLE app.orders_gray DROP PRIMARY KEY, ADD PRIMARY KEY (id, name)',
      ['error drift found PRIMARY KEY', 'error drift found the column name'],
    ],
    ['another engine', 'ALTER TABLE app.orders_gray ENGINE=MyISAM', ['warning drift found ENGINE=MyISAM']],
  ])('finds %s, and says what mends it', async (_, sql, expected) => {
    await root.query(sql);
    const findings = (await found()).map(({ severity, kind, message }) => `${severity} ${kind} ${message}`);
    expect(findings.length).toBe(expected.length);
    for (const each of expected)
      expect(
        findings.some((finding) => finding.startsWith(each)),
        each,
      ).toBe(true);
    await root.query((await run('--create')).out);
    expect(await found()).toEqual([]);
  });

  test('finds what reaches a base table behind the text', async () => {
    await root.query(`CREATE VIEW app.v AS SELECT id FROM app.orders;
      CREATE TRIGGER app.t AFTER INSERT ON app.items FOR EACH ROW UPDATE app.orders SET name = 'x' WHERE id = NEW.id;
      CREATE TRIGGER app.own BEFORE INSERT ON app.orders FOR EACH ROW SET NEW.name = 'y';
      CREATE TABLE app.parts (oid int, FOREIGN KEY fk (oid) REFERENCES app.orders (id));
      CREATE FUNCTION app.f() RETURNS int RETURN (SELECT COUNT(*) FROM app.orders);
      CREATE EVENT app.e ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM app.orders`);
    expect((await found()).map(({ severity, kind, subject }) => `${severity} ${kind} ${subject}`)).toEqual([
      'error view app.v',
      'error trigger app.t',
      'warning trigger app.own',
      'warning foreign key app.parts (fk)',
      'warning routine app.f',
      'warning routine app.e',
    ]);
    expect(await run()).toMatchObject({
      code: 1,
      out: expect.stringContaining('error: view: app.v: found a view of app.orders'),
    });
  });

  test('compares every table of a database with that of its shadow', async () => {
    rules(twin('app', { selector: { db: 'app_gray' } }));
    expect((await found()).map(({ kind, subject }) => `${kind} ${subject}`)).toEqual([
      'missing app_gray.items',
      'missing app_gray.orders',
      'missing app_gray.orders_gray',
    ]);
    await root.query((await run('--create')).out);
    expect(await run()).toMatchObject({ code: 0 });
    rules(twin('orders', { selector: { db: 'app', table: 'orders_gray' } }));
  });

  test('says what it cannot ask, and wrong usage', async () => {
    expect(await run('--user', 'nobody')).toMatchObject({
      code: 1,
      err: expect.stringContaining("Access denied for user 'nobody'"),
    });
    expect(await run('--format', 'x')).toMatchObject({
      code: 64,
      err: expect.stringContaining('--format: found "x", expected text or json'),
    });
    expect(await run('--server', ':')).toMatchObject({ code: 64, err: expect.stringContaining('--server: found ":"') });
    expect(await run('--label', 'blue')).toMatchObject({
      code: 1,
      err: expect.stringContaining('found no rule about a database'),
    });
  });
});
