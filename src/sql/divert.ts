// What becomes of a labelled statement: it is passed, or its tables are exchanged for their shadows, or it is refused.
import type { Analysis, Dynamic, Statement, TableReference } from './analysis.ts';
import type { Mode } from './mode.ts';
import type { Reason } from './refusals.ts';
import type { Shadows, TableName } from './shadows.ts';
import { applyEdits, type Edit } from './splice/edits.ts';
import { editLabels } from './splice/labels.ts';
import { editQualifiers } from './splice/qualifiers.ts';
import { type Exchange, editTable } from './splice/tables.ts';
import { afterStatement, changesTemporary, tableKey } from './temporary.ts';
import { isAscii } from './tokens/characters.ts';
import { isAmbiguous } from './tokens/names.ts';
import { literalOf } from './tokens/token.ts';

export type DivertOptions = {
  /** The session's default database. */
  readonly database: string | undefined;
  readonly shadows: Shadows;
  /** DDL of a label: refused, or done to shadows alone. */
  readonly definitions: 'refuse' | 'shadow';
  /** Temporary tables of the session, by `tableKey`: `temporaryAfter` keeps account of them. */
  readonly temporary?: ReadonlySet<string> | undefined;
  /** Statements that the session prepared by text under this very label, names in lower case: they may be executed. */
  readonly prepared?: ReadonlySet<string> | undefined;
};

/** A table, and the shadow that is named in its place. */
export type Diverted = {
  readonly table: TableName;
  readonly shadow: TableName;
  readonly from: number;
  readonly to: number;
  readonly isWritten: boolean;
};

export type Refusal = { readonly do: 'refuse'; readonly reason: Reason; readonly message: string };

export type Verdict =
  | { readonly do: 'pass' }
  | { readonly do: 'rewrite'; readonly text: string; readonly tables: readonly Diverted[] }
  | Refusal;

const pass: Verdict = { do: 'pass' };
const none: ReadonlySet<string> = new Set();

/** One verdict for the whole text: one statement that is refused refuses all. HOT */
export function divert(text: string, analysis: Analysis, options: DivertOptions): Verdict {
  if (analysis.unread !== undefined) return refuse('unread', `found ${analysis.unread}`);
  const edits: Edit[] = [];
  const tables: Diverted[] = [];
  let { database, temporary = none } = options;
  for (const statement of analysis.statements) {
    const { mode } = statement;
    const now = { ...options, database, temporary, mode };
    const refusal = divertStatement(text, statement, now, { edits, tables });
    if (refusal !== undefined) return refusal;
    for (const change of statement.changes) {
      if (change.what !== 'database') continue;
      database = change.value;
      if (isAmbiguous(database, mode)) return refuse('charset', `USE ${database} in ${mode.charset}`);
    }
    temporary = afterStatement(statement, { database, temporary }, mode);
  }
  return edits.length === 0 ? pass : { do: 'rewrite', text: applyEdits(text, edits), tables };
}

type Now = DivertOptions & { readonly temporary: ReadonlySet<string>; readonly mode: Mode };
type Found = { readonly edits: Edit[]; readonly tables: Diverted[] };

function divertStatement(text: string, statement: Statement, now: Now, found: Found): Refusal | undefined {
  const { obstacle, verb, dynamic } = statement;
  const isPrepared = verb === 'EXECUTE' && statement.prepared !== undefined && now.prepared?.has(statement.prepared);
  if (obstacle !== undefined && !isPrepared)
    return refuse(obstacle, statement.found === verb ? verb : `${verb}: found ${statement.found}`);
  if (dynamic !== undefined) {
    const inner = dynamic.analysis.statements;
    if (inner.some(changesReading)) return refuse('dynamic', `${verb} of what changes how texts are read`);
    // When it is executed nobody will see that a table comes or goes, or that one is no longer hidden.
    if (verb === 'PREPARE' && inner.some(changesTemporary))
      return refuse('dynamic', 'PREPARE of what makes or drops a table');
    const hidden =
      verb === 'PREPARE' && inner.some(({ tables }) => tables.some((table) => isNamedTemporary(table, now)));
    if (hidden) return refuse('dynamic', 'PREPARE of a statement on a temporary table');
    return divertLiteral(text, dynamic, now, found);
  }
  const isDefined = statement.kind === 'definition' && now.definitions === 'refuse';
  if (isDefined && !isOfTemporary(statement, now)) return refuse('definition', `${verb} under a label`);
  const exchanges: Exchange[] = [];
  for (const reference of statement.tables) {
    const exchange = exchangeOf(reference, statement, now);
    if (exchange !== undefined && 'do' in exchange) return exchange;
    if (exchange !== undefined) exchanges.push(exchange);
  }
  if (exchanges.length === 0) return undefined;
  const edited = found.edits.length;
  for (const exchange of exchanges) {
    editTable(text, exchange, { statement, database: now.database }, found.edits);
    const { reference, table, shadow } = exchange;
    const { from, to, isWritten } = reference;
    found.tables.push({ table, shadow, from, to, isWritten });
  }
  editLabels(text, statement, found.edits, edited);
  const isTold =
    statement.qualifiers.length === 0 ||
    editQualifiers({ text, statement, mode: now.mode, database: now.database, exchanges }, found.edits);
  return isTold ? undefined : refuse('qualifier', `${verb}: a column of ${nameText(exchanges[0]?.table)}`);
}

