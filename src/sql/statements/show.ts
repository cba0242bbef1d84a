// SHOW, DESCRIBE and EXPLAIN: they name tables, and change nothing.
import { readInto } from '../tables/columns.ts';
import { readTables } from '../tables/query.ts';
import { isName, misread, noteTable, type Reading, spanOf, tokenAt, wordAt } from '../tables/reading.ts';
import { nameOf } from '../tokens/token.ts';
import type { Read, Reader } from './read.ts';

const ofTable = new Set(['COLUMNS', 'FIELDS', 'INDEX', 'INDEXES', 'KEYS']);
const created = new Set(['TABLE', 'VIEW', 'SEQUENCE']);

export function readShow(reading: Reading, from: number): Read {
  const read = { verb: 'SHOW', kind: 'session' } as const;
  let at = from + 1;
  while (wordAt(reading, at) === 'FULL' || wordAt(reading, at) === 'EXTENDED') at += 1;
  const what = wordAt(reading, at);
  if (what === 'CREATE' && created.has(wordAt(reading, at + 1))) {
    const name = wordAt(reading, at + 2) === 'IF' ? at + 5 : at + 2;
    noteTable(reading, name);
    return { ...read, kind: 'read' };
  }
  let rest = at;
  if (ofTable.has(what)) {
    const noted = noteTable(reading, at + 2);
    if (noted === undefined) return read;
    rest = noted.next;
    const database = tokenAt(reading, rest + 1);
    if ((wordAt(reading, rest) === 'FROM' || wordAt(reading, rest) === 'IN') && isName(database)) {
      // It is this that counts, even where the table is qualified.
      noted.table.database = nameOf(reading.text, database);
      noted.table.from = noted.table.tableAt.from;
      noted.table.databaseAt = spanOf(database);
      rest += 2;
    }
  }
  // A WHERE may hold queries. What is before it has FROMs that name databases.
  while (rest < reading.tokens.length && wordAt(reading, rest) !== 'WHERE') rest += 1;
  readTables(reading, rest, 'tail');
  return reading.tables.length > 0 ? { ...read, kind: 'read' } : read;
}

const explained = new Set([...['SELECT', 'INSERT', 'REPLACE', 'UPDATE', 'DELETE', 'WITH', 'VALUES', 'TABLE', '(']]);
const options = new Set(['EXTENDED', 'PARTITIONS', 'ANALYZE']);

/** Behind `FORMAT = JSON`, `EXTENDED`, …, and MySQL's `INTO @plan`. */
function behindOptions(reading: Reading, from: number): number {
  let at = from;
  for (;;) {
    if (wordAt(reading, at) === 'FORMAT' && wordAt(reading, at + 1) === '=') at += 3;
    else if (options.has(wordAt(reading, at))) at += 1;
    else return wordAt(reading, at) === 'INTO' ? readInto(reading, at) + 1 : at;
  }
}

/** `inner` reads the statement that is explained. */
export function readExplain(reading: Reading, from: number, inner: Reader): Read {
  const verb = wordAt(reading, from);
  const named = from + 1;
  const at = behindOptions(reading, named);
  if (explained.has(wordAt(reading, at))) {
    const { kind } = inner(reading, at);
    // MariaDB's ANALYZE does what it explains.
    if (verb === 'ANALYZE') return { verb, kind };
    for (const table of reading.tables) table.isWritten = false;
    return { verb: 'EXPLAIN', kind: 'read' };
  }
  const isFor = wordAt(reading, at) === 'FOR';
  if (isFor && wordAt(reading, at + 1) === 'CONNECTION' && verb !== 'ANALYZE')
    return { verb: 'EXPLAIN', kind: 'session' };
  // `EXPLAIN extended` is of a table of that name. `FOR SCHEMA app SELECT …` would be read with another default database.
  const isTable = at === named || wordAt(reading, named) === 'EXTENDED' || wordAt(reading, named) === 'PARTITIONS';
  if (isTable && !isFor && verb !== 'ANALYZE') noteTable(reading, named);
  else misread(reading, at);
  return { verb: 'EXPLAIN', kind: 'read' };
}
