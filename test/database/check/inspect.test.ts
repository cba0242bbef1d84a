// The check as a sidecar runs it, on a connection that it has.
import { createConnection } from 'mysql2/promise';
import { expect, test } from 'vitest';
import { inspectDatabase } from '../../../src/database/check/inspect.ts';
import { compileShadows } from '../../../src/shadow/compile.ts';
import { rulesOf } from '../../rules/fixture.ts';
import { startServer } from '../server.ts';

const twin = (name: string, selector: string) => `---
{ apiVersion: traffic.opensergo.io/v1alpha1, kind: WorkloadLabelRule, metadata: { name: ${name} },
  spec: { workloadLabels: [gray], selector: ${selector} } }
`;

test('a table that is mapped by itself is not looked for in the shadow of its database', async () => {
  expect(
    await inspected(twin('app', '{ db: app_gray }') + twin('orders', '{ db: app, table: orders_gray }'), [
      'CREATE DATABASE app',
      'CREATE DATABASE app_gray',
      'CREATE TABLE app.orders (id INT)',
      'CREATE TABLE app.orders_gray (id INT)',
    ]),
  ).toEqual([]);
});

test('names compare as the server compares them', async () => {
  const rules = twin('orders', '{ db: App, table: Orders_gray }');
  const tables = ['CREATE DATABASE app', 'CREATE TABLE app.orders (id INT)', 'CREATE TABLE app.orders_gray (id INT)'];
  expect(await inspected(rules, tables, ['--lower-case-table-names=1'])).toEqual([]);
  expect(await inspected(rules, tables)).toMatchObject([{ kind: 'base-table', found: 'no such table' }]);
});

test('who may not see what is looked for is told so, and not that all is right', async () => {
  const tables = ['CREATE DATABASE app', 'CREATE TABLE app.orders (id INT)', 'CREATE TABLE app.orders_gray (id INT)'];
  const rules = twin('orders', '{ db: app, table: orders_gray }');
  const missing = async (...grants: string[]) =>
    (await inspected(rules, [...tables, "CREATE USER 'me'", ...grants], [], 'me')).map(
      ({ severity, where, found }) => `${severity} ${where} ${found}`,
    );
  const routines = 'warning routines a user without SELECT of mysql.proc';
  expect(await missing("GRANT SELECT ON app.* TO 'me'")).toEqual([
    'error app a user without TRIGGER',
    'error app a user without SHOW VIEW',
    routines,
  ]);
  expect(await missing("GRANT SELECT, TRIGGER, SHOW VIEW ON `a_p%`.* TO 'me'")).toEqual([routines]);
  expect(await missing("GRANT SELECT, TRIGGER, SHOW VIEW ON *.* TO 'me'")).toEqual([]);
});

async function inspected(rules: string, tables: readonly string[], flags: readonly string[] = [], user = 'root') {
  const server = await startServer(flags);
  const connection = await createConnection({ host: server.address, port: server.port, user: 'root' });
  try {
    for (const table of tables) await connection.query(table);
    const asker = await createConnection({ host: server.address, port: server.port, user });
    return await inspectDatabase(asker, compileShadows(rulesOf(rules))).finally(() => asker.destroy());
  } finally {
    connection.destroy();
    await server.remove();
  }
}
