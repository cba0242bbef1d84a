// What was found in a text of SQL, whatever is mapped: made once for a text, and kept.
import type { Mode } from './mode.ts';

/** What a statement does to rows, or to what rows live in. */
export type Kind =
  | 'read'
  | 'write'
  /** DDL, and what is like it. */
  | 'definition'
  /** SET, USE, BEGIN, COMMIT, SHOW VARIABLES, …: no row of a table changes. */
  | 'session'
  /** LOCK TABLES, FLUSH TABLES, …: names tables, changes no row. */
  | 'lock'
  /** What cannot be accounted for: CALL, a dynamic EXECUTE, an unknown verb. */
  | 'unknown';

/** A stretch of the text; offsets count its characters: bytes, as it is Latin-1. */
export type Span = { readonly from: number; readonly to: number };

/** A place of the text where a table is named. Its span reaches from the first character of what is named to behind its last. */
export type TableReference = Span & {
  /** undefined: the session's default database. */
  readonly database: string | undefined;
  readonly table: string;
  /** The statement changes its rows or its definition. */
  readonly isWritten: boolean;
  /** Made by CREATE TEMPORARY, or ended by DROP TEMPORARY: it hides a table of its name, and is none. */
  readonly isTemporary: boolean;
  /** Where its database is named; behind it in `SHOW COLUMNS FROM orders FROM app`. */
  readonly databaseAt: Span | undefined;
  readonly tableAt: Span;
  /**
   * What must stand behind another name put here, so that qualifiers still find it: nothing where it has an alias or can
   * have none (`itself`), its own name at `aliasAt` (`alias`), or itself again, locked in the same way (`lock`).
   */
  readonly needs: 'itself' | 'alias' | 'lock';
  readonly aliasAt: number;
  /** The name by which qualifiers know it. */
  readonly alias: string;
};

/** `orders.` of `orders.id`, or `app.orders.` of `app.orders.id`. */
export type Qualifier = Span & {
  readonly database: string | undefined;
  readonly table: string;
  readonly databaseAt: Span | undefined;
  readonly tableAt: Span;
  /** `target`: of a table that can have no alias here. `deleted`: in the list of a DELETE of several tables. */
  readonly of: 'target' | 'deleted' | 'any';
};

/** What a statement changes about how later texts are read, or what they carry. Of what is no literal, the value is undefined. */
export type SessionChange =
  | { readonly what: 'database'; readonly value: string }
  | { readonly what: 'sqlMode'; readonly value: string | undefined }
  | { readonly what: 'charset'; readonly value: string | undefined }
  /** `SET @name = 'literal'`; name in lower case. null: it has none any more. */
  | { readonly what: 'variable'; readonly name: string; readonly value: string | null | undefined };

/** What a session is told to have set, by one assignment of a SET; nothing that is a server's or an account's. */
export type Setting = {
  /** As it stands behind SET. */
  readonly text: string;
  /** In lower case; `@x` of a user variable, `names` of what SET NAMES sets. */
  readonly name: string;
  /** Said to another server, it means the same. */
  readonly isLiteral: boolean;
};

/** Why a labelled statement is not let through, whatever tables it names. */
export type Obstacle = 'unread' | 'unknown-verb' | 'call' | 'dynamic' | 'server' | 'server-file' | 'routine';

/** A literal that is SQL itself: `PREPARE s FROM '…'`. */
export type Dynamic = { readonly literal: Span; readonly text: string; readonly analysis: Analysis };

export type Statement = Span & {
  /** `INSERT`, `CREATE TABLE`, `SET`: upper case, for messages and metrics; from a closed list. `?` where unknown. */
  readonly verb: string;
  readonly kind: Kind;
  /** As those before it in the text have set it. */
  readonly mode: Mode;
  readonly tables: readonly TableReference[];
  readonly qualifiers: readonly Qualifier[];
  readonly changes: readonly SessionChange[];
  readonly settings: readonly Setting[];
  /** Select items without alias in which tables are named: their text is what a client sees as the column's name. */
  readonly labels: readonly Span[];
  /** All names of its CTEs, in lower case. */
  readonly ctes: ReadonlySet<string>;
  readonly obstacle: Obstacle | undefined;
  /** What it was that could not be accounted for, for a message. */
  readonly found: string | undefined;
  readonly dynamic: Dynamic | undefined;
  /** Name in lower case, of a PREPARE, an EXECUTE or a DEALLOCATE. */
  readonly prepared: string | undefined;
};

export type Analysis = {
  /** More than one where `;` parts them. */
  readonly statements: readonly Statement[];
  /** The insides of comments that are no code, in order, without their marks. */
  readonly comments: readonly string[];
  /** Why the text could not be read to its end: a string that does not end, and the like. */
  readonly unread: string | undefined;
  readonly mode: Mode;
};

/** All that a statement changes, that of a literal which it executes too. */
export function changesOf({ verb, changes, dynamic }: Statement): readonly SessionChange[] {
  if (verb !== 'EXECUTE' || dynamic === undefined) return changes;
  return dynamic.analysis.statements.flatMap(changesOf);
}
