// What a text of SQL is made of, and what its names and strings stand for.
import type { Mode } from '../mode.ts';

export type Token = {
  /**
   * `word`: a keyword or a name without quotes; `name`: a name that can be no keyword, by quotes, behind or before a dot;
   * `variable`: `@x`, `@@x`, and what follows the `@` of an account. Comments and hints are no tokens.
   */
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'variable' | 'symbol';
  readonly from: number;
  readonly to: number;
  /** Of a word in upper case, of a symbol itself; else empty. */
  readonly word: string;
  /** Of `(` the index of its `)` in the statement; -1 where it has none. */
  closing: number;
};

const backslash = 0x5c;

/** The name that a word or a quoted name stands for. */
export function nameOf(text: string, { from, to }: Token): string {
  const quote = text.charCodeAt(from);
  if (quote !== 0x60 && quote !== 0x22) return text.slice(from, to);
  const inner = text.slice(from + 1, to - 1);
  const mark = text[from] ?? '';
  return inner.includes(mark) ? inner.replaceAll(mark + mark, mark) : inner;
}

const escapes = new Map([
  [0x30, '\0'],
  [0x62, '\b'],
  [0x6e, '\n'],
  [0x72, '\r'],
  [0x74, '\t'],
  [0x5a, '\x1a'],
  [0x25, '\\%'],
  [0x5f, '\\_'],
]);

/** What a string without prefix says; undefined for one with a prefix, whose bytes mean something else. */
export function stringOf(text: string, { from, to }: Token, mode: Mode): string | undefined {
  const mark = text.charCodeAt(from);
  if (mark !== 0x27 && mark !== 0x22) return undefined;
  let said = '';
  let kept = from + 1;
  for (let at = from + 1; at < to - 1; at += 1) {
    const code = text.charCodeAt(at);
    if (code !== mark && (code !== backslash || mode.noBackslashEscapes)) continue;
    const next = text.charCodeAt(at + 1);
    said += text.slice(kept, at) + (code === mark ? text[at] : (escapes.get(next) ?? text[at + 1]));
    kept = at + 2;
    at += 1;
  }
  return said + text.slice(kept, to - 1);
}

/** A string literal that says this, in quotes of the same kind. */
export function literalOf(said: string, quote: string, mode: Mode): string {
  const doubled = said.replaceAll(quote, quote + quote);
  return quote + (mode.noBackslashEscapes ? doubled : doubled.replaceAll('\\', '\\\\')) + quote;
}

/** ASCII letters in lower case: how names compare, where their case is ignored. */
export function lowerCase(name: string): string {
  for (let at = 0; at < name.length; at += 1) {
    const code = name.charCodeAt(at);
    if (code >= 65 && code <= 90) return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  }
  return name;
}

/** Names of tables, databases and aliases compare in this form. */
export function folded(name: string, mode: Mode): string {
  return mode.namesIgnoreCase ? lowerCase(name) : name;
}
