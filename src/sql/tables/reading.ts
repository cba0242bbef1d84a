// What is noted while one statement is read, from its tokens.
import type { Dynamic, Obstacle, Qualifier, SessionChange, Setting, Span, TableReference } from '../analysis.ts';
import type { Mode } from '../mode.ts';
import { nameOf, type Token } from '../tokens/token.ts';

type Draft<T> = { -readonly [K in keyof T]: T[K] };

export type Reading = {
  readonly text: string;
  readonly mode: Mode;
  readonly tokens: readonly Token[];
  readonly tables: Draft<TableReference>[];
  /** Those of three parts, and those of a DELETE's list. */
  readonly qualifiers: Draft<Qualifier>[];
  /** Those that mean the target, if no table of their own block takes them. */
  readonly pending: Draft<Qualifier>[];
  readonly changes: SessionChange[];
  readonly settings: Setting[];
  /** Select items that name tables, and have no alias. */
  readonly labels: Span[];
  /** All names of CTEs, in lower case. */
  readonly ctes: Set<string>;
  /** Names of CTEs in scope, with how many of that name are. */
  readonly visible: Map<string, number>;
  /** The table that takes no alias in this statement: its qualifiers must change with it. */
  target: string | undefined;
  /** What the assignments of an UPDATE assign to; undefined for a column without qualifier. */
  readonly assigned: (Pick<Qualifier, 'database' | 'table'> | undefined)[];
  /** Factors of the statement itself, not of queries in it. */
  readonly outer: Draft<TableReference>[];
  obstacle: Obstacle | undefined;
  found: string | undefined;
  dynamic: Dynamic | undefined;
  prepared: string | undefined;
};

export function openReading(text: string, mode: Mode, tokens: readonly Token[]): Reading {
  return {
    ...{
      text,
      mode,
      tokens,
      tables: [],
      qualifiers: [],
      pending: [],
      changes: [],
      settings: [],
      ctes: new Set(),
      labels: [],
      visible: new Map(),
    },
    ...{ target: undefined, assigned: [], outer: [], obstacle: undefined, found: undefined },
    ...{ dynamic: undefined, prepared: undefined },
  };
}

export type { Draft };

const end: Token = { kind: 'symbol', from: 0, to: 0, word: '', closing: -1 };

export function tokenAt({ tokens }: Reading, at: number): Token {
  return tokens[at] ?? end;
}

export function wordAt({ tokens }: Reading, at: number): string {
  return tokens[at]?.word ?? '';
}

/** True for what may be a name here: a word or a quoted name. */
export function isName(token: Token): boolean {
  return token.kind === 'word' || token.kind === 'name';
}

/** What may stand before an alias: in MariaDB `=` as well as AS, for a table, and not for a select item. */
export function isAs(word: string): boolean {
  return word === 'AS' || word === '=';
}

/** The first thing that stands in the way counts. */
export function hinder(reading: Reading, obstacle: Obstacle, found: string): void {
  reading.obstacle ??= obstacle;
  reading.found ??= found;
}

/** What was expected is not there: a statement that is wrong, or one that we read wrongly. */
export function misread(reading: Reading, at: number): void {
  const token = reading.tokens[at];
  const found = token === undefined ? 'the end' : JSON.stringify(reading.text.slice(token.from, token.to).slice(0, 40));
  hinder(reading, 'unread', `${found}${token === undefined ? '' : ` at byte ${token.from}`}`);
}

const naming = new Set(['SELECT', 'TABLE', 'VALUES', 'NEXT', 'PREVIOUS', 'NEXTVAL', 'LASTVAL', 'SETVAL']);

/** What is skipped unread must hold no query, and no number of a sequence. */
export function skipExpressions(reading: Reading, from: number, to: number): void {
  for (let at = from; at < to; at += 1) if (naming.has(wordAt(reading, at))) misread(reading, at);
}

/** Behind the `)` of the `(` at this place. */
export function behindParentheses(reading: Reading, at: number): number {
  const { closing } = tokenAt(reading, at);
  return closing < 0 ? at + 1 : closing + 1;
}

/** `orders` or `app.orders` at this place, and where to read on; undefined where no name is. */
export function readName(
  reading: Reading,
  at: number,
): { readonly database: Token | undefined; readonly table: Token; readonly next: number } | undefined {
  let first = tokenAt(reading, at);
  let from = at;
  // `.orders`: a table of the default database, an old form for ODBC.
  if (first.word === '.') {
    from = at + 1;
    first = tokenAt(reading, from);
  }
  if (!isName(first)) return undefined;
  if (wordAt(reading, from + 1) !== '.') return { database: undefined, table: first, next: from + 1 };
  const second = tokenAt(reading, from + 2);
  return isName(second) ? { database: first, table: second, next: from + 3 } : undefined;
}

/** Notes the table that is named at this place; undefined, and the statement misread, where none is. */
export function noteTable(
  reading: Reading,
  at: number,
  { isWritten = false }: { readonly isWritten?: boolean } = {},
): { readonly table: Draft<TableReference>; readonly next: number } | undefined {
  const name = readName(reading, at);
  if (name === undefined) {
    misread(reading, at);
    return undefined;
  }
  const alias = nameOf(reading.text, name.table);
  const table: Draft<TableReference> = {
    database: name.database && nameOf(reading.text, name.database),
    table: alias,
    from: (name.database ?? name.table).from,
    to: name.table.to,
    isWritten,
    isTemporary: false,
    databaseAt: name.database && spanOf(name.database),
    tableAt: spanOf(name.table),
    needs: 'itself',
    aliasAt: name.table.to,
    alias,
  };
  reading.tables.push(table);
  return { table, next: name.next };
}

export function spanOf({ from, to }: Token): Span {
  return { from, to };
}
