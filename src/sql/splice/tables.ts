// Puts a shadow's name in the place of a table's, with the alias by which the rest of the statement still finds it.
import type { Statement, TableReference } from '../analysis.ts';
import type { TableName } from '../shadows.ts';
import { lowerCase } from '../tokens/token.ts';
import type { Edit } from './edits.ts';
import { writeName } from './quote.ts';

/** A reference with the table that it means, and what shall be named instead. */
export type Exchange = { readonly reference: TableReference; readonly table: TableName; readonly shadow: TableName };

export function editTable(
  text: string,
  { reference, shadow }: Exchange,
  { statement, database }: { readonly statement: Statement; readonly database: string | undefined },
  edits: Edit[],
): void {
  const { databaseAt, tableAt, aliasAt } = reference;
  const source = text.slice(tableAt.from, tableAt.to);
  const table = writeName(shadow.table, source);
  const qualified = `${writeName(shadow.database, source)}.${table}`;
  // Without its database it could be read as a CTE of the same name.
  const isHidden = statement.ctes.size > 0 && statement.ctes.has(lowerCase(shadow.table));
  const isQualified = databaseAt === undefined && (isHidden || shadow.database !== database);
  edits.push({ ...tableAt, text: isQualified ? qualified : table });
  if (databaseAt !== undefined && shadow.database !== reference.database)
    edits.push({ ...databaseAt, text: writeName(shadow.database, text.slice(databaseAt.from, databaseAt.to)) });
  const alias = writeName(reference.table, source);
  if (reference.needs === 'alias') edits.push({ from: aliasAt, to: aliasAt, text: ` AS ${alias}` });
  // INSERT takes no alias and so needs a lock of the name itself; SELECT needs one of the alias.
  if (reference.needs === 'lock')
    edits.push({ from: aliasAt, to: aliasAt, text: `, ${qualified} AS ${alias}${text.slice(tableAt.to, aliasAt)}` });
}
