// Compares what rules say about databases with the servers: is there a shadow for every table, alike, and cut off from base?

import { type Connection, createConnection } from 'mysql2/promise';
import type { Instance, ShadowMap } from '../../shadow/map.ts';
import { passwordOf } from '../password.ts';
import { compareTables } from './compare.ts';
import { type Finding, identifier } from './finding.ts';
import { findLackingKeys, keyTwin } from './keys.ts';
import { findLeaks } from './leaks/leaks.ts';
import { findBlindness } from './leaks/sight.ts';
import { type Pair, pairsOf, textOfBytes, twinOf } from './pairs.ts';
import { readNames, readSchema, rows, type Table } from './schema.ts';

/** Everything that is wrong; nothing is changed but the connection's sql_mode. Rejects where the connection does. */
export async function inspectDatabase(connection: Connection, map: ShadowMap): Promise<Finding[]> {
  await prepare(connection);
  const [server] = await rows(connection, 'SELECT @@lower_case_table_names AS cases');
  const fold = Number(server?.['cases']) === 0 ? (name: string) => name : (name: string) => name.toLowerCase();
  const findings: Finding[] = [];
  const instances = new Map<string, Connection>();
  try {
    const bases = new Set(map.mappings.map(({ base }) => textOfBytes(base.database)));
    findings.push(...(await findBlindness(connection, [...bases])));
    const { pairs, missing } = await pairsOf(connection, map.mappings, fold);
    findings.push(...missing);
    for (const instance of new Set(pairs.map((pair) => pair.instance)))
      if (instance !== undefined && !instances.has(instance.name))
        try {
          instances.set(instance.name, await connect(instance));
        } catch (error) {
          findings.push(unreachable(instance, error));
        }
    for (const pair of pairs) {
      const there = pair.instance === undefined ? connection : instances.get(pair.instance.name);
      if (there !== undefined) findings.push(...(await inspectPair({ here: connection, there, pair, pairs, fold })));
    }
    // From another server nothing reaches base.
    const local = pairs.filter(({ instance }) => instance === undefined);
    findings.push(
      ...(await findLeaks(connection, { pairs: local, fold, twinOf: (view) => twinOf(map.mappings, view, fold) })),
    );
  } finally {
    for (const each of instances.values()) each.destroy();
  }
  return findings;
}

/** What SHOW CREATE TABLE writes depends on it. */
async function prepare(connection: Connection): Promise<void> {
  await connection.query("SET SESSION sql_mode = '', sql_quote_show_create = 1");
}

async function connect({ host, port, user, ...secret }: Instance): Promise<Connection> {
  const connection = await createConnection({ host, port, user, password: await passwordOf(secret) });
  connection.on('error', () => {});
  await prepare(connection);
  return connection;
}

function unreachable({ name, host, port }: Instance, error: unknown): Finding {
  const found = error instanceof Error ? error.message || String(error) : String(error);
  return {
    kind: 'server',
    severity: 'error',
    server: `${host}:${port}`,
    where: `${host}:${port}`,
    found,
    expected: `the server of the DatabaseEndpoint ${name}`,
    mend: 'start it, or mend its url, username or passwordFile',
    ddl: [],
  };
}

type Given = {
  readonly here: Connection;
  readonly there: Connection;
  readonly pair: Pair;
  readonly pairs: readonly Pair[];
  readonly fold: (name: string) => string;
};

async function inspectPair({ here, there, pair, pairs, fold }: Given): Promise<Finding[]> {
  const { base, shadow, instance } = pair;
  const where = `${shadow.database}.${shadow.table}`;
  const server = instance && `${instance.host}:${instance.port}`;
  const ofBase = await readNames(here, base.database, fold);
  const baseName = ofBase?.tables.find((name) => fold(name) === fold(base.table));
  if (ofBase === undefined || baseName === undefined)
    return [
      {
        kind: 'base-table',
        severity: 'warning',
        server: undefined,
        where: `${base.database}.${base.table}`,
        found: 'no such table',
        expected: 'the table that the rules map',
        mend: 'make it, or mend the rule',
        ddl: [],
      },
    ];
  const table = await readSchema(here, ofBase.database, baseName);
  const ofShadow = await readNames(there, shadow.database, fold);
  const target = `${identifier(shadow.database)}.${identifier(shadow.table)}`;
  const like = `CREATE TABLE ${target} LIKE ${identifier(ofBase.database)}.${identifier(baseName)}`;
  // LIKE knows no other server.
  const create = instance === undefined ? like : copied(table.definition, target);
  const lost = { severity: 'error', server, where, mend: 'make it' } as const;
  const keysBeside = (found: Table | undefined) =>
    findLackingKeys({
      ...{ base: table, shadow: found, target: shadow, server, fold },
      twinOf: (named) => keyTwin(named, pair, pairs, fold),
    });
  const missing: Finding = {
    ...lost,
    kind: 'shadow-table',
    found: 'no such table',
    expected: `a table like ${base.database}.${base.table}`,
    ddl: [create, ...keysBeside(undefined).flatMap(({ ddl }) => ddl)],
  };
  if (ofShadow === undefined)
    return [
      {
        ...lost,
        kind: 'shadow-database',
        where: shadow.database,
        found: 'no such database',
        expected: `the shadow of ${base.database}`,
        ddl: [`CREATE DATABASE ${identifier(shadow.database)}`],
      },
      missing,
    ];
  const shadowName = ofShadow.tables.find((name) => fold(name) === fold(shadow.table));
  if (shadowName === undefined) return [missing];
  const found = await readSchema(there, ofShadow.database, shadowName);
  const differences = compareTables(table, found).map(({ clauses, ...difference }) => ({
    ...difference,
    server,
    where,
    mend: 'alter it as the base is',
    ddl: clauses.map((clause) => `ALTER TABLE ${target} ${clause}`),
  }));
  return [...differences, ...keysBeside(found)];
}

/** Without foreign keys, as LIKE is: what they name may not be there. */
function copied(definition: string, target: string): string {
  const kept = definition.split('\n').filter((line) => !/^ +CONSTRAINT .+ FOREIGN KEY /.test(line));
  return kept
    .join('\n')
    .replace(/,\n\)/, '\n)')
    .replace(/^CREATE TABLE `(?:[^`]|``)+`/, () => `CREATE TABLE ${target}`);
}
