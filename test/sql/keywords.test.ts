// Every word that the server calls a keyword, where a name may be: none of them may hide a table from us.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { analyse } from '../../src/sql/analyse.ts';
import { divert } from '../../src/sql/divert.ts';
import { shadowsOf } from './given.ts';
import { outcomeOf, type Server, shop, startServer } from './servers.ts';

let server: Server;
let keywords: readonly string[];

beforeAll(async () => {
  server = await startServer();
  await server.connection.query(shop('orders'));
  const { rows } = await outcomeOf(server, 'SELECT LOWER(word) FROM information_schema.keywords');
  keywords = (rows as string[][]).flatMap(([word = '']) => (/^[a-z_0-9]+$/.test(word) ? [word] : []));
});

afterAll(() => server?.close());

/** With a keyword for `%`. Each reads orders, if it is right at all. */
const besideOrders = [
  ...['SELECT o.id FROM items %, orders o', 'SELECT o.id FROM items AS % JOIN orders o', 'SELECT * FROM {% orders}'],
  ...['SELECT o.id FROM items % JOIN customers c ON %.id = c.id, orders o', 'SELECT * FROM items = %, orders'],
  ...['SELECT o.id FROM items `%` JOIN customers c ON %.id = c.id, orders o', 'SELECT 1, %.id FROM orders `%`'],
  ...['SELECT 1 FROM items `%` JOIN customers c ON % . id = c.id, orders', 'SELECT 1 % FROM orders'],
  ...['SELECT 1 FROM (SELECT 1 AS `%`) d JOIN items ON %, orders', 'SELECT % FROM (SELECT 1 AS `%`) d, orders'],
  ...[
    'WITH % AS (SELECT 1 a) SELECT 1 FROM % respect, orders',
    'WITH % AS (SELECT 1 a) SELECT COUNT(*) FROM %, orders',
  ],
  ...[
    'SELECT 1 FROM (SELECT 1) % JOIN orders',
    'SELECT id FROM items % UNION SELECT id FROM orders',
    'DO %(1), (TABLE orders)',
  ],
  ...['SELECT 1 FROM (SELECT 1 AS `%`) d WHERE % IN (SELECT id FROM orders)', 'SELECT * FROM {% (orders, items)}'],
  ...['SELECT id AS % FROM items HAVING % IN (SELECT id FROM orders)', 'SELECT id FROM items % NATURAL JOIN orders'],
  ...[
    'EXPLAIN % SELECT * FROM orders',
    'EXPLAIN FORMAT=JSON % SELECT * FROM orders',
    'EXPLAIN FOR % app SELECT 1 FROM orders',
  ],
  ...[
    'EXPLAIN FORMAT=JSON FOR % app SELECT * FROM orders',
    'SELECT 1 FROM items JOIN % (orders)',
    'SELECT %(1) FROM orders',
  ],
];

/** Each is of the table that is called by the keyword. */
const ofKeyword = [
  ...[
    'SELECT * FROM %',
    'SELECT * FROM % x',
    'SELECT * FROM items, %',
    'SELECT * FROM % respect',
    'SELECT 1 FROM app.%',
  ],
  ...[
    'SELECT MAX(id) FROM % respect, items',
    'SELECT * FROM {x %}',
    'SELECT * FROM (%, items)',
    'DESC % id',
    'EXPLAIN %',
  ],
  ...[
    'UPDATE % SET a = 1',
    'UPDATE %, items SET %.a = 1',
    'UPDATE IGNORE % x SET x.a = 1',
    'UPDATE items, % SET %.a = 1',
  ],
  ...['INSERT % VALUES (1)', 'INSERT IGNORE % SET a = 1', 'REPLACE % SELECT 1', 'INSERT INTO % (a) VALUES (1)'],
  ...[
    'DELETE FROM %',
    'DELETE % FROM % JOIN items',
    'DELETE IGNORE % FROM % JOIN items',
    'TRUNCATE %',
    'CHECK TABLE %',
  ],
  ...['LOCK TABLES % READ', 'HANDLER % OPEN', 'SHOW COLUMNS FROM %', 'DROP TABLE %', 'ALTER TABLE % ADD x INT'],
];

/** Errors of what was understood: no such table, column or target. */
const understood = new Set([1146, 1054, 1109, 1295]);

/** Statements that pass although the server reads them, with these keywords and this table mapped. */
async function overlooked(templates: readonly string[], mapped: (keyword: string) => string): Promise<string[]> {
  const found: string[] = [];
  for (const keyword of keywords) {
    const shadows = shadowsOf({ [`app.${mapped(keyword)}`]: 'app.shadow' });
    for (const template of templates) {
      const sql = template.replaceAll('%', keyword);
      const verdict = divert(sql, analyse(sql, server.mode), { database: 'app', shadows, definitions: 'shadow' });
      if (verdict.do !== 'pass') continue;
      const { error = 1295 } = await outcomeOf(server, `PREPARE s FROM '${sql}'`);
      if (understood.has(error)) found.push(sql);
    }
  }
  return found;
}

test('no keyword hides the table that it stands beside', async () => {
  expect(keywords.length).toBeGreaterThan(500);
  expect(await overlooked(besideOrders, () => 'orders')).toEqual([]);
}, 120_000);

test('no keyword is overlooked where it is the name of a table', async () => {
  const found = await overlooked(ofKeyword, (keyword) => keyword);
  // DUAL is no table, and SELECT and TABLE have a query behind them.
  expect(found.filter((sql) => !/ dual\b|^(DESC|EXPLAIN) (select|table|values)/.test(sql))).toEqual([]);
}, 120_000);
