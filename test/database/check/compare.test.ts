// What differs between two tables, and what their bodies name.
import { describe, expect, test } from 'vitest';
import { compareTables } from '../../../src/database/check/compare.ts';
import { type Finding, mendingStatements } from '../../../src/database/check/finding.ts';
import { namedTables } from '../../../src/database/check/leaks/names.ts';
import type { Column, Table } from '../../../src/database/check/schema.ts';

function column(name: string, more: Partial<Column> = {}): Column {
  return {
    name,
    type: 'int(11)',
    isNullable: true,
    default: undefined,
    charset: undefined,
    collation: undefined,
    extra: '',
    generated: undefined,
    definition: 'int(11)',
    ...more,
  };
}

function table(names: readonly string[], more: Partial<Table> = {}): Table {
  return {
    database: 'app',
    name: 'orders',
    engine: 'InnoDB',
    collation: 'latin1_swedish_ci',
    columns: names.map((name) => column(name)),
    indexes: [],
    checks: new Map(),
    partitions: undefined,
    definition: '',
    ...more,
  };
}

const clauses = (base: Table, shadow: Table) => compareTables(base, shadow).flatMap((each) => each.clauses);

describe('compareTables', () => {
  test('finds no difference between tables that are alike, whatever the case of their columns', () => {
    expect(compareTables(table(['a', 'B']), table(['A', 'b']))).toEqual([]);
  });

  test('counts no display width, and every other part of a type', () => {
    const shadow = table([], { columns: [column('a', { type: 'int' })] });
    expect(compareTables(table(['a']), shadow)).toEqual([]);
    expect(compareTables(table(['a']), table([], { columns: [column('a', { type: 'int unsigned' })] }))).toMatchObject([
      { found: 'the type int unsigned of the column a', expected: 'int' },
    ]);
  });

  test('moves as few columns as it can', () => {
    expect(clauses(table(['a', 'b', 'c', 'd']), table(['d', 'a', 'b', 'c']))).toEqual([
      'MODIFY COLUMN `d` int(11) AFTER `c`',
    ]);
    expect(clauses(table(['a', 'b', 'c', 'd']), table(['b', 'c', 'a', 'd']))).toEqual([
      'MODIFY COLUMN `a` int(11) FIRST',
    ]);
  });

  test('adds a column where base has it', () => {
    expect(clauses(table(['a', 'b`', 'c']), table(['b`', 'x']))).toEqual([
      'DROP COLUMN `x`',
      'ADD COLUMN `a` int(11) FIRST',
      'ADD COLUMN `c` int(11) AFTER `b```',
    ]);
  });

  test('says the charset of a column, which SHOW CREATE TABLE leaves to the table', () => {
    const text = {
      type: 'char(8)',
      charset: 'latin1',
      collation: 'latin1_bin',
      definition: 'char(8) COLLATE latin1_bin NOT NULL',
    };
    expect(clauses(table([], { columns: [column('a', text)] }), table([]))).toEqual([
      'ADD COLUMN `a` char(8) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL FIRST',
    ]);
  });
});

test('the changes of one table are one statement, each of them once, behind what it needs', () => {
  const finding = (...ddl: string[]): Finding => ({
    ...{ kind: 'column', severity: 'error', server: undefined, where: '', found: '', expected: '', mend: '' },
    ddl,
  });
  expect(
    mendingStatements([
      finding('ALTER TABLE `a`.`b` DROP COLUMN `c`'),
      finding('ALTER TABLE `a`.`b` DROP COLUMN `c`', 'ALTER TABLE `a`.`b` ADD d INT'),
      finding('CREATE DATABASE `x`'),
    ]),
  ).toEqual(['CREATE DATABASE `x`', 'ALTER TABLE `a`.`b` DROP COLUMN `c`,\n  ADD d INT']);
});

describe('namedTables', () => {
  const written = (text: string) =>
    namedTables({ text, database: 'app' }).written.map(({ database, table: name }) => `${database}.${name}`);

  test.each([
    ['INSERT INTO a VALUES (1); REPLACE b SET x = 1', ['app.a', 'app.b']],
    ['BEGIN UPDATE LOW_PRIORITY `a``b`.`c` SET x = 1; DELETE FROM d; END', ['a`b.c', 'app.d']],
    ['INSERT IGNORE INTO a SELECT 1 ON DUPLICATE KEY UPDATE x = 1', ['app.a']],
    ['SELECT x FROM a FOR UPDATE SKIP LOCKED', []],
    ["SET @x = 'DELETE FROM a' /* DELETE FROM b */", []],
    ['delete from 订单', ['app.订单']],
  ])('%s writes %j', (text, expected) => {
    expect(written(text)).toEqual(expected);
  });

  test('a name in a string or a comment is none, one behind a dot is of its database', () => {
    const { names } = namedTables({ text: "SELECT 'orders' -- items\n FROM other.orders", database: 'app' });
    expect(names).toContainEqual({ database: 'other', table: 'orders' });
    expect(names).not.toContainEqual({ database: 'app', table: 'orders' });
    expect(names).not.toContainEqual({ database: 'app', table: 'items' });
  });
});
