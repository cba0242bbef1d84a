// Finds every table that a query, or the rest of a statement, names: one pass, and a stack of parentheses instead of a tree.
import type { Token } from '../tokens/token.ts';
import { noteColumn, noteVariable, readColumn, readInto, readSequence } from './columns.ts';
import { behindCycle, closeCte, hideCtes, isWith, readCte, readWith } from './ctes.ts';
import { behindIndexHint, readAlias, readFactor, settle } from './factor.ts';
import { closeBlock, type Frame, openFrame, openInside, type State } from './frame.ts';
import { closeItem, openItem } from './labels.ts';
import { hinder, isName, misread, noteTable, type Reading, tokenAt, wordAt } from './reading.ts';

/**
 * Reads from this place to the end of the statement and notes the tables. Where a query should begin and another
 * statement does (an UPDATE behind its CTEs), it stops at its verb: the place where it stopped. HOT
 */
export function readTables(reading: Reading, from: number, state: State): number {
  const { tokens } = reading;
  const frames: Frame[] = [openFrame(state, reading.pending.length)];
  let frame = frames[0] as Frame;
  frame.isOuter = true;
  let at = from;
  for (; at < tokens.length; at += 1) {
    const token = tokens[at] as Token;
    if (frame.state === 'alias' && token.word !== '(') {
      at = readAlias(frame, reading, at);
    } else if (token.word === '(') {
      frame = openInside(frame, reading);
      frames.push(frame);
    } else if (token.word === ')') {
      const inner = frame;
      frames.pop();
      frame = frames[frames.length - 1] ?? openFrame('tail', 0);
      if (inner.state === 'list') closeItem(inner, reading, at);
      close(inner, reading, frame);
      if (frame.state === 'cte-body') closeCte(frame, reading);
    } else if (token.kind === 'symbol') {
      if (token.word === ';') break;
      if (token.word === ',' && frame.state === 'list') {
        closeItem(frame, reading, at);
        openItem(frame, reading, at + 1);
      }
      // Where a table should be: what seemed to be none was one.
      if (token.word === ',' && frame.state === 'factor') misread(reading, at);
      readSymbol(frame, token.word);
      // `{ OJ …}`: in MariaDB any name says what the braces are, before tables as in expressions.
      if (token.word === '{' && isName(tokenAt(reading, at + 1))) at += 1;
    } else if (token.kind === 'variable') {
      noteVariable(reading, at);
      frame.isFresh = false;
    } else {
      const last = readWord({ frame, reading, at, isTop: frames.length === 1 });
      if (last === undefined) break;
      at = last;
    }
  }
  if (frame.state === 'list') closeItem(frame, reading, at);
  // CTEs of the statement stay in scope for a caller that reads on.
  if (at >= tokens.length || wordAt(reading, at) === ';') close(frame, reading);
  else closeBlock(frame, reading);
  return at;
}

function close(frame: Frame, reading: Reading, around?: Frame): void {
  if (frame.state === 'alias') settle(frame, reading, frame.factor?.alias);
  if (frame.isJoin && around !== undefined) around.hidesTarget ||= frame.hidesTarget;
  else closeBlock(frame, reading);
  hideCtes(frame, reading);
}

function readSymbol(frame: Frame, word: string): void {
  if (word === ',') {
    if (frame.state === 'joined') frame.state = 'factor';
    else if (frame.state === 'behind-cte') frame.state = 'cte';
    frame.isFresh = frame.state === 'assignments';
  } else if (word !== '{' && word !== '.') frame.isFresh = false;
}

/** Reserved words before the dot of `.orders`, which is a name of the default database; the lexer made a name of `from.x`. */
const neverQualifies = new Set([
  ...['SELECT', 'FROM', 'JOIN', 'STRAIGHT_JOIN', 'INTO', 'SET', 'TABLE', 'DISTINCT', 'ALL', 'BY', 'WHERE', 'HAVING'],
  ...['ON', 'USING', 'AND', 'OR', 'NOT', 'IN', 'LIKE', 'BETWEEN', 'CASE', 'WHEN', 'THEN', 'ELSE', 'UPDATE', 'XOR'],
  ...['DISTINCTROW', 'DIV', 'MOD', 'REGEXP', 'RLIKE', 'BINARY', 'INTERVAL', 'RETURNING'],
]);

type Place = { readonly frame: Frame; readonly reading: Reading; readonly at: number; readonly isTop: boolean };

