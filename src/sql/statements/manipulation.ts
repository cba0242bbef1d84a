// INSERT, REPLACE, UPDATE, DELETE, LOAD and others that change rows: which of their tables are written, and which take no alias.
import type { Qualifier } from '../analysis.ts';
import { noteColumn } from '../tables/columns.ts';
import { isCte } from '../tables/ctes.ts';
import { readTables } from '../tables/query.ts';
import {
  behindParentheses,
  isAs,
  isName,
  misread,
  noteTable,
  type Reading,
  skipExpressions,
  spanOf,
  tokenAt,
  wordAt,
} from '../tables/reading.ts';
import { folded, nameOf } from '../tokens/token.ts';
import type { Read } from './read.ts';

/** Of all verbs; all of them are reserved. QUICK is no name either, but behind DELETE alone. */
const modifiers = new Set(['LOW_PRIORITY', 'DELAYED', 'HIGH_PRIORITY', 'IGNORE']);
const deleteModifiers = new Set([...modifiers, 'QUICK']);

export function readInsert(reading: Reading, from: number): Read {
  const verb = wordAt(reading, from) === 'REPLACE' ? 'REPLACE' : 'INSERT';
  const at = behindModifiers(reading, from + 1);
  const columns = readTarget(reading, wordAt(reading, at) === 'INTO' ? at + 1 : at);
  if (columns === undefined) return { verb, kind: 'write' };
  const isList = wordAt(reading, columns) === '(' && !opensQuery(reading, columns + 1);
  const source = isList ? behindParentheses(reading, columns) : columns;
  for (let column = columns; column < source; column += 1)
    if (isName(tokenAt(reading, column)) && wordAt(reading, column + 1) === '.') column = noteColumn(reading, column);
  const stopped = readTables(reading, source, 'query');
  if (stopped === source) misread(reading, stopped);
  return { verb, kind: 'write' };
}

function opensQuery(reading: Reading, at: number): boolean {
  const word = wordAt(reading, at);
  return word === 'SELECT' || word === 'WITH' || word === 'VALUES' || word === 'TABLE' || word === '(';
}

export function readUpdate(reading: Reading, from: number): Read {
  const at = behindModifiers(reading, from + 1);
  const portion = behindPortion(reading, at);
  if (portion === undefined) {
    if (readTables(reading, at, 'factor') < reading.tokens.length - 1) return { verb: 'UPDATE', kind: 'write' };
    markAssigned(reading);
  } else {
    readTarget(reading, at);
    readTables(reading, portion, 'joined');
  }
  return { verb: 'UPDATE', kind: 'write' };
}

/** `UPDATE t FOR PORTION OF …` takes no alias; the place of its SET, or undefined for what is none. */
function behindPortion(reading: Reading, at: number): number | undefined {
  const next = wordAt(reading, at + 1) === '.' ? at + 3 : at + 1;
  if (wordAt(reading, next) !== 'FOR' || wordAt(reading, next + 1) !== 'PORTION') return undefined;
  let set = next;
  while (set < reading.tokens.length && wordAt(reading, set) !== 'SET') set += 1;
  skipExpressions(reading, next, set);
  return set;
}

function markAssigned(reading: Reading): void {
  const { outer, assigned } = reading;
  // Of a column without qualifier nobody knows whose it is.
  const isAny = outer.length === 1 || assigned.includes(undefined);
  const marked = new Set<string>();
  for (const column of assigned) if (!isAny && column !== undefined) markMeant(reading, column, marked);
  for (const table of outer) if (isAny) table.isWritten = true;
  if (!outer.some(({ isWritten }) => isWritten)) misread(reading, reading.tokens.length);
}

/**
 * Marks the factors that a qualifier may mean as written; without databases that are known, a doubt counts for it. True
 * where there is one. `marked` are those that were asked for before: many may mean the same many.
 */
function markMeant(reading: Reading, { database, table }: Named, marked: Set<string>): boolean {
  const { mode, outer } = reading;
  const [alias, from] = [folded(table, mode), database === undefined ? undefined : folded(database, mode)];
  const key = from === undefined ? alias : `${from}\0${alias}`;
  if (marked.has(key)) return true;
  let isMeant = false;
  for (const factor of outer) {
    if (folded(factor.alias, mode) !== alias) continue;
    if (from !== undefined && factor.database !== undefined && folded(factor.database, mode) !== from) continue;
    factor.isWritten = true;
    isMeant = true;
  }
  if (isMeant) marked.add(key);
  return isMeant;
}

