// Temporary tables: within a session they hide tables of their names, and are nobody else's.
import type { Analysis, Statement } from './analysis.ts';
import type { Mode } from './mode.ts';
import type { TableName } from './shadows.ts';
import { folded } from './tokens/token.ts';

/** One text for names that are the same. */
export function tableKey({ database, table }: TableName, mode: Mode): string {
  return `${folded(database, mode)}\0${folded(table, mode)}`;
}

/** The session's temporary tables after a text that has succeeded. */
export function temporaryAfter(
  analysis: Analysis,
  given: { readonly database: string | undefined; readonly temporary: ReadonlySet<string> },
): ReadonlySet<string> {
  let { database, temporary } = given;
  if (analysis.unread !== undefined) return none;
  for (const statement of analysis.statements) {
    temporary = afterStatement(statement, { database, temporary }, analysis.mode);
    for (const change of statement.changes) if (change.what === 'database') database = change.value;
  }
  return temporary;
}

const none: ReadonlySet<string> = new Set();

export function changesTemporary({ verb }: Pick<Statement, 'verb'>): boolean {
  return verb === 'DROP TABLE' || verb === 'DROP TEMPORARY TABLE' || verb === 'CREATE TEMPORARY TABLE';
}

/**
 * The same set where the statement makes and drops none; empty where it may have dropped any: who is not known to be
 * temporary is diverted or refused, which harms nobody's rows.
 */
export function afterStatement(
  { verb, kind, tables, dynamic }: Statement,
  { database, temporary }: { readonly database: string | undefined; readonly temporary: ReadonlySet<string> },
  mode: Mode,
): ReadonlySet<string> {
  if (verb === 'EXECUTE' && dynamic !== undefined) return temporaryAfter(dynamic.analysis, { database, temporary });
  if (kind === 'unknown') return none;
  if (!changesTemporary({ verb })) return temporary;
  const isDrop = verb !== 'CREATE TEMPORARY TABLE';
  let after: Set<string> | undefined;
  for (const table of tables) {
    const name = { database: table.database ?? database, table: table.table };
    if (name.database === undefined || !(isDrop || table.isTemporary)) continue;
    const key = tableKey({ database: name.database, table: name.table }, mode);
    after ??= new Set(temporary);
    if (isDrop) after.delete(key);
    else after.add(key);
  }
  return after ?? temporary;
}
