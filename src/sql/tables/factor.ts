// One table of a FROM clause: its name, what may stand behind it, and its alias.
import { nameOf } from '../tokens/token.ts';
import { isCte } from './ctes.ts';
import { expose, type Frame } from './frame.ts';
import {
  behindParentheses,
  isAs,
  isName,
  misread,
  noteTable,
  type Reading,
  skipExpressions,
  tokenAt,
  wordAt,
} from './reading.ts';

/** Words behind a table that are no alias. Reserved in both servers, or followed by what no alias is followed by. */
const noAlias = new Set([
  ...['ON', 'USING', 'JOIN', 'INNER', 'CROSS', 'LEFT', 'RIGHT', 'NATURAL', 'STRAIGHT_JOIN', 'USE', 'IGNORE', 'FORCE'],
  ...['WHERE', 'GROUP', 'HAVING', 'ORDER', 'LIMIT', 'UNION', 'EXCEPT', 'INTERSECT', 'FOR', 'LOCK', 'INTO', 'SET'],
  ...['PROCEDURE', 'WINDOW', 'OFFSET', 'FETCH', 'RETURNING', 'SELECT', 'VALUES', 'WITH', 'PARTITION', 'AS', 'FROM'],
]);

/** A factor begins at this token, which is no parenthesis; the place of its last token. */
export function readFactor(frame: Frame, reading: Reading, at: number): number {
  const token = tokenAt(reading, at);
  const next = wordAt(reading, at + 1);
  frame.state = 'alias';
  frame.factor = undefined;
  // JSON_TABLE (…), and DUAL, which is no table.
  if (token.kind === 'word' && (next === '(' || (token.word === 'DUAL' && next !== '.'))) return at;
  const noted = noteTable(reading, at);
  if (noted === undefined) {
    frame.state = 'tail';
    return at;
  }
  const { table } = noted;
  if (table.database === undefined && isCte(reading, table.table)) {
    reading.tables.pop();
    expose(frame, reading, table.table);
  } else {
    table.needs = 'alias';
    frame.factor = table;
    if (frame.isOuter) reading.outer.push(table);
  }
  return noted.next - 1;
}

/** Behind a factor: `PARTITION (…)`, `FOR SYSTEM_TIME …`, its alias. The place of the last token that was read, or one before. */
export function readAlias(frame: Frame, reading: Reading, at: number): number {
  const { word } = tokenAt(reading, at);
  if (word === 'PARTITION' && wordAt(reading, at + 1) === '(')
    return moveAlias(frame, reading, behindParentheses(reading, at + 1) - 1);
  if (word === 'FOR' && wordAt(reading, at + 1) === 'SYSTEM_TIME')
    return moveAlias(frame, reading, endOfSystemTime(reading, at + 2) - 1);
  const isWritten = isAs(word);
  const alias = tokenAt(reading, isWritten ? at + 1 : at);
  if (isName(alias) && (isWritten || !isNoAlias(reading, at))) {
    const name = nameOf(reading.text, alias);
    if (frame.factor !== undefined) {
      frame.factor.needs = 'itself';
      frame.factor.alias = name;
    }
    settle(frame, reading, name);
    return isWritten ? at + 1 : at;
  }
  settle(frame, reading, frame.factor?.alias);
  return at - 1;
}

/** No alias can follow any more. */
export function settle(frame: Frame, reading: Reading, name: string | undefined): void {
  if (name !== undefined) expose(frame, reading, name);
  frame.factor = undefined;
  frame.state = 'joined';
}

function moveAlias(frame: Frame, reading: Reading, last: number): number {
  if (frame.factor !== undefined) frame.factor.aliasAt = tokenAt(reading, last).to;
  return last;
}

function isNoAlias(reading: Reading, at: number): boolean {
  const token = tokenAt(reading, at);
  if (token.kind !== 'word') return false;
  // A name in MySQL, where it is no keyword: `FROM orders offset`.
  if (token.word === 'RETURNING' || token.word === 'OFFSET') return reading.mode.server.flavour === 'mariadb';
  return noAlias.has(token.word);
}

const beyondTime = new Set([...noAlias].filter((word) => word !== 'AS'));

/** Behind `ALL`, `AS OF x`, `BETWEEN x AND y`, `FROM x TO y`, whose expressions end where an alias or a clause begins. */
function endOfSystemTime(reading: Reading, from: number): number {
  const first = wordAt(reading, from);
  if (first === 'ALL') return from + 1;
  let at = from + (first === 'AS' ? 2 : 1);
  for (; at < reading.tokens.length; at += 1) {
    const token = tokenAt(reading, at);
    if (token.word === '(') at = behindParentheses(reading, at) - 1;
    else if (token.word === ',' || token.word === ')' || token.word === ';' || isAs(token.word)) break;
    else if (token.kind === 'word' && beyondTime.has(token.word)) break;
  }
  if (at === from) misread(reading, from);
  skipExpressions(reading, from, at);
  return isAliasOfTime(reading, at - 1) ? at - 1 : at;
}

/** `AS OF NOW() o`: a name that follows an operand is no part of the time. */
function isAliasOfTime(reading: Reading, at: number): boolean {
  const before = tokenAt(reading, at - 1);
  if (!isName(tokenAt(reading, at)) || wordAt(reading, at - 2) === 'INTERVAL') return false;
  return before.kind === 'string' || before.kind === 'number' || before.kind === 'variable' || before.word === ')';
}

/** `USE INDEX FOR JOIN (…)` is no join: the place of the last token of it, or of this one. */
export function behindIndexHint(reading: Reading, at: number): number {
  const next = wordAt(reading, at + 1);
  if (next !== 'INDEX' && next !== 'KEY') return at;
  for (let open = at + 2; open <= at + 5; open += 1)
    if (wordAt(reading, open) === '(') return tokenAt(reading, open).closing;
  return at;
}
