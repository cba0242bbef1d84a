// Which reader a statement's first word calls.
import { noteSet } from '../tables/columns.ts';
import { readTables } from '../tables/query.ts';
import { hinder, isName, type Reading, tokenAt, wordAt } from '../tables/reading.ts';
import { lowerCase, nameOf } from '../tokens/token.ts';
import { readAlter, readCreate, readDrop, readRename } from './definition.ts';
import { type Inner, readDeallocate, readExecute, readPrepare } from './dynamic.ts';
import { readDelete, readInsert, readUpdate } from './manipulation.ts';
import type { Read, Reader } from './read.ts';
import { readCall, readDo, readHandler, readList, readLoad, readLock, readMaintenance, readTruncate } from './rows.ts';
import { readSet, readUse } from './settings.ts';
import { readExplain, readShow } from './show.ts';

const readers = new Map<string, Reader>([
  ['SELECT', readQuery],
  ['WITH', readQuery],
  ['VALUES', readQuery],
  ['TABLE', readQuery],
  ['(', readQuery],
  ['INSERT', readInsert],
  ['REPLACE', readInsert],
  ['UPDATE', readUpdate],
  ['DELETE', readDelete],
  ['LOAD', readLoad],
  ['TRUNCATE', readTruncate],
  ['HANDLER', readHandler],
  ['DO', readDo],
  ['CALL', readCall],
  ['LOCK', readLock],
  ['CHECK', readMaintenance],
  ['CHECKSUM', readMaintenance],
  ['OPTIMIZE', readMaintenance],
  ['REPAIR', readMaintenance],
  ['ANALYZE', readAnalyze],
  ['CREATE', readCreate],
  ['ALTER', readAlter],
  ['DROP', readDrop],
  ['RENAME', readRename],
  ['SET', readSettings],
  ['USE', readUse],
  ['SHOW', readShow],
  ['EXPLAIN', (reading, at) => readExplain(reading, at, readVerb)],
  ['DESCRIBE', (reading, at) => readExplain(reading, at, readVerb)],
  ['DESC', (reading, at) => readExplain(reading, at, readVerb)],
  ['DEALLOCATE', readDeallocate],
  ['FLUSH', readFlush],
  ['BEGIN', readBegin],
  ['START', readStart],
  ['UNLOCK', plain],
  ['COMMIT', plain],
  ['ROLLBACK', plain],
  ['SAVEPOINT', plain],
  ['RELEASE', plain],
  ['XA', plain],
  ['HELP', plain],
  ['KILL', plain],
  ['GET', readDiagnostics],
  ['SIGNAL', plain],
  ['RESIGNAL', plain],
]);

const forEverybody = new Set([
  ...['GRANT', 'REVOKE', 'RESET', 'PURGE', 'CHANGE', 'STOP', 'SHUTDOWN', 'RESTART', 'INSTALL', 'UNINSTALL', 'CACHE'],
  ...['BINLOG', 'CLONE', 'IMPORT', 'BACKUP'],
]);

/** Reads a statement from its verb on; `inner` reads texts in literals of it. */
export function readStatementAt(reading: Reading, at: number, inner: Inner): Read {
  switch (wordAt(reading, at)) {
    case 'PREPARE':
      return readPrepare(reading, at, inner);
    case 'EXECUTE':
      return readExecute(reading, at, inner);
    default:
      return readVerb(reading, at);
  }
}

function readVerb(reading: Reading, at: number): Read {
  const verb = wordAt(reading, at);
  const reader = readers.get(verb);
  if (reader !== undefined) return reader(reading, at);
  const { from, to } = tokenAt(reading, at);
  if (forEverybody.has(verb)) {
    hinder(reading, 'server', verb);
    return { verb, kind: 'definition' };
  }
  hinder(reading, 'unknown-verb', reading.text.slice(from, to).slice(0, 40));
  return { verb: '?', kind: 'unknown' };
}

/** A query, or behind its CTEs a statement that changes rows. */
function readQuery(reading: Reading, from: number): Read {
  const at = readTables(reading, from, 'query');
  const word = wordAt(reading, at);
  if (at >= reading.tokens.length || word === ';') return { verb: 'SELECT', kind: 'read' };
  if (word === 'UPDATE') return readUpdate(reading, at);
  if (word === 'DELETE') return readDelete(reading, at);
  if (word === 'INSERT' || word === 'REPLACE') return readInsert(reading, at);
  hinder(reading, 'unread', word);
  return { verb: 'SELECT', kind: 'unknown' };
}

/** MariaDB's `SET STATEMENT x = 1 FOR …`, or a SET. */
function readSettings(reading: Reading, from: number): Read {
  if (wordAt(reading, from + 1) !== 'STATEMENT' || !isName(tokenAt(reading, from + 2))) return readSet(reading, from);
  let at = from + 2;
  let isReadOtherwise = false;
  for (; at < reading.tokens.length && wordAt(reading, at) !== 'FOR'; at += 1) {
    const token = tokenAt(reading, at);
    const name = isName(token) ? lowerCase(nameOf(reading.text, token)) : '';
    if (name !== 'sql_mode' && name !== 'character_set_client') continue;
    isReadOtherwise = true;
    hinder(reading, 'unread', name);
  }
  const read = readVerb(reading, at + 1);
  // Behind it all is as before, whatever a SET in it has set.
  if (isReadOtherwise) reading.changes.push({ what: 'sqlMode', value: undefined });
  return read;
}

function readAnalyze(reading: Reading, from: number): Read {
  const next = wordAt(reading, from + 1);
  const isOfTables = next === 'TABLE' || next === 'TABLES' || next === 'LOCAL' || next === 'NO_WRITE_TO_BINLOG';
  return isOfTables ? readMaintenance(reading, from) : readExplain(reading, from, readVerb);
}

/** With names it is about those; without, it holds or forgets what everybody has. */
function readFlush(reading: Reading, from: number): Read {
  const local = wordAt(reading, from + 1);
  const at = local === 'LOCAL' || local === 'NO_WRITE_TO_BINLOG' ? from + 2 : from + 1;
  const isOfTables = wordAt(reading, at) === 'TABLE' || wordAt(reading, at) === 'TABLES';
  if (isOfTables && isName(tokenAt(reading, at + 1)) && wordAt(reading, at + 1) !== 'WITH')
    readList(reading, at + 1, { isWritten: false });
  else hinder(reading, 'server', 'FLUSH');
  return { verb: 'FLUSH', kind: 'lock' };
}

function readBegin(reading: Reading, at: number): Read {
  const next = wordAt(reading, at + 1);
  if (at + 1 < reading.tokens.length && next !== ';' && next !== 'WORK') hinder(reading, 'routine', 'BEGIN');
  return { verb: 'BEGIN', kind: reading.obstacle === undefined ? 'session' : 'unknown' };
}

function readStart(reading: Reading, at: number): Read {
  if (wordAt(reading, at + 1) !== 'TRANSACTION') hinder(reading, 'server', 'START');
  return { verb: 'START', kind: 'session' };
}

function readDiagnostics(reading: Reading, from: number): Read {
  for (let at = from; at < reading.tokens.length; at += 1) noteSet(reading, tokenAt(reading, at));
  return { verb: 'GET', kind: 'session' };
}

function plain(reading: Reading, at: number): Read {
  return { verb: wordAt(reading, at), kind: 'session' };
}
