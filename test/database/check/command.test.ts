// `lanekeeper database check` as a person runs it, on a real server.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Finding } from '../../../src/database/check/finding.ts';
import { isMysql, type Server, startServer } from '../server.ts';
import { shadowTable } from '../stage.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-database-check-'));
const [rules, whole, other, password] = ['table.yaml', 'database.yaml', 'instance.yaml', 'password'].map((name) =>
  join(folder, name),
) as [string, string, string, string];
let server: Server;
let connection: Connection;

beforeAll(async () => {
  server = await startServer(['--event-scheduler=OFF']);
  connection = await createConnection({
    host: server.address,
    port: server.port,
    user: 'root',
    multipleStatements: true,
  });
  writeFileSync(rules, shadowTable);
  writeFileSync(
    whole,
    `{ apiVersion: traffic.opensergo.io/v1alpha1, kind: WorkloadLabelRule, metadata: { name: app },
  spec: { workloadLabels: [gray], selector: { db: app_gray } } }`,
  );
  writeFileSync(password, 'p\n');
});

afterAll(async () => {
  connection.destroy();
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
});

const orders = `CREATE TABLE app.orders (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(200) NOT NULL DEFAULT 'x', code CHAR(8),
  amount INT, twice INT AS (amount * 2) STORED, UNIQUE KEY by_code (code), KEY by_name (name))`;

beforeEach(async () => {
  await connection.query(`DROP DATABASE IF EXISTS app; DROP DATABASE IF EXISTS app_gray; CREATE DATABASE app CHARACTER SET latin1; ${orders};
    CREATE TABLE app.orders_gray LIKE app.orders; CREATE TABLE app.items (id INT PRIMARY KEY)`);
});

type Ended = { readonly code: number; readonly out: string; readonly err: string };

function command(args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['src/main.ts', 'database', ...args], { cwd: root }, (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
    );
  });
}

function check(config = rules, more: readonly string[] = []): Promise<Ended> {
  const at = `${server.address}:${server.port}`;
  return command(['check', '--server', at, '--user', 'root', '--config', config, ...more]);
}

async function findings(config = rules): Promise<Finding[]> {
  const { out } = await check(config, ['--format', 'json']);
  return (JSON.parse(out) as { findings: Finding[] }).findings;
}

/** What --create prints makes it clean. */
async function mend(config = rules): Promise<void> {
  const { out } = await check(config, ['--create']);
  await connection.query(out);
  expect((await check(config)).out).toBe('0 errors, 0 warnings\n');
}

