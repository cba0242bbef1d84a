// Foreign keys of a base table that its shadow lacks: nothing holds the shadow's rows to them then.

import { type Finding, identifier } from './finding.ts';
import type { Name } from './leaks/names.ts';
import type { Table } from './schema.ts';

export type KeysOptions = {
  readonly base: Table;
  /** undefined: it is still to be made. */
  readonly shadow: Table | undefined;
  /** Where the shadow is, or will be. */
  readonly target: Name;
  readonly server: string | undefined;
  /** What a key of the shadow names in place of this table; undefined where there is nothing that it may name. */
  twinOf(table: Name): Name | undefined;
  readonly fold: (name: string) => string;
};

type Key = { readonly columns: string; readonly to: Name; readonly ofColumns: string; readonly actions: string };

export function findLackingKeys({ base, shadow, target, server, twinOf, fold }: KeysOptions): Finding[] {
  const textOf = ({ columns, to, ofColumns, actions }: Key) =>
    `${columns.toLowerCase()} ${fold(`${to.database}\0${to.table}`)} ${ofColumns.toLowerCase()} ${actions}`;
  const held = new Set(shadow === undefined ? [] : keysOf(shadow).map(textOf));
  return keysOf(base).flatMap((key): Finding[] => {
    const to = twinOf(key.to);
    if (to === undefined || held.has(textOf({ ...key, to }))) return [];
    const [named, twin] = [`${key.to.database}.${key.to.table}`, `${to.database}.${to.table}`];
    const isSame = named === twin && server === undefined;
    const place = `${identifier(target.database)}.${identifier(target.table)}`;
    // Without a name: on InnoDB it would be one for the whole database.
    const clause = `ADD FOREIGN KEY ${key.columns} REFERENCES ${identifier(to.database)}.${identifier(to.table)} ${key.ofColumns}${key.actions}`;
    return [
      {
        kind: 'foreign-key',
        severity: 'warning',
        server,
        where: `${target.database}.${target.table}`,
        found: `no foreign key ${key.columns} to ${twin}`,
        expected: isSame
          ? `one, as ${base.database}.${base.name} has`
          : `one, as ${base.database}.${base.name} has to ${named}: a key of a shadow must name the shadow`,
        mend: 'add it',
        ddl: [`ALTER TABLE ${place} ${clause}`],
      },
    ];
  });
}

type Pair = { readonly base: Name; readonly shadow: Name; readonly instance: unknown; readonly label: unknown };

/**
 * A table with a shadow is named by that, of the same label and server; one without by itself, where it can be named at all:
 * no key reaches another server.
 */
export function keyTwin(table: Name, of: Pair, pairs: readonly Pair[], fold: KeysOptions['fold']): Name | undefined {
  const isNamed = ({ base }: Pair) =>
    fold(`${base.database}\0${base.table}`) === fold(`${table.database}\0${table.table}`);
  const mapped = pairs.filter(isNamed);
  const isOfLabel = ({ label }: Pair) => label === of.label || label === undefined || of.label === undefined;
  const twin = mapped.find((each) => each.instance === of.instance && isOfLabel(each));
  if (twin !== undefined) return twin.shadow;
  return mapped.length === 0 && of.instance === undefined ? table : undefined;
}

const name = '`(?:[^`]|``)+`';
const list = `\\(${name}(?:, ?${name})*\\)`;
const written = new RegExp(
  `^\\s*CONSTRAINT ${name} FOREIGN KEY (${list}) REFERENCES (?:(${name})\\.)?(${name}) (${list})([^,\\n]*)`,
  'gm',
);

/** As SHOW CREATE TABLE writes them. */
function keysOf({ database, definition }: Table): Key[] {
  return [...definition.matchAll(written)].map(([, columns = '', other, table = '', ofColumns = '', actions = '']) => ({
    columns,
    to: { database: other === undefined ? database : plain(other), table: plain(table) },
    ofColumns,
    actions: actions.trimEnd(),
  }));
}

function plain(quoted: string): string {
  return quoted.slice(1, -1).replaceAll('``', '`');
}