type Named = Pick<Qualifier, 'database' | 'table'>;

export function readDelete(reading: Reading, from: number): Read {
  const read = { verb: 'DELETE', kind: 'write' } as const;
  let at = behindModifiers(reading, from + 1, deleteModifiers);
  // Elsewhere it may be a table's name.
  const mayBeHistory = at === from + 1 && reading.mode.server.flavour === 'mariadb';
  if (mayBeHistory && wordAt(reading, at) === 'HISTORY' && wordAt(reading, at + 1) === 'FROM') at += 1;
  const isFromFirst = wordAt(reading, at) === 'FROM';
  const list = isFromFirst ? at + 1 : at;
  const behind = behindTargets(reading, list);
  if (wordAt(reading, behind) !== (isFromFirst ? 'USING' : 'FROM')) {
    if (isFromFirst) readDeleteOne(reading, list);
    else misread(reading, at);
    return read;
  }
  readTables(reading, behind + 1, 'factor');
  const marked = new Set<string>();
  for (let target = list; target < behind; ) target = markDeleted(reading, target, marked);
  return read;
}

function readDeleteOne(reading: Reading, at: number): void {
  let next = readTarget(reading, at);
  if (next === undefined) return;
  // MySQL 8.0.16 and MariaDB 11.6 allow an alias.
  const isWritten = isAs(wordAt(reading, next));
  const alias = tokenAt(reading, isWritten ? next + 1 : next);
  if (isWritten || alias.kind === 'name' || (alias.kind === 'word' && !behindTarget.has(alias.word))) {
    reading.target = undefined;
    next += isWritten ? 2 : 1;
  }
  if (wordAt(reading, next) === 'PARTITION') next = behindParentheses(reading, next + 1);
  const hasPeriod = wordAt(reading, next) === 'FOR' || wordAt(reading, next) === 'BEFORE';
  const period = next;
  while (hasPeriod && next < reading.tokens.length && !behindPeriod.has(wordAt(reading, next))) next += 1;
  skipExpressions(reading, period, next);
  if (next < reading.tokens.length && !behindPeriod.has(wordAt(reading, next))) misread(reading, next);
  readTables(reading, next, 'tail');
}

const behindPeriod = new Set(['WHERE', 'ORDER', 'LIMIT', 'RETURNING', ';']);
const behindTarget = new Set([...behindPeriod, 'PARTITION', 'FOR', 'BEFORE']);

/** Behind `orders, app.items.*` */
function behindTargets(reading: Reading, from: number): number {
  let at = from;
  for (;;) {
    if (!isName(tokenAt(reading, at))) return at;
    at += 1;
    while (wordAt(reading, at) === '.') at += 2;
    if (wordAt(reading, at) !== ',') return at;
    at += 1;
  }
}

/** Notes a target of several, and which factors it means; the place behind it and its comma. */
function markDeleted(reading: Reading, at: number, marked: Set<string>): number {
  const first = tokenAt(reading, at);
  const second = tokenAt(reading, at + 2);
  const isQualified = wordAt(reading, at + 1) === '.' && isName(second);
  const table = isQualified ? second : first;
  const target = {
    database: isQualified ? nameOf(reading.text, first) : undefined,
    table: nameOf(reading.text, table),
    from: first.from,
    to: table.to,
    databaseAt: isQualified ? spanOf(first) : undefined,
    tableAt: spanOf(table),
    of: 'deleted',
  } as const;
  reading.qualifiers.push(target);
  if (!markMeant(reading, target, marked)) misread(reading, at);
  let next = isQualified ? at + 3 : at + 1;
  if (wordAt(reading, next) === '.') next += 2;
  return next + 1;
}

/** The table that is written and takes no alias; where to read on, undefined where none is named. */
function readTarget(reading: Reading, at: number): number | undefined {
  const noted = noteTable(reading, at, { isWritten: true });
  if (noted === undefined) return undefined;
  // A MySQL takes it for the CTE, which nobody can write.
  if (noted.table.database === undefined && isCte(reading, noted.table.table)) misread(reading, at);
  reading.target = folded(noted.table.table, reading.mode);
  return wordAt(reading, noted.next) === 'PARTITION' ? behindParentheses(reading, noted.next + 1) : noted.next;
}

function behindModifiers(reading: Reading, from: number, allowed = modifiers): number {
  let at = from;
  while (allowed.has(wordAt(reading, at))) at += 1;
  return at;
}
