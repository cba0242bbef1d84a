// Where strings, quoted names, variables and numbers end.
import type { Mode } from '../mode.ts';
import { characterLength, isAscii, isDigit, isHexDigit, isInName, mayBeSpace } from './characters.ts';

/** Behind the closing quote of a string that begins at `from`; -1 where it has none. */
export function endOfString(text: string, from: number, mode: Mode): number {
  const mark = text.charCodeAt(from);
  for (let at = from + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === mark) {
      if (text.charCodeAt(at + 1) !== mark) return at + 1;
      at += 1;
    } else if (code === 0x5c && !mode.noBackslashEscapes) at += 1;
    else if (code > 127 && mode.charset !== 'bytes') at += characterLength(text, at, mode.charset) - 1;
  }
  return -1;
}

/** Behind the closing quote of a name; -1 where it has none, or holds a NUL, which the server takes for its end. */
export function endOfName(text: string, from: number, mode: Mode): number {
  const mark = text.charCodeAt(from);
  for (let at = from + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === mark) {
      if (text.charCodeAt(at + 1) !== mark) return at + 1;
      at += 1;
    } else if (code === 0) return -1;
    else if (code > 127 && mode.charset !== 'bytes') at += characterLength(text, at, mode.charset) - 1;
  }
  return -1;
}

/** Behind the quote of `x'4D'` or `b'01'`, whose quote is at `from`; -1 where another byte is in it. */
export function endOfDigits(text: string, from: number, isBinary: boolean): number {
  for (let at = from + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x27) return at + 1;
    if (isBinary ? code !== 0x30 && code !== 0x31 : !isHexDigit(code)) return -1;
  }
  return -1;
}

/** Behind the last byte of a name without quotes; -1 where a byte of it may be white space. */
export function endOfWord(text: string, from: number, mode: Mode): number {
  let at = from;
  if (mode.charset === 'bytes') while (isInName(text.charCodeAt(at))) at += 1;
  else
    while (isInName(text.charCodeAt(at))) {
      if (mode.charset === 'single' && mayBeSpace(text.charCodeAt(at))) return -1;
      at += characterLength(text, at, mode.charset);
    }
  return at;
}

/**
 * A number, or undefined for a name that begins with digits: `1a`, `0x`, `0xfg`; -1 for `1.e`, which old servers read
 * over as if it were nothing.
 */
export function endOfNumber(text: string, from: number): number | undefined {
  if (text.charCodeAt(from) === 0x30) {
    const second = text.charCodeAt(from + 1);
    let at = from + 2;
    if (second === 0x78) while (isHexDigit(text.charCodeAt(at))) at += 1;
    if (second === 0x62) while (text.charCodeAt(at) === 0x30 || text.charCodeAt(at) === 0x31) at += 1;
    if (second === 0x78 || second === 0x62) return at > from + 2 && !isInName(text.charCodeAt(at)) ? at : undefined;
  }
  const whole = endOfRun(text, from);
  const next = text.charCodeAt(whole);
  if (next === 0x2e) {
    const fraction = endOfRun(text, whole + 1);
    if ((text.charCodeAt(fraction) | 0x20) !== 0x65) return fraction;
    return endOfExponent(text, fraction) ?? -1;
  }
  if ((next | 0x20) === 0x65) return endOfExponent(text, whole);
  return isInName(next) ? undefined : whole;
}

function endOfExponent(text: string, at: number): number | undefined {
  const sign = text.charCodeAt(at + 1);
  const from = sign === 0x2b || sign === 0x2d ? at + 2 : at + 1;
  return isDigit(text.charCodeAt(from)) ? endOfRun(text, from) : undefined;
}

function endOfRun(text: string, from: number): number {
  let at = from;
  while (isDigit(text.charCodeAt(at))) at += 1;
  return at;
}

/**
 * Behind a variable, whose `@` is at `from`; -1 where quotes do not end, and for letters of two bytes without quotes: of
 * variables alone the server reads each byte as a character.
 */
export function endOfVariable(text: string, from: number, mode: Mode): number {
  const isSystem = text.charCodeAt(from + 1) === 0x40;
  const start = from + (isSystem ? 2 : 1);
  const code = text.charCodeAt(start);
  if (code === 0x60 || (code === 0x22 && mode.ansiQuotes)) return endOfName(text, start, mode);
  if (!isSystem && (code === 0x22 || code === 0x27)) return endOfString(text, start, mode);
  let at = endOfWord(text, start, mode);
  while (!isSystem && at >= 0 && text.charCodeAt(at) === 0x2e) at = endOfWord(text, at + 1, mode);
  const isOfBytes = mode.charset === 'bytes' || mode.charset === 'single' || isAscii(text.slice(start, at));
  return isOfBytes ? at : -1;
}
