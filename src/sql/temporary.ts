// Temporary tables: within a session they hide tables of their names, and are nobody else's.
import { type Analysis, changesOf, type Statement, type TableReference } from './analysis.ts';
import type { Mode } from './mode.ts';
import type { TableName } from './shadows.ts';
import { isAmbiguous } from './tokens/names.ts';
import { folded } from './tokens/token.ts';

/** One text for names that are the same. */
export function tableKey({ database, table }: TableName, mode: Mode): string {
  return `${folded(database, mode)}\0${folded(table, mode)}`;
}

/** The session's temporary tables after a text that has succeeded. */
export function temporaryAfter(analysis: Analysis, given: Given): ReadonlySet<string> {
  let { database, temporary } = given;
  if (analysis.unread !== undefined) return none;
  for (const statement of analysis.statements) {
    temporary = afterStatement(statement, { database, temporary }, statement.mode);
    for (const change of changesOf(statement)) if (change.what === 'database') database = change.value;
  }
  return temporary;
}

const none: ReadonlySet<string> = new Set();

export function changesTemporary({ verb }: Pick<Statement, 'verb'>): boolean {
  return verb === 'DROP TABLE' || verb === 'DROP TEMPORARY TABLE' || verb === 'CREATE TEMPORARY TABLE';
}

type Given = { readonly database: string | undefined; readonly temporary: ReadonlySet<string> };

/**
 * The same set where the statement makes and drops none; empty where it may have dropped any: who is not known to be
 * temporary is diverted or refused, which harms nobody's rows.
 */
export function afterStatement(statement: Statement, given: Given, mode: Mode): ReadonlySet<string> {
  const { verb, kind, dynamic, tables } = statement;
  if (verb === 'EXECUTE' && dynamic !== undefined) return temporaryAfter(dynamic.analysis, given);
  if (kind === 'unknown') return none;
  if (verb !== 'CREATE TEMPORARY TABLE') return without(statement, given, mode);
  const after = new Set(given.temporary);
  for (const table of tables) if (table.isTemporary) for (const key of keyOf(table, given, mode)) after.add(key);
  return after;
}

/** After one that has failed: it has made none, and may have dropped those that it would have. */
export function afterFailure(statement: Statement, given: Given, mode: Mode): ReadonlySet<string> {
  const { verb, kind, dynamic } = statement;
  if (verb !== 'EXECUTE' || dynamic === undefined) return kind === 'unknown' ? none : without(statement, given, mode);
  const [inner] = dynamic.analysis.statements;
  return inner === undefined ? none : afterFailure(inner, given, dynamic.analysis.mode);
}

/** None that it would drop, make in the place of another, or rename. */
function without(statement: Statement, given: Given, mode: Mode): ReadonlySet<string> {
  const written = statement.tables.filter(({ isWritten }) => isWritten);
  const isRenaming = statement.verb === 'RENAME TABLE' || (statement.verb === 'ALTER TABLE' && written.length > 1);
  if (given.temporary.size === 0 || !(isRenaming || changesTemporary(statement))) return given.temporary;
  if (written.some(({ database, table }) => isAmbiguous(`${database ?? ''}${table}`, mode))) return none;
  const after = new Set(given.temporary);
  for (const table of written) for (const key of keyOf(table, given, mode)) after.delete(key);
  return after;
}

/** None where it is in no database. */
function keyOf({ database: named, table }: TableReference, { database = '' }: Given, mode: Mode): readonly string[] {
  const found = named ?? database;
  return found === '' ? [] : [tableKey({ database: found, table }, mode)];
}
