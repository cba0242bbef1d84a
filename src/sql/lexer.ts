// Cuts a text of SQL into tokens, as a MySQL or MariaDB server in this mode does. Every place where the two could disagree
// is a way out of the lane: what is not certain is `unread`.
import type { Mode } from './mode.ts';
import { isDigit, isInName, isSpace, opensLineComment } from './tokens/characters.ts';
import { openComment } from './tokens/comments.ts';
import { endOfDigits, endOfName, endOfNumber, endOfString, endOfVariable, endOfWord } from './tokens/literals.ts';
import type { Token } from './tokens/token.ts';

export type Lexed = {
  readonly tokens: readonly Token[];
  /** Behind the `;`, or at the end of the text. */
  readonly to: number;
  readonly unread: string | undefined;
};

const endless: Readonly<Record<Token['kind'], string>> = {
  word: 'a byte that may be white space',
  name: 'a quoted name that does not end',
  string: 'a string that does not end',
  number: 'a number that is none',
  variable: 'a variable that does not end',
  symbol: 'a symbol',
};

/** All tokens of a text, `;` among them. */
export function tokenize(text: string, mode: Mode): Lexed & { readonly comments: readonly string[] } {
  const comments: string[] = [];
  const tokens: Token[] = [];
  let to = 0;
  while (to < text.length) {
    const statement = readStatement(text, to, mode, comments, tokens);
    to = statement.to;
    if (statement.unread !== undefined) return { ...statement, comments };
  }
  return { tokens, to, comments, unread: undefined };
}

/**
 * The tokens from this place to the next `;`, which is the last of them. A server reads on from there as if nothing had
 * been before; `continued` are the tokens of a statement that goes on behind it, a routine. HOT
 */
export function readStatement(
  text: string,
  from: number,
  mode: Mode,
  comments: string[],
  continued: Token[] = [],
): Lexed {
  const tokens = continued;
  const parentheses: Token[] = [];
  let isInCode = false;
  let at = from;
  const stop = (what: string, byte = at): Lexed => ({ tokens, to: text.length, unread: `${what} at byte ${byte}` });
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (isSpace(code)) {
      at += 1;
      continue;
    }
    const next = text.charCodeAt(at + 1);
    let kind: Token['kind'] = 'symbol';
    let to = at + 1;
    if (isInName(code)) {
      const previous = tokens[tokens.length - 1];
      const isBehindDot = previous?.word === '.' && previous.to === at;
      const number = isDigit(code) && !isBehindDot ? endOfNumber(text, at) : undefined;
      if (number !== undefined) {
        kind = 'number';
        to = number;
      } else if (next === 0x27 && isPrefix(code)) {
        kind = 'string';
        to =
          (code | 0x20) === 0x6e ? endOfString(text, at + 1, mode) : endOfDigits(text, at + 1, (code | 0x20) === 0x62);
      } else {
        to = endOfWord(text, at, mode);
        // Right before a dot and a name no word is a keyword: `SELECT from.id`. With a gap, or before a quote, it is one.
        const isQualifier = text.charCodeAt(to) === 0x2e && isInName(text.charCodeAt(to + 1));
        kind = isQualifier || previous?.word === '.' ? 'name' : 'word';
        if (code === 0x24 && mayBeDollarQuoted(text, at, to, mode)) return stop('a dollar quote');
      }
    } else if (code === 0x27 || (code === 0x22 && !mode.ansiQuotes)) {
      kind = 'string';
      to = endOfString(text, at, mode);
    } else if (code === 0x60 || code === 0x22) {
      kind = 'name';
      to = endOfName(text, at, mode);
    } else if (code === 0x40) {
      kind = 'variable';
      to = endOfVariable(text, at, mode);
    } else if (code === 0x23 || (code === 0x2d && next === 0x2d && opensLineComment(text.charCodeAt(at + 2), mode))) {
      // Control characters and white space are other bytes too in some charsets.
      if (code === 0x2d && mode.charset === 'single' && text.charCodeAt(at + 2) > 127) return stop('a -- with a doubt');
      const end = text.indexOf('\n', at);
      const comment = text.slice(at + (code === 0x23 ? 1 : 2), end < 0 ? text.length : end);
      if (comment.includes('\0')) return stop('a NUL in a comment');
      comments.push(comment);
      at = end < 0 ? text.length : end + 1;
      continue;
    } else if (code === 0x2f && next === 0x2a) {
      const opening = openComment(text, at, mode);
      if (opening.is === 'doubt') return stop('a comment for a version of six digits');
      if (opening.is === 'code') isInCode = true;
      else if (opening.to < 0) return stop('a comment that does not end');
      else if (opening.said) comments.push(text.slice(at + 2, opening.to - 2));
      at = opening.to;
      continue;
    } else if (code === 0x2a && next === 0x2f && isInCode) {
      isInCode = false;
      at += 2;
      continue;
    } else if (code === 0x2e && isDigit(next) && !isBehindName(tokens, at)) {
      kind = 'number';
      // As if a 0 stood before it: `.5e1`.
      to = endOfNumber(text, at) ?? -1;
    } else if (code === 0x5c && next === 0x4e) to = at + 2;
    else if (code === 0 || code === 0x5b) return stop(code === 0 ? 'a NUL' : 'a [');
    if (to < 0) return stop(endless[kind]);
    const token = { kind, from: at, to, word: wordOf(text, kind, at, to), closing: -1 };
    tokens.push(token);
    at = to;
    if (kind !== 'symbol') continue;
    if (code === 0x28) parentheses.push(token);
    else if (code === 0x29) {
      const opened = parentheses.pop();
      if (opened === undefined) return stop('a ) too many', token.from);
      opened.closing = tokens.length - 1;
    } else if (code === 0x3b) break;
  }
  if (isInCode) return stop('a comment of code that does not end');
  const open = parentheses.pop();
  if (open !== undefined) return stop('a ( without its )', open.from);
  return { tokens, to: at, unread: undefined };
}

/** `N'…'`, `X'…'`, `b'…'` */
function isPrefix(code: number): boolean {
  const lower = code | 0x20;
  return lower === 0x6e || lower === 0x78 || lower === 0x62;
}

/** Behind a name a dot parts, even if a digit follows: `app.1orders`. */
function isBehindName(tokens: readonly Token[], at: number): boolean {
  const previous = tokens[tokens.length - 1];
  if (previous?.to !== at) return false;
  return previous.kind === 'word' || previous.kind === 'name' || previous.kind === 'variable';
}

/** MySQL 8.0.32 began to give `$tag$ … $tag$` a meaning. */
function mayBeDollarQuoted(text: string, from: number, to: number, { server }: Mode): boolean {
  return server.flavour === 'mysql' && server.version >= 80_032 && text.slice(from + 1, to).includes('$');
}

function wordOf(text: string, kind: Token['kind'], from: number, to: number): string {
  if (kind === 'symbol') return text.slice(from, to);
  // No keyword is longer, and one with other letters than ASCII's is none: `toUpperCase` may do to it what it likes.
  return kind === 'word' && to - from <= 24 ? text.slice(from, to).toUpperCase() : '';
}
