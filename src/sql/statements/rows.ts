// LOAD, TRUNCATE, HANDLER, DO, CALL and LOCK: what else reads, changes or holds rows.
import { noteSet } from '../tables/columns.ts';
import { readTables } from '../tables/query.ts';
import {
  behindParentheses,
  hinder,
  isAs,
  isName,
  misread,
  noteTable,
  type Reading,
  tokenAt,
  wordAt,
} from '../tables/reading.ts';
import { folded } from '../tokens/token.ts';
import type { Read } from './read.ts';

export function readLoad(reading: Reading, from: number): Read {
  const what = wordAt(reading, from + 1);
  if (what !== 'DATA' && what !== 'XML') {
    hinder(reading, 'server', `LOAD ${what}`);
    return { verb: 'LOAD', kind: 'unknown' };
  }
  const read = { verb: `LOAD ${what}`, kind: 'write' } as const;
  let at = from + 2;
  while (at < reading.tokens.length && !(wordAt(reading, at) === 'INTO' && wordAt(reading, at + 1) === 'TABLE'))
    at += 1;
  const noted = noteTable(reading, at + 2, { isWritten: true });
  if (noted === undefined) return read;
  reading.target = folded(noted.table.table, reading.mode);
  const isPartition = wordAt(reading, noted.next) === 'PARTITION';
  const rest = isPartition ? behindParentheses(reading, noted.next + 1) : noted.next;
  for (at = rest; at < reading.tokens.length && wordAt(reading, at) !== 'SET'; at += 1) {
    const token = tokenAt(reading, at);
    if (token.kind === 'variable') noteSet(reading, token);
  }
  readTables(reading, rest, 'tail');
  return read;
}

export function readTruncate(reading: Reading, from: number): Read {
  const isTable = wordAt(reading, from + 1) === 'TABLE' && isName(tokenAt(reading, from + 2));
  noteTable(reading, isTable ? from + 2 : from + 1, { isWritten: true });
  return { verb: 'TRUNCATE', kind: 'write' };
}

/** Only OPEN names a table; READ and CLOSE name what was opened by its alias, under whatever label. */
export function readHandler(reading: Reading, from: number): Read {
  const noted = noteTable(reading, from + 1);
  if (noted === undefined) return { verb: 'HANDLER', kind: 'read' };
  if (wordAt(reading, noted.next) === 'OPEN') {
    if (isName(tokenAt(reading, noted.next + 1)) || wordAt(reading, noted.next + 1) === '=')
      return { verb: 'HANDLER', kind: 'read' };
    noted.table.needs = 'alias';
    noted.table.aliasAt = tokenAt(reading, noted.next).to;
  } else {
    reading.tables.pop();
    readTables(reading, noted.next, 'tail');
    if (wordAt(reading, noted.next) !== 'CLOSE') hinder(reading, 'dynamic', 'what was opened before');
  }
  return { verb: 'HANDLER', kind: 'read' };
}

export function readDo(reading: Reading, from: number): Read {
  readTables(reading, from + 1, 'tail');
  return { verb: 'DO', kind: 'read' };
}

export function readCall(reading: Reading, from: number): Read {
  hinder(reading, 'call', 'CALL');
  for (let at = from; at < reading.tokens.length; at += 1) noteSet(reading, tokenAt(reading, at));
  readTables(reading, from + 1, 'tail');
  return { verb: 'CALL', kind: 'unknown' };
}

/** `LOCK TABLES orders WRITE, items AS i READ LOCAL` */
export function readLock(reading: Reading, from: number): Read {
  const what = wordAt(reading, from + 1);
  if (what !== 'TABLES' && what !== 'TABLE') {
    hinder(reading, 'server', `LOCK ${what}`);
    return { verb: 'LOCK', kind: 'unknown' };
  }
  for (let at = from + 2; at < reading.tokens.length; ) {
    const noted = noteTable(reading, at);
    if (noted === undefined) break;
    at = noted.next;
    const isWritten = isAs(wordAt(reading, at));
    const isAlias = isWritten || (isName(tokenAt(reading, at)) && !opensLock.has(wordAt(reading, at)));
    if (isAlias) at += isWritten ? 2 : 1;
    while (locks.has(wordAt(reading, at))) at += 1;
    noted.table.needs = isAlias ? 'itself' : 'lock';
    noted.table.aliasAt = tokenAt(reading, at - 1).to;
    if (wordAt(reading, at) !== ',') {
      if (at < reading.tokens.length && !behindLocks.has(wordAt(reading, at))) misread(reading, at);
      break;
    }
    at += 1;
  }
  return { verb: 'LOCK TABLES', kind: 'lock' };
}

/** All of them are reserved. */
const opensLock = new Set(['READ', 'WRITE', 'LOW_PRIORITY']);
const locks = new Set(['READ', 'LOCAL', 'WRITE', 'LOW_PRIORITY', 'CONCURRENT']);
const behindLocks = new Set([';', 'WAIT', 'NOWAIT']);

/** ANALYZE, CHECK, CHECKSUM, OPTIMIZE and REPAIR: names of tables, and options that matter to nobody here. */
export function readMaintenance(reading: Reading, from: number): Read {
  const verb = wordAt(reading, from);
  let at = from + 1;
  while (wordAt(reading, at) === 'NO_WRITE_TO_BINLOG' || wordAt(reading, at) === 'LOCAL') at += 1;
  const what = wordAt(reading, at);
  if (what !== 'TABLE' && what !== 'TABLES' && what !== 'VIEW') misread(reading, at);
  else readList(reading, at + 1, { isWritten: verb === 'REPAIR' || verb === 'OPTIMIZE' });
  return { verb: `${verb} TABLE`, kind: 'lock' };
}

/** `a, b.c`; the place behind the last. */
export function readList(reading: Reading, from: number, as: { readonly isWritten: boolean }): number {
  for (let at = from; ; at += 1) {
    const noted = noteTable(reading, at, as);
    if (noted === undefined) return at;
    at = noted.next;
    if (wordAt(reading, at) !== ',') return at;
  }
}