/** A word, a name or a literal: the place of the last token that belongs to it, undefined where another verb begins. */
function readWord(place: Place): number | undefined {
  const { frame, reading, at } = place;
  const token = tokenAt(reading, at);
  const isFresh = frame.isFresh;
  frame.isFresh = false;
  if (frame.state === 'behind-cte') {
    const next = behindCycle(reading, at);
    if (next > at) return next - 1;
    frame.state = 'query';
  }
  if (isFresh && (frame.state === 'expression' || frame.state === 'factor') && opensQuery(reading, at)) {
    frame.state = 'query';
    frame.isOuter = false;
    frame.isJoin = false;
  }
  switch (frame.state) {
    case 'query':
      return beginQuery(place);
    case 'factor':
      // Elsewhere it is a name in MariaDB.
      if (token.word === 'LATERAL' && wordAt(reading, at + 1) === '(') return at;
      return readFactor(frame, reading, at);
    case 'cte':
      return readCte(frame, reading, at);
    default:
  }
  if (!isName(token)) return at;
  if (frame.state === 'assignments' && isFresh) {
    const { qualifier } = readColumn(reading, at);
    reading.assigned.push(qualifier);
  }
  if (wordAt(reading, at + 1) === '.' && !neverQualifies.has(token.word)) return noteColumn(reading, at);
  if (token.kind !== 'word') return at;
  const wasList = frame.state === 'list';
  const last = readKeyword(place, token.word);
  if (wasList && (frame.state !== 'list' || token.word === 'INTO')) closeItem(frame, reading, at);
  return last;
}

function opensQuery(reading: Reading, at: number): boolean {
  const word = wordAt(reading, at);
  return word === 'SELECT' || word === 'VALUES' || word === 'TABLE' || (word === 'WITH' && isWith(reading, at));
}

function beginQuery({ frame, reading, at, isTop }: Place): number | undefined {
  closeBlock(frame, reading);
  switch (wordAt(reading, at)) {
    case 'SELECT':
      frame.state = 'list';
      openItem(frame, reading, at + 1);
      return at;
    case 'WITH':
      if (isWith(reading, at)) return readWith(frame, reading, at);
      break;
    case 'VALUES':
    case 'VALUE':
    case 'SET':
      frame.state = 'tail';
      return at;
    case 'TABLE': {
      frame.state = 'tail';
      const noted = noteTable(reading, at + 1);
      return noted === undefined ? at : noted.next - 1;
    }
    default:
  }
  if (isTop) return undefined;
  misread(reading, at);
  frame.state = 'tail';
  return at;
}

/** A keyword at which something about tables begins or ends. */
function readKeyword({ frame, reading, at, isTop }: Place, word: string): number {
  const { state } = frame;
  const next = wordAt(reading, at + 1);
  switch (word) {
    case 'SELECT':
      closeBlock(frame, reading);
      frame.state = 'list';
      openItem(frame, reading, at + 1);
      return at;
    case 'FROM':
      if (state === 'expression' || isFromFirst(reading, at)) return at;
      if (state === 'list') frame.state = 'factor';
      else misread(reading, at);
      return at;
    case 'JOIN':
    case 'STRAIGHT_JOIN':
      if (state === 'joined' || state === 'tail') frame.state = 'factor';
      return at;
    case 'USE':
    case 'IGNORE':
    case 'FORCE':
      return state === 'joined' ? behindIndexHint(reading, at) : at;
    case 'ON':
      // DUPLICATE alone may be an alias, or a column.
      if (next !== 'DUPLICATE' || wordAt(reading, at + 2) !== 'KEY' || !isTop) return at;
      closeBlock(frame, reading);
      frame.state = 'tail';
      return at;
    case 'RETURNING':
      if (!isTop || state === 'list' || reading.mode.server.flavour !== 'mariadb') return at;
      closeBlock(frame, reading);
      frame.state = 'tail';
      return at;
    case 'UNION':
    case 'EXCEPT':
    case 'INTERSECT': {
      const last = next === 'ALL' || next === 'DISTINCT' ? at + 1 : at;
      if (wordAt(reading, last + 1) !== '(' && !opensQuery(reading, last + 1)) return at;
      closeBlock(frame, reading);
      frame.isJoin = false;
      frame.state = 'query';
      return last;
    }
    case 'SET':
      if (state !== 'joined' || !isTop) return at;
      frame.state = 'assignments';
      frame.isFresh = true;
      return at;
    case 'INTO':
      if (next === 'OUTFILE' || next === 'DUMPFILE') hinder(reading, 'server-file', `INTO ${next}`);
      if (state === 'joined') frame.state = 'tail';
      return readInto(reading, at);
    case 'WINDOW':
      if (state === 'joined' && wordAt(reading, at + 2) === 'AS') frame.state = 'tail';
      return at;
    case 'WHERE':
    case 'GROUP':
    case 'HAVING':
    case 'ORDER':
    case 'LIMIT':
    case 'PROCEDURE':
    case 'FOR':
    case 'LOCK':
    case 'FETCH':
      if (state === 'joined' || state === 'list' || state === 'assignments') frame.state = 'tail';
      return at;
    case 'NEXT':
    case 'PREVIOUS':
    case 'NEXTVAL':
    case 'LASTVAL':
    case 'SETVAL':
      return readSequence(reading, at);
    default:
      return at;
  }
}

/** `NTH_VALUE(a, 2) FROM FIRST OVER …` names no table; `FROM first respect` does. */
function isFromFirst(reading: Reading, at: number): boolean {
  const next = wordAt(reading, at + 1);
  if (next !== 'FIRST' && next !== 'LAST') return false;
  const then = wordAt(reading, at + 2);
  return then === 'OVER' || ((then === 'RESPECT' || then === 'IGNORE') && wordAt(reading, at + 3) === 'NULLS');
}
