// Whether a text of a base workload touches a table that is mapped.
import { type Analysis, changesOf } from './analysis.ts';
import type { TableName } from './shadows.ts';
import { isAmbiguous } from './tokens/names.ts';

export type Touched = {
  readonly read: boolean;
  readonly written: boolean;
  /** There is something in it of which nobody can tell: CALL, EXECUTE, a text that could not be read. */
  readonly unclear: boolean;
};

/** `database` is the session's default; where there is none, names without one mean no mapped table. HOT */
export function namesMapped(
  analysis: Analysis,
  database: string | undefined,
  isMapped: (name: TableName) => boolean,
): Touched {
  let [read, written, unclear] = [false, false, analysis.unread !== undefined];
  let now = database;
  for (const statement of analysis.statements) {
    const { tables, obstacle, kind, dynamic } = statement;
    if (kind === 'unknown' || obstacle === 'unread') unclear = true;
    for (const { database: named = now, table, isWritten, isTemporary } of tables) {
      if (named === undefined || isTemporary) continue;
      if (isAmbiguous(`${named}${table}`, statement.mode)) unclear = true;
      if (!isMapped({ database: named, table })) continue;
      if (isWritten) written = true;
      else read = true;
    }
    if (dynamic !== undefined) {
      const inner = namesMapped(dynamic.analysis, now, isMapped);
      read ||= inner.read;
      written ||= inner.written;
      unclear ||= inner.unclear;
    }
    for (const change of changesOf(statement)) if (change.what === 'database') now = change.value;
  }
  return { read, written, unclear };
}
