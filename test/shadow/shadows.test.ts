import { expect, test } from 'vitest';
import { formatProblem } from '../../src/problem.ts';
import { compileShadows, shadowProblems } from '../../src/shadow/compile.ts';
import type { Label } from '../../src/traffic/label.ts';
import { bytesOf } from '../../src/traffic/request.ts';
import { endpoint, rulesOf, shadow, twin, virtual } from './given.ts';

const [gray, blue] = ['gray', 'blue'] as Label[] as [Label, Label];
const t = (database: string, table: string) => ({ database, table });
const servers = [
  endpoint('ds', 'jdbc:mysql://10.0.0.1:3306/demo_ds_0?serverTimezone=UTC&useSSL=false'),
  endpoint('shadow_ds', 'jdbc:mysql://10.0.0.1/demo_ds_1'),
];

test("the article's table is the twin of the name without its suffix, for its label alone", () => {
  const map = compileShadows(rulesOf(twin('t', { selector: { db: 'mse-demo', table: 'mse_demo_table_gray' } })));
  expect(map.of(gray)?.shadowOf(t('mse-demo', 'mse_demo_table'))).toEqual(t('mse-demo', 'mse_demo_table_gray'));
  expect(map.of(gray)?.shadowOf(t('mse-demo', 'other'))).toBeUndefined();
  expect(map.of(gray)?.shadowOf(t('other', 'mse_demo_table'))).toBeUndefined();
  expect(map.of(gray)?.shadowOf(t('mse-demo', 'mse_demo_table_gray'))).toBeUndefined();
  expect(map.of(gray)?.isShadow(t('mse-demo', 'mse_demo_table_gray'))).toBe(true);
  expect(map.of(gray)?.isShadow(t('mse-demo', 'mse_demo_table'))).toBe(false);
  expect(map.of(blue)).toBeUndefined();
  expect([map.labelsOf(t('mse-demo', 'mse_demo_table')), map.labelsOf(t('mse-demo', 'x'))]).toEqual([[gray], []]);
  expect(map.isEmpty).toBe(false);
});

test.each(['mse-demo-gray', 'mse-demo_gray'])("the article's database %s stands for every table of mse-demo", (db) => {
  const map = compileShadows(rulesOf(twin('d', { selector: { db } })));
  expect(map.of(gray)?.shadowOf(t('mse-demo', 'anything'))).toEqual(t(db, 'anything'));
  expect(map.of(gray)?.shadowOf(t(db, 'anything'))).toBeUndefined();
  expect(map.of(gray)?.isShadow(t(db, 'anything'))).toBe(true);
  expect(map.of(gray)?.instanceOf('mse-demo')).toBeUndefined();
});

test('shadowOf names the twin where the names do not follow, and several labels have several', () => {
  const map = compileShadows(
    rulesOf(
      twin('a', { selector: { db: 'app', table: 'o2' }, shadowOf: 'orders' }),
      twin('b', { workloadLabels: ['blue'], selector: { db: 'app', table: 'orders_blue' } }),
    ),
  );
  expect(map.of(gray)?.shadowOf(t('app', 'orders'))).toEqual(t('app', 'o2'));
  expect(map.of(blue)?.shadowOf(t('app', 'orders'))).toEqual(t('app', 'orders_blue'));
  expect(map.labelsOf(t('app', 'orders'))).toEqual([gray, blue]);
});

test('a table counts before its database', () => {
  const map = compileShadows(
    rulesOf(twin('a', { selector: { db: 'app_gray' } }), twin('b', { selector: { db: 'app', table: 'orders_gray' } })),
  );
  expect(map.of(gray)?.shadowOf(t('app', 'orders'))).toEqual(t('app', 'orders_gray'));
  expect(map.of(gray)?.shadowOf(t('app', 'items'))).toEqual(t('app_gray', 'items'));
});

test('names are bytes, compared without case where the server does', () => {
  const map = compileShadows(rulesOf(twin('a', { selector: { db: 'Läden', table: 'Orders_gray' } })));
  const name = t(bytesOf('läden'), 'orders');
  expect(map.of(gray)?.shadowOf(name)).toBeUndefined();
  expect(map.ignoringCase.of(gray)?.shadowOf(name)).toEqual(t(bytesOf('Läden'), 'Orders_gray'));
  expect(map.ignoringCase.of(gray)?.isShadow(t(bytesOf('LäDEN'), 'ORDERS_GRAY'))).toBe(true);
});

test('rules of other namespaces say nothing here', () => {
  const rules = rulesOf(twin('a', { selector: { db: 'app', table: 'o_gray' } }, 'other'));
  expect(compileShadows(rules, 'default').isEmpty).toBe(true);
  expect(compileShadows(rules, 'other').isEmpty).toBe(false);
});

