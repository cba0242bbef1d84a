// Reads what a server says about its tables.

import type { Connection } from 'mysql2/promise';
import { identifier } from './finding.ts';

export type Column = {
  readonly name: string;
  readonly type: string;
  readonly isNullable: boolean;
  readonly default: string | undefined;
  readonly charset: string | undefined;
  readonly collation: string | undefined;
  /** `auto_increment`, `on update current_timestamp()` and the like. */
  readonly extra: string;
  readonly generated: string | undefined;
  /** As SHOW CREATE TABLE writes it behind the name. */
  readonly definition: string;
};

export type Index = {
  /** undefined: the primary key. */
  readonly name: string | undefined;
  readonly isUnique: boolean;
  /** As SHOW CREATE TABLE writes it, with its name. */
  readonly definition: string;
};

export type Table = {
  readonly database: string;
  readonly name: string;
  readonly engine: string;
  readonly collation: string;
  readonly columns: readonly Column[];
  readonly indexes: readonly Index[];
  /** Expressions of CHECK that stand by themselves, by what they say; the value is the constraint's name. */
  readonly checks: ReadonlyMap<string, string>;
  /** `PARTITION BY …` */
  readonly partitions: string | undefined;
  /** The whole text of SHOW CREATE TABLE, for another server. */
  readonly definition: string;
};

/** Names of tables and views of a database; undefined where there is no such database. */
export async function readNames(connection: Connection, database: string, fold: (name: string) => string) {
  const found = await rows(connection, 'SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA');
  const schema = found.map(({ name }) => String(name)).find((name) => fold(name) === fold(database));
  if (schema === undefined) return undefined;
  const tables = await rows(
    connection,
    'SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name, TABLE_TYPE AS type FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?',
    [schema],
  );
  // information_schema compares without case, whatever the server does.
  const own = tables.filter(({ db }) => fold(String(db)) === fold(database));
  const names = (isView: boolean) =>
    own.filter(({ type }) => (type === 'VIEW') === isView).map(({ name }) => String(name));
  return { database: schema, tables: names(false), views: names(true) };
}

/** A table that exists, by its name as the server has it. */
export async function readSchema(connection: Connection, database: string, table: string): Promise<Table> {
  const place = [database, table];
  const [created] = await rows(connection, `SHOW CREATE TABLE ${identifier(database)}.${identifier(table)}`);
  const definition = String(created?.['Create Table']);
  const about = await rows(
    connection,
    'SELECT TABLE_NAME AS name, ENGINE AS engine, TABLE_COLLATION AS collation FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?',
    place,
  );
  const own = about.find(({ name }) => name === table);
  const columns = await rows(
    connection,
    `SELECT TABLE_NAME AS tableName, COLUMN_NAME AS name, COLUMN_TYPE AS type, IS_NULLABLE AS nullable, COLUMN_DEFAULT AS value,
     CHARACTER_SET_NAME AS charset, COLLATION_NAME AS collation, EXTRA AS extra, GENERATION_EXPRESSION AS expression
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
    place,
  );
  const lines = definition.split('\n').map((line) => line.trim().replace(/,$/, ''));
  const definitions = new Map(lines.flatMap(definedColumn));
  return {
    database,
    name: table,
    engine: textOf(own?.['engine']) ?? '',
    collation: textOf(own?.['collation']) ?? '',
    columns: columns
      .filter(({ tableName }) => tableName === table)
      .map((row) => columnOf(row, definitions.get(String(row['name'])) ?? '')),
    indexes: lines.flatMap(definedIndex),
    checks: new Map(
      lines.flatMap((line) => {
        const [, name, expression] = /^CONSTRAINT `((?:[^`]|``)+)` (CHECK .+)$/.exec(line) ?? [];
        return name === undefined || expression === undefined ? [] : [[expression, name.replaceAll('``', '`')]];
      }),
    ),
    partitions: partitionsIn(definition),
    definition,
  };
}

/** Behind the last parenthesis of the table, in a comment for MySQL or for all. */
function partitionsIn(definition: string): string | undefined {
  const [, found] = /\n\) [^\n]*\n\s*(?:\/\*!\d+ )?(PARTITION BY [\s\S]*?)(?:\s*\*\/)?$/.exec(definition) ?? [];
  return found?.replace(/\s+/g, ' ');
}

function columnOf(row: Row, definition: string): Column {
  const isNullable = row['nullable'] === 'YES';
  const value = textOf(row['value']);
  return {
    name: String(row['name']),
    type: String(row['type']),
    isNullable,
    // MariaDB says NULL in words.
    default: isNullable && value === 'NULL' ? undefined : value,
    charset: textOf(row['charset']),
    collation: textOf(row['collation']),
    extra: String(row['extra']),
    generated: textOf(row['expression']) || undefined,
    definition,
  };
}

function definedColumn(line: string): (readonly [string, string])[] {
  const [, name, definition] = /^`((?:[^`]|``)+)` (.+)$/.exec(line) ?? [];
  return name === undefined || definition === undefined ? [] : [[name.replaceAll('``', '`'), definition]];
}

function definedIndex(line: string): Index[] {
  if (line.startsWith('PRIMARY KEY')) return [{ name: undefined, isUnique: true, definition: line }];
  const [, kind, name] = /^(UNIQUE |FULLTEXT |SPATIAL |)KEY `((?:[^`]|``)+)`/.exec(line) ?? [];
  if (name === undefined) return [];
  return [{ name: name.replaceAll('``', '`'), isUnique: kind === 'UNIQUE ', definition: line }];
}

type Row = Readonly<Record<string, unknown>>;

export async function rows(connection: Connection, sql: string, values: readonly string[] = []): Promise<Row[]> {
  const [found] = await connection.query(sql, [...values]);
  return Array.isArray(found) ? (found as Row[]) : [];
}

export function textOf(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : String(value);
}
