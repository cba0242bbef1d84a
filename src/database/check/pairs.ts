// Which tables the rules pair with which shadows.
import type { Connection } from 'mysql2/promise';
import type { Instance, Mapping } from '../../shadow/map.ts';
import type { Finding } from './finding.ts';
import type { Name } from './leaks/names.ts';
import { readNames } from './schema.ts';

/** One table and its shadow, in UTF-8. */
export type Pair = {
  readonly base: Name;
  readonly shadow: Name;
  readonly instance: Instance | undefined;
  /** undefined: of every label. */
  readonly label: Mapping['label'];
};

/** Every table that is mapped, once; of a whole database all its tables but those that are shadows themselves. */
export async function pairsOf(connection: Connection, mappings: readonly Mapping[], fold: (name: string) => string) {
  const shadows = new Set(
    mappings.flatMap(({ shadow, instance }) =>
      shadow.table === undefined || instance ? [] : [fold(textOfBytes(`${shadow.database}.${shadow.table}`))],
    ),
  );
  const pairs = new Map<string, Pair>();
  const missing = new Map<string, Finding>();
  // What is said of a table counts before what is said of its database.
  const isSaid = (label: Mapping['label'], database: string, table: string): boolean =>
    mappings.some(
      ({ base, label: other }) =>
        base.table !== undefined &&
        (other === undefined || other === label) &&
        fold(textOfBytes(`${base.database}.${base.table}`)) === fold(`${database}.${table}`),
    );
  for (const { base, shadow, instance, label } of mappings) {
    const [database, shadowDatabase] = [base.database, shadow.database].map(textOfBytes) as [string, string];
    const names = await readNames(connection, database, fold);
    const own = base.table === undefined ? undefined : textOfBytes(base.table);
    const tables = own === undefined ? (names?.tables ?? []) : [own];
    for (const table of tables) {
      if (own === undefined && (shadows.has(fold(`${database}.${table}`)) || isSaid(label, database, table))) continue;
      const shadowTable = shadow.table === undefined ? table : textOfBytes(shadow.table);
      const twin = { database: shadowDatabase, table: shadowTable };
      const pair = { base: { database, table }, shadow: twin, instance, label };
      pairs.set(JSON.stringify([pair.base, pair.shadow, instance?.name]), pair);
    }
    if (own === undefined && names === undefined)
      missing.set(database, {
        kind: 'base-table',
        severity: 'warning',
        server: undefined,
        where: database,
        found: 'no such database',
        expected: 'the database that the rules map',
        mend: 'make it, or mend the rule',
        ddl: [],
      });
  }
  return { pairs: [...pairs.values()], missing: [...missing.values()] };
}

/** Views are mapped by name as tables are. */
export function twinOf(mappings: readonly Mapping[], view: Name, fold: (name: string) => string): Name | undefined {
  const isOf = ({ base }: Mapping) => fold(textOfBytes(base.database)) === fold(view.database);
  const found =
    mappings.find(
      (each) => isOf(each) && each.base.table !== undefined && fold(textOfBytes(each.base.table)) === fold(view.table),
    ) ?? mappings.find((each) => isOf(each) && each.base.table === undefined);
  if (found === undefined || found.instance !== undefined) return undefined;
  const { database, table } = found.shadow;
  return { database: textOfBytes(database), table: table === undefined ? view.table : textOfBytes(table) };
}

/** Names of rules are byte strings. */
export function textOfBytes(name: string): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}
