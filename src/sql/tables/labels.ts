// What a client sees as the name of a column: of a select item without alias it is its text, which must not change.
import type { Frame } from './frame.ts';
import { type Reading, tokenAt, wordAt } from './reading.ts';

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

/** It ends before this token: noted where it names a table, and ends with a parenthesis, so that it can have no alias. */
export function closeItem(frame: Frame, reading: Reading, at: number): void {
  if (reading.tables.length === frame.tables || at <= frame.item || wordAt(reading, at - 1) !== ')') return;
  reading.labels.push({ from: tokenAt(reading, frame.item).from, to: tokenAt(reading, at - 1).to });
}
