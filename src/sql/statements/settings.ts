// SET and USE: what they change about how later texts are read, and what they set for everybody.
import type { SessionChange } from '../analysis.ts';
import { variableName } from '../tables/columns.ts';
import { readTables } from '../tables/query.ts';
import { behindParentheses, hinder, isName, misread, type Reading, tokenAt, wordAt } from '../tables/reading.ts';
import { lowerCase, nameOf, stringOf, type Token } from '../tokens/token.ts';
import type { Read } from './read.ts';

export function readUse(reading: Reading, from: number): Read {
  const name = tokenAt(reading, from + 1);
  if (isName(name)) reading.changes.push({ what: 'database', value: nameOf(reading.text, name) });
  else misread(reading, from + 1);
  return { verb: 'USE', kind: 'session' };
}

const session = { verb: 'SET', kind: 'session' } as const;

export function readSet(reading: Reading, from: number): Read {
  const first = wordAt(reading, from + 1);
  const second = wordAt(reading, from + 2);
  if (isOfAccount(reading, from + 1)) hinder(reading, 'server', `SET ${first}`);
  if (first === 'GLOBAL' && second === 'TRANSACTION') hinder(reading, 'server', 'SET GLOBAL');
  readTables(reading, from + 1, 'tail');
  // `@x := …` of the SET itself is an assignment that is known better below.
  const nested = reading.changes.splice(0);
  if (isOfTransaction(reading, from + 1)) return session;
  let isForAll = false;
  for (let at = from + 1; at < reading.tokens.length; ) {
    const end = behindAssignment(reading, at);
    isForAll = readAssignment(reading, { from: at, end }, isForAll);
    at = end + 1;
  }
  const assigned = new Set(reading.changes.map((change) => (change.what === 'variable' ? change.name : '')));
  for (const change of nested)
    if (change.what === 'variable' && !assigned.has(change.name)) reading.changes.push(change);
  return session;
}

function isAssigned(reading: Reading, at: number): boolean {
  const next = wordAt(reading, at + 1);
  return next === '=' || next === ':';
}

/** MariaDB takes `PASSWORD = '…'` behind other assignments as well. */
function isOfAccount(reading: Reading, at: number): boolean {
  const word = wordAt(reading, at);
  return word === 'PASSWORD' || ((word === 'DEFAULT' || word === 'RESOURCE') && !isAssigned(reading, at));
}

/** `SET TRANSACTION READ ONLY`, `SET SESSION TRANSACTION …`: words alone, in which a comma parts no assignments. */
function isOfTransaction(reading: Reading, from: number): boolean {
  const scope = wordAt(reading, from);
  const at = scopes.has(scope) ? from + 1 : from;
  if (wordAt(reading, at) !== 'TRANSACTION' || isAssigned(reading, at)) return false;
  let end = at;
  while (end < reading.tokens.length && wordAt(reading, end) !== ';') end += 1;
  const text = textOf(reading, from, end);
  if (!forAll.has(scope)) reading.settings.push({ text, name: lowerCase(text), isLiteral: true });
  return true;
}

function textOf(reading: Reading, from: number, end: number): string {
  return reading.text.slice(tokenAt(reading, from).from, tokenAt(reading, end - 1).to);
}

/** The comma or the end behind the assignment at this place. */
function behindAssignment(reading: Reading, from: number): number {
  let at = from;
  while (at < reading.tokens.length && wordAt(reading, at) !== ',' && wordAt(reading, at) !== ';')
    at = wordAt(reading, at) === '(' ? behindParentheses(reading, at) : at + 1;
  return at;
}

const scopes = new Set(['SESSION', 'LOCAL', 'GLOBAL', 'PERSIST', 'PERSIST_ONLY']);
const forAll = new Set(['GLOBAL', 'PERSIST', 'PERSIST_ONLY']);

