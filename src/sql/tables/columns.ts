// What stands in expressions and matters: qualifiers of columns, variables that are set, sequences.

import type { Qualifier } from '../analysis.ts';
import { folded, lowerCase, nameOf, type Token } from '../tokens/token.ts';
import { type Draft, isName, noteTable, type Reading, spanOf, tokenAt, wordAt } from './reading.ts';

/** The parts of `id`, `orders.id`, `app.orders.id`, `orders.*`, and the place of the last. */
export function readColumn(
  reading: Reading,
  at: number,
): { readonly qualifier: Draft<Qualifier> | undefined; readonly last: number } {
  const { text } = reading;
  const first = tokenAt(reading, at);
  if (wordAt(reading, at + 1) !== '.') return { qualifier: undefined, last: at };
  const second = tokenAt(reading, at + 2);
  if (wordAt(reading, at + 3) === '.' && isName(second)) {
    const qualifier = {
      database: nameOf(text, first),
      table: nameOf(text, second),
      from: first.from,
      to: second.to,
      databaseAt: spanOf(first),
      tableAt: spanOf(second),
      of: 'any',
    } as const;
    return { qualifier, last: at + 4 };
  }
  // A function of a database: `app.f(x)`.
  if (wordAt(reading, at + 3) === '(') return { qualifier: undefined, last: at + 2 };
  const { from, to } = first;
  const qualifier = {
    database: undefined,
    table: nameOf(text, first),
    from,
    to,
    databaseAt: undefined,
    tableAt: spanOf(first),
    of: 'any',
  } as const;
  return { qualifier, last: at + 2 };
}

/** Notes what a column says about the target, or about a database; the place of its last token. HOT */
export function noteColumn(reading: Reading, at: number): number {
  const { target } = reading;
  if (target === undefined && wordAt(reading, at + 3) !== '.') return at + 2;
  const { qualifier, last } = readColumn(reading, at);
  if (qualifier === undefined) return last;
  if (target !== undefined && folded(qualifier.table, reading.mode) === target)
    reading.pending.push({ ...qualifier, of: 'target' });
  else if (qualifier.database !== undefined) reading.qualifiers.push(qualifier);
  return last;
}

/** `@x := …` sets a variable wherever it stands. */
export function noteVariable(reading: Reading, at: number): void {
  if (wordAt(reading, at + 1) === ':' && wordAt(reading, at + 2) === '=') noteSet(reading, tokenAt(reading, at));
}

/** A user variable has a value that nobody knows. */
export function noteSet(reading: Reading, token: Token): void {
  const name = variableName(reading, token);
  if (name !== undefined) reading.changes.push({ what: 'variable', name, value: undefined });
}

/** In lower case; undefined for what is no user variable. */
export function variableName({ text }: Reading, token: Token): string | undefined {
  if (token.kind !== 'variable' || text.charCodeAt(token.from + 1) === 0x40) return undefined;
  const mark = text[token.from + 1];
  if (mark === "'" || mark === '"' || mark === '`')
    return lowerCase(text.slice(token.from + 2, token.to - 1).replaceAll(mark + mark, mark));
  return lowerCase(text.slice(token.from + 1, token.to));
}

/** Words that begin what names a sequence. */
export const ofSequence: ReadonlySet<string> = new Set(['NEXT', 'PREVIOUS', 'NEXTVAL', 'LASTVAL', 'SETVAL']);

/** `NEXT VALUE FOR s`, `NEXTVAL(s)`, …; the place of the last token of it. A number is taken, but no row changes. */
export function readSequence(reading: Reading, at: number): number {
  const next = wordAt(reading, at + 1);
  const isStandard = next === 'VALUE' && wordAt(reading, at + 2) === 'FOR';
  if (!isStandard && next !== '(') return at;
  const from = isStandard ? at + 3 : at + 2;
  if (!isName(tokenAt(reading, from))) return at;
  // In MySQL it may be a function of somebody's own, of a column.
  if (!isStandard && reading.mode.server.flavour !== 'mariadb') return at;
  const noted = noteTable(reading, from, { isWritten: wordAt(reading, at) === 'SETVAL' });
  if (noted === undefined) return at;
  return isStandard ? noted.next - 1 : at;
}

/** Behind INTO: a file of the server, or variables; the place of the last token of it. */
export function readInto(reading: Reading, at: number): number {
  let last = at;
  while (tokenAt(reading, last + 1).kind === 'variable') {
    noteSet(reading, tokenAt(reading, last + 1));
    last += 1;
    if (wordAt(reading, last + 1) !== ',') break;
    last += 1;
  }
  return last;
}