test('two endpoints of one server are a shadow database, of the tables that are named, under both names of the source', () => {
  const map = compileShadows(
    rulesOf(
      ...servers,
      virtual('shop', 'shadow_db', { shadow: 's' }),
      shadow('s', { workloadLabels: ['gray'], tables: { t_order: { dataSourceNames: ['pair'] } } }),
    ),
  );
  for (const database of ['demo_ds_0', 'shadow_db'])
    expect(map.of(gray)?.shadowOf(t(database, 't_order'))).toEqual(t('demo_ds_1', 't_order'));
  expect(map.of(gray)?.shadowOf(t('demo_ds_0', 't_item'))).toBeUndefined();
  expect(map.of(blue)).toBeUndefined();
});

test('a Shadow that names no label is for every label', () => {
  const map = compileShadows(rulesOf(...servers, shadow('s', {})));
  expect(map.of(blue)?.shadowOf(t('demo_ds_0', 'x'))).toEqual(t('demo_ds_1', 'x'));
  expect(map.labelsOf(t('demo_ds_0', 'x'))).toEqual(['shadow']);
});

test('what is said of a label counts before what is said of every label', () => {
  const map = compileShadows(rulesOf(...servers, shadow('s', {}), twin('d', { selector: { db: 'demo_ds_0_gray' } })));
  expect(map.of(gray)?.shadowOf(t('demo_ds_0', 'x'))).toEqual(t('demo_ds_0_gray', 'x'));
  expect(map.of(blue)?.shadowOf(t('demo_ds_0', 'x'))).toEqual(t('demo_ds_1', 'x'));
});

test('an endpoint of another server is an instance, with its credentials, for all tables', () => {
  const away = endpoint('shadow_ds', 'mysql://[fd00::2]:3307/demo', { password: undefined, passwordFile: '/secret' });
  const rules = rulesOf(servers[0] ?? {}, away, shadow('s', { tables: { a: { dataSourceNames: ['pair'] } } }));
  const map = compileShadows(rules);
  expect(map.of(gray)?.instanceOf('demo_ds_0')).toEqual({
    name: 'default/shadow_ds',
    host: 'fd00::2',
    port: 3307,
    user: 'root',
    password: undefined,
    passwordFile: '/secret',
    database: 'demo',
  });
  expect(map.of(gray)?.instanceOf('demo')).toBeUndefined();
  expect(map.labelsOf(t('demo_ds_0', 'b'))).toEqual(['shadow']);
  expect(shadowProblems(rules).map(formatProblem)).toEqual([
    expect.stringContaining('warning: spec.tables: found tables, and the shadow "shadow_ds" on another server'),
  ]);
});

test('a hint is for the label of its Shadow, else for the label "shadow"', () => {
  const algorithms = { shadowAlgorithms: { h: { type: 'SIMPLE_HINT', props: { foo: 'bar', n: 1 } } } };
  const pairs = [
    ['foo', 'bar'],
    ['n', '1'],
  ];
  expect(compileShadows(rulesOf(...servers, shadow('s', algorithms))).hints).toEqual([{ label: 'shadow', pairs }]);
  const labelled = rulesOf(...servers, shadow('s', { ...algorithms, workloadLabels: ['gray'] }));
  expect(compileShadows(labelled).hints).toEqual([{ label: 'gray', pairs }]);
});

test('an endpoint that is missing is a mistake, and lets nothing pass', () => {
  const rules = rulesOf(shadow('s', { workloadLabels: ['gray'] }));
  expect(shadowProblems(rules).map(({ path, message }) => [path, message])).toEqual([
    [
      'spec.dataSources',
      'found "ds", expected the name of a DatabaseEndpoint of namespace default; writes of its labels are refused until there is one',
    ],
    [
      'spec.dataSources',
      'found "shadow_ds", expected the name of a DatabaseEndpoint of namespace default; writes of its labels are refused until there is one',
    ],
  ]);
  expect(compileShadows(rules).isEmpty).toBe(false);
  expect(compileShadows(rules).of(gray)).toBeUndefined();
});

test('a twin whose table cannot be told, and two shadows of one table, are said', () => {
  const rules = rulesOf(
    twin('a', { selector: { db: 'app', table: 'orders' } }),
    twin('b', { selector: { db: 'app', table: 'items_gray' } }),
    twin('c', { selector: { db: 'app', table: 'i2' }, shadowOf: 'items' }),
    twin('d', { selector: { db: '-gray' } }),
  );
  expect(shadowProblems(rules).map(formatProblem)).toEqual([
    'rules.yaml:2:1: spec.selector: found the table "orders", expected a name that ends with _gray, or shadowOf with the name of the table that it is the twin of',
    'rules.yaml:8:1: spec.selector: found the database "-gray", expected a name that ends with -gray or _gray, or shadowOf with the name of the database that it is the twin of',
    'rules.yaml:6:1: warning: found another shadow of "app.items" for gray, expected one; that of default/b at rules.yaml:4:1 counts',
  ]);
});

test('without rules about databases everything passes', () => {
  expect(compileShadows(rulesOf(twin('w', { selector: { app: 'a' } })))).toMatchObject({ isEmpty: true, hints: [] });
});