/** A scope counts for those behind it that have none: whether GLOBAL does is given and returned. */
function readAssignment(reading: Reading, { from, end }: { from: number; end: number }, isForAll: boolean): boolean {
  const first = tokenAt(reading, from);
  const text = textOf(reading, from, end);
  if (isOfAccount(reading, from)) {
    hinder(reading, 'server', `SET ${first.word}`);
    return isForAll;
  }
  const isCharset = (first.word === 'CHARACTER' || first.word === 'CHAR') && wordAt(reading, from + 1) === 'SET';
  if (first.word === 'NAMES' || first.word === 'CHARSET' || isCharset) {
    const isLiteral = noteCharset(reading, isCharset ? from + 2 : from + 1, end);
    reading.settings.push({ text, name: 'names', isLiteral });
    return isForAll;
  }
  const user = variableName(reading, first);
  const system = user === undefined ? systemName(reading, from) : undefined;
  let equals = system?.next ?? from + 1;
  if (wordAt(reading, equals) === ':') equals += 1;
  if (wordAt(reading, equals) !== '=') {
    // SET ROLE: another account has other roles.
    reading.settings.push({ text, name: lowerCase(first.word), isLiteral: false });
    return isForAll;
  }
  if (user !== undefined) {
    const isNull = end === equals + 2 && wordAt(reading, equals + 1) === 'NULL';
    const value = isNull ? null : literalAt(reading, equals + 1, end);
    reading.changes.push({ what: 'variable', name: user, value });
  }
  if (system === undefined) {
    const isLiteral = isSayable(reading, equals + 1, end, constants);
    reading.settings.push({ text, name: `@${user}`, isLiteral });
    return isForAll;
  }
  const value = wordsAt(reading, equals + 1, end);
  const isGlobal = system.scope === undefined ? isForAll : forAll.has(system.scope);
  if (isGlobal) hinder(reading, 'server', 'SET GLOBAL');
  // MySQL compares names of variables without accents, and without spaces behind them.
  else if (!/^[a-z0-9_$]*$/.test(system.name)) reading.changes.push({ what: 'sqlMode', value: undefined });
  else if (system.name === 'sql_mode') reading.changes.push({ what: 'sqlMode', value });
  else if (system.name === 'character_set_client') reading.changes.push({ what: 'charset', value });
  if (!isGlobal) {
    const isRead = system.name === 'sql_mode' || system.name === 'character_set_client';
    const isLiteral = isRead ? value !== undefined : isSayable(reading, equals + 1, end);
    reading.settings.push({ text, name: system.name, isLiteral });
  }
  // `@@global.x` counts for itself alone.
  return first.kind === 'variable' ? isForAll : isGlobal;
}

/** The name of a system variable in lower case, however it is written: `SESSION x`, `@@session.x`, `@@x`, `x`. */
function systemName(
  reading: Reading,
  from: number,
): { readonly name: string; readonly scope: string | undefined; readonly next: number } {
  const { text } = reading;
  const first = tokenAt(reading, from);
  if (first.kind !== 'variable') {
    const isScope = scopes.has(first.word) && isName(tokenAt(reading, from + 1));
    const name = tokenAt(reading, isScope ? from + 1 : from);
    let next = isScope ? from + 2 : from + 1;
    while (wordAt(reading, next) === '.') next += 2;
    return { name: lowerCase(nameOf(text, name)), scope: isScope ? first.word : undefined, next };
  }
  const said = lowerCase(text.slice(first.from + 2, first.to).replaceAll('`', ''));
  const scope = said.toUpperCase();
  if (!scopes.has(scope) || wordAt(reading, from + 1) !== '.') {
    let next = from + 1;
    while (wordAt(reading, next) === '.') next += 2;
    return { name: said, scope: 'SESSION', next };
  }
  const name = lowerCase(nameOf(text, tokenAt(reading, from + 2)));
  return { name, scope, next: from + 3 };
}

/** As of a literal; a number stands for other words, of which the server has a list. */
function wordsAt(reading: Reading, at: number, end: number): string | undefined {
  return tokenAt(reading, at).kind === 'number' ? undefined : literalAt(reading, at, end);
}

/** A literal, or a word that stands for itself; undefined for DEFAULT and all that must be computed. */
function literalAt(reading: Reading, at: number, end: number): string | undefined {
  if (end !== at + 1) return undefined;
  const token = tokenAt(reading, at);
  if (token.word === 'DEFAULT' || token.word === 'NULL') return undefined;
  return said(reading, token);
}

const constants = new Set(['NULL', 'TRUE', 'FALSE']);

/** A literal, with a sign or without, or a word: of a user variable one of these, as others would be columns. */
function isSayable(reading: Reading, from: number, end: number, words?: ReadonlySet<string>): boolean {
  const sign = wordAt(reading, from);
  const isSigned = sign === '-' || sign === '+';
  const at = isSigned ? from + 1 : from;
  const token = tokenAt(reading, at);
  if (end !== at + 1) return false;
  if (token.kind === 'number' || isSigned) return token.kind === 'number';
  if (words !== undefined && isName(token)) return words.has(token.word);
  return said(reading, token) !== undefined;
}

function said(reading: Reading, token: Token): string | undefined {
  if (token.kind === 'string') return stringOf(reading.text, token, reading.mode);
  // `0x41` and `0b1` are bytes.
  const text = reading.text.slice(token.from, token.to);
  if (token.kind === 'number') return /^0[xb]/.test(text) ? undefined : text;
  return isName(token) ? nameOf(reading.text, token) : undefined;
}

/** `SET NAMES 'utf8mb4' COLLATE x`; an assignment behind its comma is none of it. True for a literal. */
function noteCharset(reading: Reading, at: number, end: number): boolean {
  const hasCollation = wordAt(reading, at + 1) === 'COLLATE';
  const change: SessionChange = { what: 'charset', value: wordsAt(reading, at, hasCollation ? at + 1 : end) };
  reading.changes.push(change);
  return change.value !== undefined;
}
