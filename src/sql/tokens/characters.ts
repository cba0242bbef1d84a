// Which bytes belong to a name, to a number or to nothing, and how many bytes a character of the client's charset has.
import type { Mode } from '../mode.ts';

const inName = 1;
const digit = 2;
const space = 4;

const classes = new Uint8Array(256);
for (let code = 0; code < 256; code += 1) {
  const letter = (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95 || code === 36 || code > 127;
  if (code >= 48 && code <= 57) classes[code] = inName | digit;
  else if (letter) classes[code] = inName;
  else if (code === 32 || (code >= 9 && code <= 13)) classes[code] = space;
}

/** A byte of a name without quotes: letters, digits, `_`, `$`, and all above 127. False for NaN, the end. */
export function isInName(code: number): boolean {
  return code > 255 || ((classes[code] ?? 0) & inName) !== 0;
}

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

export function isHexDigit(code: number): boolean {
  return isDigit(code) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);
}

export function isSpace(code: number): boolean {
  return ((classes[code] ?? 0) & space) !== 0;
}

export function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 127) return false;
  return true;
}

/** What must follow `--` for a comment: white space, a control character, or the end; or what may be one of them. */
export function opensLineComment(code: number, { charset }: Mode): boolean {
  return code <= 32 || code === 127 || Number.isNaN(code) || (code > 127 && charset === 'single');
}

/** White space in some of the charsets of single bytes, a letter in others: 0xA0 of Latin-1, 0xFF of cp866. */
export function mayBeSpace(code: number): boolean {
  return code === 0xa0 || code === 0xff;
}

type Range = readonly [number, number];

/** First and second bytes of two-byte characters, as the server's `ismbchar` has them. */
const pairs: Readonly<Partial<Record<Mode['charset'], { head: readonly Range[]; tail: readonly Range[] }>>> = {
  big5: { head: [[0xa1, 0xf9]], tail: [[0x40, 0x7e], [0xa1, 0xfe]] }, // biome-ignore format: one row a charset
  gbk: { head: [[0x81, 0xfe]], tail: [[0x40, 0x7e], [0x80, 0xfe]] }, // biome-ignore format: one row a charset
  gb18030: { head: [[0x81, 0xfe]], tail: [[0x40, 0x7e], [0x80, 0xfe]] }, // biome-ignore format: one row a charset
  sjis: { head: [[0x81, 0x9f], [0xe0, 0xfc]], tail: [[0x40, 0x7e], [0x80, 0xfc]] }, // biome-ignore format: one row a charset
};

/** How many bytes the character at this place has; 1 for a byte that begins none, as the server takes it. */
export function characterLength(text: string, at: number, charset: Mode['charset']): 1 | 2 | 4 {
  const code = text.charCodeAt(at);
  const pair = pairs[charset];
  if (code < 0x81 || pair === undefined) return 1;
  const { head, tail } = pair;
  if (!isWithin(head, code)) return 1;
  const second = text.charCodeAt(at + 1);
  if (isWithin(tail, second)) return 2;
  const isFour =
    charset === 'gb18030' &&
    isDigit(second) &&
    isWithin(head, text.charCodeAt(at + 2)) &&
    isDigit(text.charCodeAt(at + 3));
  return isFour ? 4 : 1;
}

function isWithin(ranges: readonly Range[], code: number): boolean {
  for (const [from, to] of ranges) if (code >= from && code <= to) return true;
  return false;
}
