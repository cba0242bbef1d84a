// SQL in SQL: PREPARE and EXECUTE, whose text can be seen only where it is one literal.
import type { Analysis } from '../analysis.ts';
import { hinder, isName, misread, type Reading, spanOf, tokenAt, wordAt } from '../tables/reading.ts';
import { lowerCase, nameOf, stringOf } from '../tokens/token.ts';
import type { Read } from './read.ts';

/** Analyses a text within a text. */
export type Inner = (text: string) => Analysis;

export function readPrepare(reading: Reading, from: number, inner: Inner): Read {
  const name = tokenAt(reading, from + 1);
  if (isName(name) && wordAt(reading, from + 2) === 'FROM') {
    reading.prepared = lowerCase(nameOf(reading.text, name));
    return { verb: 'PREPARE', kind: readLiteral(reading, from + 3, inner) };
  }
  misread(reading, from + 1);
  return { verb: 'PREPARE', kind: 'unknown' };
}

/** `EXECUTE s USING @a`: what it does was said when it was prepared, by whoever did that. */
export function readExecute(reading: Reading, from: number, inner: Inner): Read {
  if (wordAt(reading, from + 1) === 'IMMEDIATE')
    return { verb: 'EXECUTE', kind: readLiteral(reading, from + 2, inner) };
  const name = tokenAt(reading, from + 1);
  if (isName(name)) reading.prepared = lowerCase(nameOf(reading.text, name));
  hinder(reading, 'dynamic', 'EXECUTE');
  return { verb: 'EXECUTE', kind: 'unknown' };
}

export function readDeallocate(reading: Reading, from: number): Read {
  const name = tokenAt(reading, from + 2);
  if (isName(name)) reading.prepared = lowerCase(nameOf(reading.text, name));
  return { verb: 'DEALLOCATE', kind: 'session' };
}

function readLiteral(reading: Reading, at: number, inner: Inner): Read['kind'] {
  const { text, mode } = reading;
  const token = tokenAt(reading, at);
  const next = wordAt(reading, at + 1);
  const isAlone = at + 1 >= reading.tokens.length || next === ';' || next === 'USING';
  // In other charsets the server converts the literal first; its bytes are not those that it then reads.
  const said = token.kind === 'string' && isAlone && mode.charset === 'bytes' ? stringOf(text, token, mode) : undefined;
  const analysis = said === undefined ? undefined : inner(said);
  const [statement, more] = analysis?.statements ?? [];
  if (said === undefined || analysis === undefined || statement === undefined || more !== undefined) {
    hinder(reading, 'dynamic', text.slice(token.from, token.to).slice(0, 40));
    return 'unknown';
  }
  if (analysis.unread !== undefined) hinder(reading, 'unread', analysis.unread);
  if (statement.dynamic !== undefined || statement.verb === 'EXECUTE') hinder(reading, 'dynamic', statement.verb);
  reading.dynamic = { literal: spanOf(token), text: said, analysis };
  return statement.kind;
}
