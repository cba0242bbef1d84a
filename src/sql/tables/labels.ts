// What a client sees as the name of a column: of a select item without alias it is its text, which must not change.
import type { Frame } from './frame.ts';
import { behindParentheses, type Reading, tokenAt, wordAt } from './reading.ts';

const modifiers = new Set([
  ...['ALL', 'DISTINCT', 'DISTINCTROW', 'HIGH_PRIORITY', 'STRAIGHT_JOIN', 'SQL_SMALL_RESULT', 'SQL_BIG_RESULT'],
  ...['SQL_BUFFER_RESULT', 'SQL_CACHE', 'SQL_NO_CACHE', 'SQL_CALC_FOUND_ROWS'],
]);

/** A select item begins at this token, or behind modifiers that stand there. */
export function openItem(frame: Frame, reading: Reading, at: number): void {
  let first = at;
  while (modifiers.has(wordAt(reading, first))) first += 1;
  frame.item = first;
  frame.tables = reading.tables.length;
}

/** It ends before this token: noted where it names a table, and has no alias for certain. */
export function closeItem(frame: Frame, reading: Reading, at: number): void {
  if (reading.tables.length === frame.tables || at <= frame.item) return;
  frame.tables = reading.tables.length;
  if (mayHaveAlias(reading, frame.item, at - 1)) return;
  reading.labels.push({ from: tokenAt(reading, frame.item).from, to: tokenAt(reading, at - 1).to });
}

/** Symbols that end an operand: what follows one may be an alias, as what follows any other symbol may not. */
const operandEnds = new Set([')', '}', '?', '\\N']);

/** Reserved words that an operand follows. */
const operators = new Set([
  ...['AND', 'OR', 'XOR', 'NOT', 'IS', 'DIV', 'MOD', 'LIKE', 'RLIKE', 'REGEXP', 'BINARY', 'COLLATE'],
]);

const constants = new Set(['NULL', 'TRUE', 'FALSE']);

/** The last token of the item that begins at `from` is an alias, or may be one. */
function mayHaveAlias(reading: Reading, from: number, last: number): boolean {
  const { kind, word, to } = tokenAt(reading, last);
  if (kind === 'symbol') return !operandEnds.has(word);
  if (kind === 'number' || kind === 'variable' || constants.has(word)) return false;
  const before = tokenAt(reading, last - 1);
  if (before.kind === 'symbol' && !operandEnds.has(before.word)) return false;
  if (operators.has(before.word) || reading.tables.at(-1)?.to === to) return false;
  return word !== 'END' || !isEndOfCase(reading, from, last);
}

/** END is that of a CASE, and no alias: as many are there of the one as of the other. */
function isEndOfCase(reading: Reading, from: number, last: number): boolean {
  let open = 0;
  for (let at = from; at <= last; at += 1) {
    const word = wordAt(reading, at);
    if (word === '(') at = behindParentheses(reading, at) - 1;
    else if (word === 'CASE') open += 1;
    else if (word === 'END') open -= 1;
  }
  return open === 0;
}