/** What shall stand for the table; undefined where it stays. */
function exchangeOf(reference: TableReference, statement: Statement, now: Now): Exchange | Refusal | undefined {
  const { isWritten, table } = reference;
  if (isAmbiguous(table, now.mode) || isAmbiguous(reference.database ?? '', now.mode))
    return refuse('charset', `${reference.database ?? ''}.${table} in ${now.mode.charset}`);
  if (reference.isTemporary) return undefined;
  const database = reference.database ?? now.database;
  if (database === undefined)
    return isWritten ? refuse('no-database', `${statement.verb} names ${table}, and no database is chosen`) : undefined;
  const name: TableName = { database, table };
  if (isHidden(name, reference, statement, now)) {
    const isRenamed = statement.verb === 'ALTER TABLE' && statement.tables.filter(isWrittenTo).length > 1;
    return isRenamed ? refuse('definition', `ALTER TABLE renames the temporary ${nameText(name)}`) : undefined;
  }
  const shadow = now.shadows.shadowOf(name);
  if (shadow === undefined) {
    const isAtHome = !isWritten || now.shadows.isShadow(name);
    return isAtHome ? undefined : refuse('no-shadow', `${statement.verb} writes to ${nameText(name)}`);
  }
  if (shadow.database === database && shadow.table === table) return undefined;
  if (now.mode.charset !== 'bytes' && !isAscii(shadow.database + shadow.table))
    return refuse('charset', `${nameText(shadow)} in ${now.mode.charset}`);
  return { reference, table: name, shadow };
}

/** A temporary table stands before it. What is created is not hidden by one. */
function isHidden(name: TableName, { isWritten }: TableReference, { verb }: Statement, now: Now): boolean {
  if (now.temporary.size === 0 || !now.temporary.has(tableKey(name, now.mode))) return false;
  return !(isWritten && creating.has(verb));
}

const creating = new Set([
  'CREATE TABLE',
  'CREATE VIEW',
  'CREATE SEQUENCE',
  'RENAME TABLE',
  'DROP VIEW',
  'DROP SEQUENCE',
]);

function isWrittenTo(reference: TableReference): boolean {
  return reference.isWritten;
}

/** All that it defines are temporary tables. */
function isOfTemporary({ verb, tables }: Statement, now: Now): boolean {
  if (creating.has(verb)) return false;
  const written = tables.filter(isWrittenTo);
  if (written.length === 0) return false;
  return written.every((reference) => isNamedTemporary(reference, now));
}

function isNamedTemporary({ database, table }: TableReference, now: Now): boolean {
  const named = database ?? now.database;
  return named !== undefined && now.temporary.has(tableKey({ database: named, table }, now.mode));
}

/** In dynamic SQL that is for nobody's good, and of several servers each would read otherwise. */
function changesReading({ changes }: Statement): boolean {
  return changes.some(({ what }) => what !== 'variable');
}

function divertLiteral(text: string, dynamic: Dynamic, now: Now, { edits, tables }: Found): Refusal | undefined {
  const { literal, analysis } = dynamic;
  const verdict = divert(dynamic.text, analysis, now);
  if (verdict.do === 'refuse') return verdict;
  if (verdict.do === 'pass') return undefined;
  edits.push({ ...literal, text: literalOf(verdict.text, text[literal.from] ?? "'", now.mode) });
  for (const table of verdict.tables) tables.push({ ...table, ...literal });
  return undefined;
}

function refuse(reason: Reason, message: string): Refusal {
  return { do: 'refuse', reason, message };
}

function nameText(name: TableName | undefined): string {
  return name === undefined ? '' : `${name.database}.${name.table}`;
}
