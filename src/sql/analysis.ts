// What was found in a text of SQL, whatever is mapped: made once for a text, and kept.

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

/** A place of the text where a table is named. Offsets count characters of the text: bytes, as it is Latin-1. */
export type TableReference = {
  /** undefined: the session's default database. */
  readonly database: string | undefined;
  readonly table: string;
  /** From the first character of what is named (its database, where it has one) to behind its last. */
  readonly from: number;
  readonly to: number;
  /** The statement changes its rows or its definition. */
  readonly isWritten: boolean;
};

/** What a statement changes about how later texts are read, or what they carry. Of what is no literal, the value is undefined. */
export type SessionChange =
  | { readonly what: 'database'; readonly value: string }
  | { readonly what: 'sqlMode'; readonly value: string | undefined }
  | { readonly what: 'charset'; readonly value: string | undefined }
  /** `SET @name = 'literal'`; name in lower case. */
  | { readonly what: 'variable'; readonly name: string; readonly value: string | undefined };

export type Statement = {
  /** `INSERT`, `CREATE TABLE`, `SET`: upper case, for messages and metrics; from a closed list. `?` where unknown. */
  readonly verb: string;
  readonly kind: Kind;
  readonly tables: readonly TableReference[];
  readonly changes: readonly SessionChange[];
};

export type Analysis = {
  /** More than one where `;` parts them. */
  readonly statements: readonly Statement[];
  /** The insides of comments that are no code, in order, without their marks. */
  readonly comments: readonly string[];
  /** Why the text could not be read to its end: a string that does not end, and the like. */
  readonly unread: string | undefined;
};