const drifts: readonly (readonly [string, string, Partial<Finding>])[] = [
  ['a missing shadow table', 'DROP TABLE app.orders_gray', { kind: 'shadow-table', severity: 'error' }],
  ['a missing column', 'ALTER TABLE app.orders_gray DROP code', { found: 'no column code', severity: 'error' }],
  ['another column', 'ALTER TABLE app.orders_gray ADD more INT', { found: 'the column more', severity: 'error' }],
  [
    'another order',
    'ALTER TABLE app.orders_gray MODIFY amount INT FIRST',
    { found: 'the column amount at another position' },
  ],
  [
    'another type',
    'ALTER TABLE app.orders_gray MODIFY amount BIGINT',
    { found: 'the type bigint of the column amount', expected: 'int' },
  ],
  [
    'another nullability',
    "ALTER TABLE app.orders_gray MODIFY name VARCHAR(200) DEFAULT 'x'",
    { found: 'the nullability NULL of the column name' },
  ],
  [
    'another default',
    "ALTER TABLE app.orders_gray MODIFY name VARCHAR(200) NOT NULL DEFAULT 'y'",
    { found: expect.stringMatching(/^the default '?y'? of the column name$/) },
  ],
  [
    'another charset',
    'ALTER TABLE app.orders_gray CONVERT TO CHARACTER SET utf8mb4',
    { found: 'the charset utf8mb4 of the column code' },
  ],
  [
    'no auto_increment',
    'ALTER TABLE app.orders_gray MODIFY id INT NOT NULL',
    { found: 'the property none of the column id', expected: 'auto_increment' },
  ],
  [
    'another expression',
    'ALTER TABLE app.orders_gray MODIFY twice INT AS (amount * 3) STORED',
    { found: expect.stringMatching(/^the expression \(?`amount` \* 3\)? of the column twice$/) },
  ],
  [
    'no primary key',
    'ALTER TABLE app.orders_gray MODIFY id INT NOT NULL, DROP PRIMARY KEY',
    { kind: 'primary-key', severity: 'error' },
  ],
  ['no unique key', 'ALTER TABLE app.orders_gray DROP KEY by_code', { kind: 'unique-key', severity: 'error' }],
  ['no index', 'ALTER TABLE app.orders_gray DROP KEY by_name', { kind: 'index', severity: 'warning' }],
  ['another index', 'ALTER TABLE app.orders_gray ADD KEY (amount)', { kind: 'index', expected: 'no such key' }],
  [
    'a constraint',
    'ALTER TABLE app.orders ADD CONSTRAINT positive CHECK (amount > 0)',
    { kind: 'constraint', severity: 'error' },
  ],
  [
    'partitions that base has not',
    'ALTER TABLE app.orders_gray DROP KEY by_code, DROP KEY by_name PARTITION BY HASH (id) PARTITIONS 3',
    { kind: 'partitions', severity: 'warning', expected: 'no partitions' },
  ],
  [
    'no partitions, of those that base has',
    `ALTER TABLE app.orders DROP KEY by_code; ALTER TABLE app.orders_gray DROP KEY by_code, ADD more INT;
     ALTER TABLE app.orders PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)`,
    { kind: 'partitions', severity: 'warning', found: 'no partitions' },
  ],
  ['another engine', 'ALTER TABLE app.orders_gray ENGINE=MyISAM', { kind: 'engine', severity: 'warning' }],
  [
    'a trigger of base that the shadow lacks',
    'CREATE TRIGGER app.t BEFORE INSERT ON app.orders FOR EACH ROW SET NEW.amount = 1',
    { kind: 'trigger', severity: 'warning' },
  ],
  [
    'a trigger of the shadow that writes to base',
    'CREATE TRIGGER app.t AFTER INSERT ON app.orders_gray FOR EACH ROW DELETE FROM orders',
    { kind: 'trigger', severity: 'error' },
  ],
  [
    'a trigger of the shadow that writes elsewhere',
    'CREATE TRIGGER app.t AFTER INSERT ON app.orders_gray FOR EACH ROW INSERT INTO items VALUES (1)',
    { kind: 'trigger', severity: 'error' },
  ],
  [
    'a foreign key of base that the shadow lacks',
    'ALTER TABLE app.orders ADD CONSTRAINT f FOREIGN KEY (amount) REFERENCES app.items (id)',
    {
      ...{ kind: 'foreign-key', severity: 'warning', found: 'no foreign key (`amount`) to app.items' },
      expected: 'one, as app.orders has',
    },
  ],
  [
    'a foreign key of base to itself that the shadow lacks',
    'ALTER TABLE app.orders ADD CONSTRAINT f FOREIGN KEY (amount) REFERENCES app.orders (id)',
    {
      ...{ kind: 'foreign-key', severity: 'warning', found: 'no foreign key (`amount`) to app.orders_gray' },
      expected: 'one, as app.orders has to app.orders: a key of a shadow must name the shadow',
    },
  ],
  [
    'a foreign key of the shadow that does another thing than that of base',
    `ALTER TABLE app.orders ADD FOREIGN KEY (amount) REFERENCES app.items (id);
     ALTER TABLE app.orders_gray ADD FOREIGN KEY (amount) REFERENCES app.orders (id)`,
    { kind: 'foreign-key', severity: 'warning', found: 'no foreign key (`amount`) to app.items' },
  ],
  [
    'a foreign key of the shadow to base',
    'ALTER TABLE app.orders_gray ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES app.orders (id)',
    { kind: 'foreign-key', severity: 'error' },
  ],
];

