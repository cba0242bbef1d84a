// What rules say about databases, compiled: for every label, what stands for which table, and on which server.

import type { Place } from '../documents/parse.ts';
import type { Shadows, TableName } from '../sql/shadows.ts';
import type { Label } from '../traffic/label.ts';

/** A server of its own for the rows of a label. */
export type Instance = {
  /** Of the DatabaseEndpoint; unique. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Where `passwordFile` is set the password is its content, read at each connection: secrets are renewed. */
  readonly password: string | undefined;
  readonly passwordFile: string | undefined;
  /** The database there that stands for the one that was asked for. */
  readonly database: string;
};

/** What one label means for databases. */
export type LaneShadows = Shadows & {
  /** The server on which this database's rows of the label live; undefined where it is the same server. */
  instanceOf(database: string): Instance | undefined;
};

/** A comment that a Shadow rule takes for a label: all pairs must be in it, as `key=value` or `key:value`. */
export type Hint = { readonly label: Label; readonly pairs: readonly (readonly [string, string])[] };

/** One thing that rules say: the rows of this table, or of all tables of this database, live there. */
export type Mapping = {
  /** undefined: every label. */
  readonly label: Label | undefined;
  /** Without a table: the whole database. */
  readonly base: { readonly database: string; readonly table: string | undefined };
  readonly shadow: { readonly database: string; readonly table: string | undefined };
  /** Where it is another server. */
  readonly instance: Instance | undefined;
  /** The rule that says it. */
  readonly rule: string;
  readonly place: Place;
};

export type ShadowMap = {
  /** True where no rule speaks of databases: everything passes, whatever its label. */
  readonly isEmpty: boolean;
  /** undefined: rules speak of databases, but not of this label. */
  of(label: Label): LaneShadows | undefined;
  /** The labels that have a shadow of this table; none where it is not mapped. Of rules for every label, `anyLabel`. */
  labelsOf(name: TableName): readonly Label[];
  readonly hints: readonly Hint[];
  readonly mappings: readonly Mapping[];
  /** The same for a server that compares names without case. */
  readonly ignoringCase: ShadowMap;
};
