import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-sql-explain-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function explain(args: readonly string[], input = '') {
  const all = ['src/main.ts', 'sql', 'explain', ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { cwd: root, encoding: 'utf8', input });
  return { status, lines: stdout.trimEnd().split('\n'), stdout, stderr };
}

const map = ['--map', 'app.orders=app.orders_gray', '--database', 'app'];

test('explain says which tables are found and where, what each becomes, and the text that the server gets', () => {
  expect(explain([...map, 'INSERT INTO orders SELECT * FROM items'])).toMatchObject({
    status: 0,
    lines: [
      'statement   INSERT (write)',
      'tables      app.orders at byte 12, written: app.orders_gray',
      '            app.items at byte 33, read: has no shadow',
      'verdict     rewritten',
      'text        INSERT INTO orders_gray SELECT * FROM items',
    ],
  });
});

test('explain says why a statement is refused, and how that is mended', () => {
  expect(explain([...map, 'SELECT 1; DELETE FROM items'])).toMatchObject({
    status: 1,
    lines: [
      'statement   SELECT (read)',
      'statement   DELETE (write)',
      'tables      app.items at byte 22, written: has no shadow',
      'verdict     refused, no-shadow: DELETE writes to app.items',
      'mend        The table has no shadow for this label; give it one in the rules.',
    ],
  });
});

test('explain reads from standard input, in letters of any language, and answers in JSON', () => {
  const { status, stdout } = explain(
    ['--map', 'app.订单=app.订单_gray', '--format', 'json', '-'],
    'SELECT 订单.id /* 灰 */ FROM app.订单',
  );
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    verdict: 'rewritten',
    text: 'SELECT 订单.id /* 灰 */ FROM app.`订单_gray` AS `订单`',
    statements: [
      {
        verb: 'SELECT',
        kind: 'read',
        tables: [{ database: 'app', table: '订单', byte: 32, written: false, shadow: 'app.订单_gray' }],
      },
    ],
    comments: [' 灰 '],
  });
});

test('the session may be one of other modes, charsets and servers', () => {
  const text = (...args: string[]) =>
    explain([...map, ...args])
      .lines.find((line) => line.startsWith('text '))
      ?.slice(12);
  expect(text('--sql-mode', 'ANSI_QUOTES', 'SELECT * FROM "orders"')).toBe('SELECT * FROM "orders_gray" AS "orders"');
  expect(text('--sql-mode', 'NO_BACKSLASH_ESCAPES', "SELECT '\\' FROM orders -- '")).toBe(
    "SELECT '\\' FROM orders_gray AS orders -- '",
  );
  expect(text('--server', 'mysql-8.0', 'SELECT * FROM /*!80000 orders */')).toBe(
    'SELECT * FROM /*!80000 orders_gray AS orders */',
  );
  expect(text('SELECT * FROM items /*!80000 , orders */')).toBeUndefined();
  expect(text('--definitions', 'shadow', 'DROP TABLE orders')).toBe('DROP TABLE orders_gray');
  expect(explain([...map, '--charset', 'latin1', 'SELECT\u00a01']).stdout).toContain('a byte that may be white space');
});

const rules = `apiVersion: traffic.opensergo.io/v1alpha1
kind: WorkloadLabelRule
metadata: { name: lanes }
spec:
  workloadLabels: [gray]
  selector: { db: mse-demo, table: mse_demo_table_gray }
`;

test('rules say what stands for a table under which label', () => {
  const file = join(folder, 'rules.yaml');
  writeFileSync(file, rules);
  const under = (label: string, ...more: string[]) =>
    explain(['--config', file, '--label', label, '--database', 'mse-demo', ...more]);
  expect(under('gray', 'INSERT INTO mse_demo_table VALUES (1)')).toMatchObject({
    status: 0,
    lines: expect.arrayContaining(['text        INSERT INTO mse_demo_table_gray VALUES (1)']),
  });
  expect(under('blue', 'INSERT INTO mse_demo_table VALUES (1)')).toMatchObject({
    status: 1,
    lines: expect.arrayContaining(['verdict     refused, no-shadow: INSERT writes to mse-demo.mse_demo_table']),
  });
  expect(under('gray', '--ignore-case', 'SELECT * FROM MSE_demo_TABLE').stdout).toContain(
    'FROM mse_demo_table_gray AS MSE_demo_TABLE',
  );
  expect(under('gray', 'SELECT * FROM MSE_demo_TABLE').stdout).toContain('passes');
});

test('rules that cannot be read are told, and exit with 1', () => {
  writeFileSync(join(folder, 'wrong.yaml'), rules.replace('workloadLabels', 'workloadLabel'));
  const { status, stderr } = explain(['--config', join(folder, 'wrong.yaml'), '--label', 'gray', 'SELECT 1']);
  expect(status).toBe(1);
  expect(stderr).toContain('wrong.yaml');
});

test.each([
  [['SELECT 1'], 'expected either --map TABLE=SHADOW or --config PATH with --label LABEL'],
  [[...map, 'SELECT 1', 'SELECT 2'], 'found 2 statements, expected one'],
  [map, 'found 0 statements, expected one'],
  [['--map', 'orders=x', 'SELECT 1'], '--map: found "orders=x", expected DATABASE.TABLE=DATABASE.TABLE'],
  [['--config', 'x', 'SELECT 1'], '--label: found "", expected a label whose shadows count'],
  [
    [...map, '--server', 'oracle-8', 'SELECT 1'],
    '--server: found "oracle-8", expected mariadb-10.11, mysql-8.0.36 or the like',
  ],
  [[...map, '--definitions', 'x', 'SELECT 1'], '--definitions: found "x", expected one of refuse, shadow'],
  [[...map, '--format', 'x', 'SELECT 1'], '--format: found "x", expected one of text, json'],
  [[...map, '--foo', 'SELECT 1'], "Unknown option '--foo'"],
])('wrong usage %j exits with 64', (args, message) => {
  const { status, stderr } = explain(args);
  expect(status).toBe(64);
  expect(stderr).toContain(message);
});

test('a command of sql that is none exits with 64', () => {
  const { status, stderr } = spawnSync(process.execPath, ['src/main.ts', 'sql', 'foo'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(status).toBe(64);
  expect(stderr).toContain('lanekeeper sql: found foo, expected explain');
});
