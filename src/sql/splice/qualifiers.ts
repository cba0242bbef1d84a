// Qualifiers of columns that an alias cannot save: of a table that takes none, with a database, in the list of a DELETE.
import type { Qualifier, Statement, TableReference } from '../analysis.ts';
import type { Mode } from '../mode.ts';
import { folded } from '../tokens/token.ts';
import type { Edit } from './edits.ts';
import { writeName } from './quote.ts';
import type { Exchange } from './tables.ts';

type Given = {
  readonly text: string;
  readonly statement: Statement;
  readonly mode: Mode;
  readonly database: string | undefined;
  readonly exchanges: readonly Exchange[];
};

/** False where it cannot be told what a qualifier means after the exchange. */
export function editQualifiers(given: Given, edits: Edit[]): boolean {
  const { text, statement, mode } = given;
  const exchanged = new Map(given.exchanges.map((exchange) => [exchange.reference, exchange]));
  const byAlias = Map.groupBy(statement.tables, ({ alias }) => folded(alias, mode));
  // Many qualifiers are the same: each is looked up once.
  const found = new Map<string, Exchange | 'none' | 'doubt'>();
  for (const qualifier of statement.qualifiers) {
    const { databaseAt, tableAt, of } = qualifier;
    const alias = folded(qualifier.table, mode);
    const key = `${of}\0${alias}\0${qualifier.database ?? ''}`;
    const exchange = found.get(key) ?? meantBy(qualifier, byAlias.get(alias) ?? [], exchanged, given);
    found.set(key, exchange);
    if (exchange === 'doubt') return false;
    if (exchange === 'none') continue;
    const { shadow, reference } = exchange;
    if (of === 'deleted') {
      // What has got an alias is known by that alone.
      if (databaseAt !== undefined && reference.needs === 'alias')
        edits.push({ from: databaseAt.from, to: tableAt.from, text: '' });
      continue;
    }
    if (of === 'target' && shadow.table !== qualifier.table)
      edits.push({ ...tableAt, text: writeName(shadow.table, text.slice(tableAt.from, tableAt.to)) });
    if (databaseAt !== undefined && shadow.database !== qualifier.database)
      edits.push({ ...databaseAt, text: writeName(shadow.database, text.slice(databaseAt.from, databaseAt.to)) });
  }
  return true;
}

/** The exchange that a qualifier must follow: of the factors that it may mean, which all must go to one database. */
function meantBy(
  { database: named, of }: Qualifier,
  withAlias: readonly TableReference[],
  exchanged: ReadonlyMap<TableReference, Exchange>,
  { statement, mode, database }: Given,
): Exchange | 'none' | 'doubt' {
  let result: Exchange | 'none' = 'none';
  const databases = new Set<string | undefined>();
  for (const table of withAlias) {
    const own = table.database ?? database;
    if (named !== undefined && own !== undefined && folded(own, mode) !== folded(named, mode)) continue;
    if (of !== 'any' && !(table.isWritten && (of === 'deleted' || table.needs === 'itself'))) continue;
    const exchange = exchanged.get(table);
    databases.add(exchange?.shadow.database ?? own);
    if (exchange !== undefined) result = exchange;
  }
  if (result === 'none' || of === 'deleted') return result;
  if (databases.size > 1) return 'doubt';
  // Another table of the statement that is known by the shadow's name would take the qualifiers of the target.
  const { reference, shadow } = result;
  const name = folded(shadow.table, mode);
  const isTaken = (table: TableReference) => table !== reference && folded(table.alias, mode) === name;
  return of === 'target' && shadow.table !== reference.table && statement.tables.some(isTaken) ? 'doubt' : result;
}
