// Where comments end, and which of them are code.
import type { Mode } from '../mode.ts';
import { isDigit } from './characters.ts';

/**
 * What stands at `/*`: `code` begins behind its mark and number; a `comment` ends at `to`, or nowhere (-1). `said` is
 * false for hints, and for code of other servers.
 */
export type Opening =
  | { readonly is: 'code'; readonly to: number }
  | { readonly is: 'comment'; readonly to: number; readonly said: boolean }
  /** Versions of the server read it otherwise. */
  | { readonly is: 'doubt' };

/** Reads as the server's lexer does; see `MY_LEX_LONG_COMMENT` in sql_lex.cc of either. */
export function openComment(text: string, at: number, mode: Mode): Opening {
  const third = text.charCodeAt(at + 2);
  const isMaria = third === 0x4d && text.charCodeAt(at + 3) === 0x21 && mode.server.flavour === 'mariadb';
  if (third !== 0x21 && !isMaria) return { is: 'comment', to: endOfComment(text, at + 2), said: third !== 0x2b };
  const from = at + (isMaria ? 4 : 3);
  let digits = 0;
  while (digits < 6 && isDigit(text.charCodeAt(from + digits))) digits += 1;
  if (digits < 5) return { is: 'code', to: from };
  // Older ones take five digits for the version, and the sixth for code.
  if (digits === 6 && mode.server.flavour === 'mysql') return { is: 'doubt' };
  if (isCodeOf(Number(text.slice(from, from + digits)), mode, isMaria)) return { is: 'code', to: from + digits };
  return { is: 'comment', to: endOfSkipped(text, from + digits), said: false };
}

function isCodeOf(version: number, { server }: Mode, isMaria: boolean): boolean {
  if (version > server.version) return false;
  // MariaDB is no MySQL of 5.7 and later: what is for those, it does not take for its own, though its number is higher.
  return server.flavour === 'mysql' || isMaria || version < 50_700 || version > 99_999;
}

function endOfComment(text: string, from: number): number {
  const end = text.indexOf('*/', from);
  return end < 0 ? -1 : end + 2;
}

/** Code for others may hold comments, one level deep. */
function endOfSkipped(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x2a && text.charCodeAt(at + 1) === 0x2f) return at + 2;
    if (code !== 0x2f || text.charCodeAt(at + 1) !== 0x2a) continue;
    const end = endOfComment(text, at + 2);
    if (end < 0) return -1;
    at = end - 1;
  }
  return -1;
}