describe('lanekeeper database check', () => {
  test('finds nothing where the shadow is as the base', async () => {
    expect(await check()).toEqual({ code: 0, out: '0 errors, 0 warnings\n', err: '' });
  });

  test.each(drifts)('finds %s, and what --create prints mends it', async (_, sql, expected) => {
    await connection.query(sql);
    expect(await findings()).toContainEqual(expect.objectContaining(expected));
    await mend();
  });

  test('mends everything at once', async () => {
    await connection.query(`ALTER TABLE app.orders_gray MODIFY id INT NOT NULL, DROP PRIMARY KEY, DROP code, ADD more INT,
      MODIFY amount BIGINT FIRST, DROP KEY by_name, CHARACTER SET utf8mb4`);
    expect(new Set((await findings()).map(({ kind }) => kind))).toEqual(
      new Set(['column', 'primary-key', 'unique-key', 'index', 'collation']),
    );
    await mend();
  });

  test('finds a missing shadow database and its tables, in names of any language', async () => {
    await connection.query('CREATE TABLE app.`订单` (id INT PRIMARY KEY)');
    expect((await findings(whole)).map(({ kind, where }) => `${kind} ${where}`)).toContain(
      'shadow-table app_gray.订单',
    );
    await mend(whole);
  });

  test.each([
    ['a view over base', 'CREATE VIEW app.v AS SELECT id FROM app.orders', { kind: 'view', severity: 'error' }],
    [
      'a function that reads base',
      'CREATE FUNCTION app.f() RETURNS INT READS SQL DATA RETURN (SELECT MAX(id) FROM orders)',
      { kind: 'routine', severity: 'warning', where: 'app.f' },
    ],
    [
      'an event that names base',
      'CREATE EVENT app.e ON SCHEDULE EVERY 1 DAY DO DELETE FROM orders',
      { kind: 'event', severity: 'warning' },
    ],
    [
      'a foreign key of a table without shadow to base',
      'ALTER TABLE app.items ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES app.orders (id)',
      { kind: 'foreign-key', severity: 'warning', where: 'app.items' },
    ],
    ['no base table', 'DROP TABLE app.orders', { kind: 'base-table', severity: 'warning' }],
  ] as const)('finds %s', async (_, sql, expected) => {
    await connection.query(sql);
    expect(await findings()).toEqual([expect.objectContaining(expected)]);
    expect((await check()).code).toBe(expected.severity === 'error' ? 1 : 0);
  });

  test('makes shadows with the foreign keys of their bases, each to the shadow', async () => {
    await connection.query('ALTER TABLE app.items ADD FOREIGN KEY (id) REFERENCES app.orders (id) ON DELETE CASCADE');
    await mend(whole);
    await connection.query('INSERT INTO app_gray.orders (id) VALUES (1); INSERT INTO app_gray.items VALUES (1)');
    await expect(connection.query('INSERT INTO app_gray.items VALUES (2)')).rejects.toMatchObject({ errno: 1452 });
    await connection.query('DELETE FROM app_gray.orders');
    expect((await connection.query('SELECT * FROM app_gray.items'))[0]).toEqual([]);
  });

  test('is content with a view whose twin is there', async () => {
    await connection.query('CREATE VIEW app.v AS SELECT id FROM app.orders');
    await connection.query(`CREATE DATABASE app_gray; CREATE TABLE app_gray.orders LIKE app.orders; CREATE TABLE app_gray.items LIKE
      app.items; CREATE TABLE app_gray.orders_gray LIKE app.orders`);
    expect(await findings(whole)).toEqual([expect.objectContaining({ kind: 'view', expected: 'its twin app_gray.v' })]);
    await connection.query('CREATE VIEW app_gray.v AS SELECT id FROM app_gray.orders');
    expect(await findings(whole)).toEqual([]);
  });

  test('compares with a shadow on another server', async () => {
    const there = await startServer();
    try {
      const endpoint = (name: string, at: Server, database: string) => `---
{ apiVersion: database.opensergo.io/v1alpha1, kind: DatabaseEndpoint, metadata: { name: ${name} },
  spec: { database: { MySQL: { url: 'jdbc:mysql://${at.address}:${at.port}/${database}', username: root } } } }
`;
      const shadow = `---
{ apiVersion: database.opensergo.io/v1alpha1, kind: Shadow, metadata: { name: app },
  spec: { workloadLabels: [gray], dataSources: { app: { sourceDataSourceName: ds, shadowDataSourceName: gray } } } }
`;
      await connection.query('ALTER TABLE app.items ADD FOREIGN KEY (id) REFERENCES orders (id)');
      writeFileSync(other, endpoint('ds', server, 'app') + endpoint('gray', there, 'app_gray') + shadow);
      const { out } = await check(other, ['--create']);
      expect(out).toMatch(`-- on ${there.address}:${there.port}\nCREATE DATABASE \`app_gray\`;`);
      const remote = await createConnection({
        host: there.address,
        port: there.port,
        user: 'root',
        multipleStatements: true,
      });
      await remote.query(out);
      remote.destroy();
      expect((await check(other)).out).toBe('0 errors, 0 warnings\n');
    } finally {
      await there.remove();
    }
    const [gone] = await findings(other);
    expect(gone).toMatchObject({ kind: 'server', severity: 'error' });
  });

  test('says in text what was found, what was expected and how to mend it', async () => {
    await connection.query('ALTER TABLE app.orders_gray MODIFY amount BIGINT');
    expect(await check()).toMatchObject({
      code: 1,
      out: `error: column: app.orders_gray: found the type bigint of the column amount, expected int; mend: ALTER TABLE \`app\`.\`orders_gray\` MODIFY COLUMN \`amount\` ${isMysql ? 'int' : 'int(11)'} DEFAULT NULL;
1 errors, 0 warnings
`,
    });
  });

  test('looks at shadows of the label and namespace that are asked for', async () => {
    await connection.query('DROP TABLE app.orders_gray');
    for (const [more, code] of [
      [['--label', 'blue'], 0],
      [['--label', 'gray'], 1],
      [['--namespace', 'elsewhere'], 0],
      [['--namespace', 'default'], 1],
    ] as const)
      expect([more, (await check(rules, more)).code]).toEqual([more, code]);
  });

  test('says that it cannot connect', async () => {
    const { code, err } = await check(rules, ['--password-file', password]);
    expect([code, err]).toEqual([1, expect.stringContaining('Access denied')]);
  });

  test.each([
    [[], 'found nothing, expected check'],
    [['check', '--server', 'here'], '--server: found "here", expected HOST:PORT'],
    [['check', '--server', 'h:1'], '--user: found nothing'],
    [['check', '--server', 'h:1', '--user', 'u'], '--config: found nothing'],
    [['check', '--server', 'h:1', '--user', 'u', '--config', 'x', '--label', '-'], '--label: found "-"'],
    [['check', '--server', 'h:1', '--user', 'u', '--config', 'x', '--format', 'xml'], '--format: found "xml"'],
  ])('refuses %j', async (args, message) => {
    const { code, err } = await command(args);
    expect([code, err]).toEqual([64, expect.stringContaining(message)]);
  });
});
