// CREATE, ALTER, DROP and RENAME: which tables they define, and which they only name.
import { ofSequence, readSequence } from '../tables/columns.ts';
import { readTables } from '../tables/query.ts';
import {
  behindParentheses,
  hinder,
  isName,
  misread,
  noteTable,
  type Reading,
  tokenAt,
  wordAt,
} from '../tables/reading.ts';
import type { Read } from './read.ts';
import { readList } from './rows.ts';

const routines = new Set(['PROCEDURE', 'FUNCTION', 'EVENT', 'PACKAGE', 'AGGREGATE']);
const written = { isWritten: true };

/** Words between CREATE and what is created. */
const before = new Set([
  'OR',
  'REPLACE',
  'UNIQUE',
  'FULLTEXT',
  'SPATIAL',
  'VECTOR',
  'ONLINE',
  'OFFLINE',
  'UNDO',
  'SQL',
]);
const settings = new Set(['ALGORITHM', 'DEFINER', 'SECURITY']);

export function readCreate(reading: Reading, from: number): Read {
  const at = behindSettings(reading, from + 1);
  const what = wordAt(reading, at);
  if (what === 'TEMPORARY') return readCreateTable(reading, at + 1, { isTemporary: true });
  if (what === 'TABLE') return readCreateTable(reading, at, { isTemporary: false });
  const read = { verb: `CREATE ${what}`, kind: 'definition' } as const;
  const named = behindConditions(reading, at + 1);
  if (routines.has(what)) return routine(reading, `CREATE ${what}`);
  if (what === 'TRIGGER') return readTrigger(reading, named);
  if (what === 'INDEX') readIndex(reading, named);
  else if (what === 'SEQUENCE') noteTable(reading, named, written);
  else if (what === 'VIEW') {
    const noted = noteTable(reading, named, written);
    if (noted === undefined) return read;
    const columns = wordAt(reading, noted.next) === '(' ? behindParentheses(reading, noted.next) : noted.next;
    if (wordAt(reading, columns) !== 'AS') misread(reading, columns);
    readTables(reading, columns + 1, 'query');
  } else return server(reading, 'CREATE', at);
  return read;
}

function readCreateTable(reading: Reading, from: number, { isTemporary }: { readonly isTemporary: boolean }): Read {
  const verb = isTemporary ? 'CREATE TEMPORARY TABLE' : 'CREATE TABLE';
  const kind = isTemporary ? 'write' : 'definition';
  if (isTemporary && wordAt(reading, from) === 'SEQUENCE') return server(reading, 'CREATE TEMPORARY', from);
  const noted = noteTable(reading, behindConditions(reading, from + 1), written);
  if (noted === undefined) return { verb, kind };
  noted.table.isTemporary = isTemporary;
  let at = noted.next;
  const isLikeInside = wordAt(reading, at) === '(' && wordAt(reading, at + 1) === 'LIKE';
  if (wordAt(reading, at) === 'LIKE' || isLikeInside) noteTable(reading, isLikeInside ? at + 2 : at + 1);
  else {
    if (wordAt(reading, at) === '(' && !isQuery(reading, at + 1)) at = behindParentheses(reading, at);
    readColumns(reading, noted.next, at);
    const query = readOptions(reading, at);
    if (query < reading.tokens.length) readTables(reading, query, 'query');
  }
  return { verb, kind };
}

/** Options of a table and its partitions, up to a query that fills it: the place of that, or the end. */
function readOptions(reading: Reading, from: number): number {
  for (let at = from; at < reading.tokens.length; at += 1) {
    const token = tokenAt(reading, at);
    if (token.word === '(') {
      if (isQuery(reading, at + 1)) return at;
      at = behindParentheses(reading, at) - 1;
    } else if (token.word === 'UNION' && !isQuery(reading, at + 1)) at = readMerged(reading, at);
    else if (
      token.word === 'SELECT' ||
      token.word === 'TABLE' ||
      (token.word === 'VALUES' && wordAt(reading, at + 1) !== 'LESS' && wordAt(reading, at + 1) !== 'IN')
    )
      return at;
    else if (
      token.word === 'WITH' &&
      (wordAt(reading, at + 2) === 'AS' || wordAt(reading, at + 1) === 'RECURSIVE' || wordAt(reading, at + 2) === '(')
    )
      return at;
  }
  return reading.tokens.length;
}

function isQuery(reading: Reading, at: number): boolean {
  let first = at;
  while (wordAt(reading, first) === '(') first += 1;
  const word = wordAt(reading, first);
  return word === 'SELECT' || word === 'WITH' || word === 'VALUES' || word === 'TABLE';
}

/** `UNION = (a, b)` of a MERGE table. */
function readMerged(reading: Reading, at: number): number {
  const list = wordAt(reading, at + 1) === '=' ? at + 2 : at + 1;
  if (wordAt(reading, list) !== '(') return at;
  const { closing } = tokenAt(reading, list);
  if (list + 1 < closing) readList(reading, list + 1, { isWritten: true });
  return closing;
}

/** Tables that foreign keys name, and sequences of which defaults take the next number. */
function readColumns(reading: Reading, from: number, to: number): void {
  for (let at = from; at < to; at += 1) {
    const word = wordAt(reading, at);
    if (word === 'REFERENCES' && isName(tokenAt(reading, at + 1))) noteTable(reading, at + 1);
    else if (ofSequence.has(word)) readSequence(reading, at);
  }
}

