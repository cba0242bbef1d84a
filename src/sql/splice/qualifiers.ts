// Qualifiers of columns that an alias cannot save: of a table that takes none, with a database, in the list of a DELETE.
import type { Qualifier, Statement } from '../analysis.ts';
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
export function editQualifiers({ text, statement, mode, database, exchanges }: Given, edits: Edit[]): boolean {
  const exchanged = new Map(exchanges.map((exchange) => [exchange.reference, exchange]));
  const byAlias = Map.groupBy(statement.tables, ({ alias }) => folded(alias, mode));
  const found = new Map<string, Exchange | undefined | 'mixed'>();
  const exchangeOf = (qualifier: Qualifier): Exchange | undefined | 'mixed' => {
    const from = qualifier.database;
    const alias = folded(qualifier.table, mode);
    const key = `${qualifier.of}\0${alias}\0${from === undefined ? '' : folded(from, mode)}`;
    if (found.has(key)) return found.get(key);
    const meant = (byAlias.get(alias) ?? []).filter(
      (table) =>
        (from === undefined || table.database === undefined
          ? from === undefined || database === undefined || folded(database, mode) === folded(from, mode)
          : folded(table.database, mode) === folded(from, mode)) &&
        (qualifier.of === 'any' || (table.isWritten && (qualifier.of === 'deleted' || table.needs === 'itself'))),
    );
    const all = meant.map((table) => exchanged.get(table));
    const [first] = all;
    const result = all.every((other) => other?.shadow.database === first?.shadow.database) ? first : 'mixed';
    found.set(key, result);
    return result;
  };
  for (const qualifier of statement.qualifiers) {
    const exchange = exchangeOf(qualifier);
    if (exchange === 'mixed') return false;
    if (exchange === undefined) continue;
    const { shadow, reference } = exchange;
    const { databaseAt, tableAt } = qualifier;
    if (qualifier.of === 'deleted') {
      // What has got an alias is known by that alone.
      if (databaseAt !== undefined && reference.needs === 'alias')
        edits.push({ from: databaseAt.from, to: tableAt.from, text: '' });
      continue;
    }
    if (qualifier.of === 'target' && shadow.table !== qualifier.table) {
      if (isTaken(statement, exchange, mode)) return false;
      edits.push({ ...tableAt, text: writeName(shadow.table, text.slice(tableAt.from, tableAt.to)) });
    }
    if (databaseAt !== undefined && shadow.database !== qualifier.database)
      edits.push({ ...databaseAt, text: writeName(shadow.database, text.slice(databaseAt.from, databaseAt.to)) });
  }
  return true;
}

/** Another table of the statement is known by the shadow's name: it would take the qualifiers. */
function isTaken(statement: Statement, { reference, shadow }: Exchange, mode: Mode): boolean {
  const name = folded(shadow.table, mode);
  return statement.tables.some((table) => table !== reference && folded(table.alias, mode) === name);
}
