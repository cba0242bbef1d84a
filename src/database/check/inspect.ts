// A server held against the rules: shadows that are missing or differ, and what reaches base tables behind the text.

import { readFile } from 'node:fs/promises';
import { type Connection, createConnection } from 'mysql2/promise';
import type { Instance, Mapping, ShadowMap } from '../../shadow/map.ts';
import { type Names, reaches } from './reach.ts';
import { compareTables, readTable } from './table.ts';

export type Finding = {
  readonly severity: 'error' | 'warning';
  /** `missing`, `drift`: of shadows; the others are ways to base tables that no text shows. */
  readonly kind: 'missing' | 'drift' | 'view' | 'trigger' | 'foreign key' | 'routine';
  /** `shop.orders_gray`. */
  readonly subject: string;
  readonly message: string;
  /** Statements that mend it; none where a person must decide. */
  readonly ddl: readonly string[];
};

/** Names of a ShadowMap are bytes; here they are text. */
const textOf = (name: string): string => Buffer.from(name, 'latin1').toString('utf8');
const quoted = ({ database, table }: Names): string => `\`${database}\`.\`${table}\``;

/** Everything that is wrong, table by table; an empty list where nothing is. Rejects where the server cannot be asked. */
export async function inspectDatabase(connection: Connection, map: ShadowMap): Promise<Finding[]> {
  const findings: Finding[] = [];
  const bases: Names[] = [];
  const others = new Map<string, Connection>();
  try {
    for (const mapping of map.mappings)
      for (const base of await tablesOf(connection, mapping)) {
        const { database, table } = mapping.shadow;
        const shadow = { database: textOf(database), table: table === undefined ? base.table : textOf(table) };
        bases.push(base);
        const there = mapping.instance === undefined ? connection : await serverOf(mapping.instance, others);
        findings.push(...(await compare({ here: connection, there }, base, shadow)));
      }
    findings.push(...(await reaches(connection, unique(bases))));
  } finally {
    await Promise.all([...others.values()].map((each) => each.end()));
  }
  return findings;
}

/** The base tables that a rule is about; the one that it names even where there is none. */
async function tablesOf(connection: Connection, { base }: Mapping): Promise<Names[]> {
  const database = textOf(base.database);
  if (base.table !== undefined) return [{ database, table: textOf(base.table) }];
  const sql =
    "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE' ORDER BY table_name";
  const [rows] = await connection.query({ sql, values: [database], rowsAsArray: true });
  return (rows as [string][]).map(([table]) => ({ database, table }));
}

async function serverOf(instance: Instance, opened: Map<string, Connection>): Promise<Connection> {
  const known = opened.get(instance.name);
  if (known !== undefined) return known;
  const { host, port, user, passwordFile } = instance;
  const password = passwordFile === undefined ? instance.password : (await readFile(passwordFile, 'utf8')).trim();
  const connection = await createConnection({ host, port, user, ...(password !== undefined && { password }) });
  opened.set(instance.name, connection);
  return connection;
}

type Servers = { readonly here: Connection; readonly there: Connection };

async function compare({ here, there }: Servers, base: Names, shadow: Names): Promise<Finding[]> {
  const [wanted, found] = [await createOf(here, base), await createOf(there, shadow)];
  const [baseName, subject] = [base, shadow].map(({ database, table }) => `${database}.${table}`);
  if (wanted === undefined) {
    const message = `found a rule for a shadow of ${baseName}, which is not there`;
    return [{ severity: 'warning', kind: 'missing', subject: subject ?? '', message, ddl: [] }];
  }
  if (found === undefined) {
    const make =
      here === there
        ? `CREATE TABLE ${quoted(shadow)} LIKE ${quoted(base)}`
        : wanted.replace(/^CREATE TABLE `(?:[^`]|``)+`/, `CREATE TABLE ${quoted(shadow)}`);
    const ddl = [`CREATE DATABASE IF NOT EXISTS \`${shadow.database}\``, make];
    const message = `found no such table, expected the shadow of ${baseName}; statements of its label fail`;
    return [{ severity: 'error', kind: 'missing', subject: subject ?? '', message, ddl }];
  }
  const differences = compareTables(readTable(wanted), readTable(found));
  // All at once: a column that is part of a key, and the key, wait for each other.
  const ddl = [`ALTER TABLE ${quoted(shadow)} ${differences.map((difference) => difference.ddl).join(', ')}`];
  return differences.map(({ severity, message }) => ({
    severity,
    kind: 'drift',
    subject: subject ?? '',
    message: `${message}; its base is ${baseName}`,
    ddl,
  }));
}

/** undefined where there is none. */
async function createOf(connection: Connection, name: Names): Promise<string | undefined> {
  try {
    const [rows] = await connection.query({ sql: `SHOW CREATE TABLE ${quoted(name)}`, rowsAsArray: true });
    return (rows as [string, string][])[0]?.[1];
  } catch (error) {
    const code = error instanceof Error && 'errno' in error ? error.errno : undefined;
    if (code === 1146 || code === 1049 || code === 1932) return undefined; // no such table, no such database
    throw error;
  }
}

function unique(names: readonly Names[]): Names[] {
  return [...new Map(names.map((name) => [quoted(name), name])).values()];
}