function readIndex(reading: Reading, from: number): void {
  let at = from;
  while (at < reading.tokens.length && wordAt(reading, at) !== 'ON') at += 1;
  noteTable(reading, at + 1, written);
}

function readTrigger(reading: Reading, from: number): Read {
  const verb = 'CREATE TRIGGER';
  let at = from;
  while (at < reading.tokens.length && wordAt(reading, at) !== 'ON') at += 1;
  const noted = noteTable(reading, at + 1, written);
  // A body of assignments alone reaches no table but by queries in parentheses, which are read.
  const body = noted === undefined ? at : noted.next + 3;
  if (wordAt(reading, body - 1) !== 'ROW' || wordAt(reading, body) !== 'SET') return routine(reading, verb);
  readTables(reading, body, 'query');
  return { verb, kind: 'definition' };
}

function routine(reading: Reading, verb: string): Read {
  hinder(reading, 'routine', verb);
  return { verb, kind: 'definition' };
}

export function readAlter(reading: Reading, from: number): Read {
  const at = behindSettings(reading, from + 1, new Set(['IGNORE']));
  const what = wordAt(reading, at);
  if (what === 'VIEW') return readCreate(reading, from);
  if (routines.has(what)) return routine(reading, `ALTER ${what}`);
  if (what !== 'TABLE' && what !== 'SEQUENCE') return server(reading, 'ALTER', at);
  const noted = noteTable(reading, behindConditions(reading, at + 1), written);
  for (let next = noted?.next ?? reading.tokens.length; next < reading.tokens.length; next += 1) {
    const word = wordAt(reading, next);
    const then = wordAt(reading, next + 1);
    if (word === 'REFERENCES') noteTable(reading, next + 1);
    else if (ofSequence.has(word)) readSequence(reading, next);
    else if (word === 'UNION') next = readMerged(reading, next);
    else if (word === 'RENAME' && !notTables.has(then)) {
      const isWord = then === 'TO' || then === 'AS' || then === '=';
      next = (noteTable(reading, isWord ? next + 2 : next + 1, written)?.next ?? next + 1) - 1;
    } else if (word === 'TABLE') next = (noteTable(reading, next + 1, written)?.next ?? next + 1) - 1;
  }
  return { verb: `ALTER ${what}`, kind: 'definition' };
}

const notTables = new Set(['COLUMN', 'INDEX', 'KEY']);

export function readDrop(reading: Reading, from: number): Read {
  const isTemporary = wordAt(reading, from + 1) === 'TEMPORARY';
  const at = isTemporary ? from + 2 : from + 1;
  const what = wordAt(reading, at);
  if (what === 'TABLE' || what === 'TABLES' || what === 'VIEW' || what === 'SEQUENCE') {
    const first = reading.tables.length;
    readList(reading, behindConditions(reading, at + 1), written);
    for (const table of reading.tables.slice(first)) table.isTemporary = isTemporary;
    const kind = isTemporary ? 'write' : 'definition';
    return { verb: isTemporary ? 'DROP TEMPORARY TABLE' : `DROP ${what}`, kind };
  }
  if (what === 'INDEX') {
    readIndex(reading, at + 1);
    return { verb: 'DROP INDEX', kind: 'definition' };
  }
  if (what === 'PREPARE') {
    reading.prepared = undefined;
    return { verb: 'DROP PREPARE', kind: 'session' };
  }
  return server(reading, 'DROP', at);
}

export function readRename(reading: Reading, from: number): Read {
  const what = wordAt(reading, from + 1);
  if (what !== 'TABLE' && what !== 'TABLES') return server(reading, 'RENAME', from + 1);
  for (let at = behindConditions(reading, from + 2); ; at += 1) {
    const old = noteTable(reading, at, written);
    let to = old?.next ?? at;
    while (to < reading.tokens.length && wordAt(reading, to) !== 'TO') to += 1;
    const renamed = noteTable(reading, to + 1, written);
    at = renamed?.next ?? at;
    if (renamed === undefined || wordAt(reading, at) !== ',') break;
  }
  return { verb: 'RENAME TABLE', kind: 'definition' };
}

/** What is no table's definition, but the server's. */
function server(reading: Reading, verb: string, at: number): Read {
  const token = tokenAt(reading, at);
  hinder(reading, 'server', `${verb} ${reading.text.slice(token.from, token.to).slice(0, 40)}`);
  return { verb, kind: 'definition' };
}

/** `OR REPLACE`, `ALGORITHM = MERGE`, `DEFINER = 'a'@'b'`, `SQL SECURITY INVOKER`, … */
function behindSettings(reading: Reading, from: number, more: ReadonlySet<string> = new Set()): number {
  let at = from;
  for (;;) {
    const word = wordAt(reading, at);
    if (before.has(word) || more.has(word)) at += 1;
    else if (!settings.has(word)) return at;
    else {
      at += wordAt(reading, at + 1) === '=' ? 3 : 2;
      if (word === 'DEFINER' && tokenAt(reading, at).kind === 'variable') at += 1;
      if (wordAt(reading, at) === '(' && word === 'DEFINER') at = behindParentheses(reading, at);
    }
  }
}

/** `IF NOT EXISTS`, `IF EXISTS` */
function behindConditions(reading: Reading, at: number): number {
  if (wordAt(reading, at) !== 'IF') return at;
  if (wordAt(reading, at + 1) === 'EXISTS') return at + 2;
  return wordAt(reading, at + 1) === 'NOT' ? at + 3 : at;
}
