// Regular expressions of operators: RE2's syntax, which is Envoy's too, matched in time linear in the input.

import { RE2JS } from 're2js';

export type Pattern =
  | { readonly ok: true; readonly matches: (bytes: string) => boolean }
  /** What is wrong, to go on after "expected a regular expression". */
  | { readonly ok: false; readonly message: string };

export const maxPatternCharacters = 1_024;
/** A longer value does not match: with the bound on the pattern this bounds what one request can cost. */
export const maxInputBytes = 8_192;
// Linear means input times program: at this size the worst pattern takes a quarter of a second for the longest input,
// and an ordinary one some microseconds.
const maxProgramSize = 1_100;

/** A pattern for the whole of a value. Never throws. */
export function compilePattern(text: string): Pattern {
  if (text.length > maxPatternCharacters)
    return { ok: false, message: `of at most ${maxPatternCharacters} characters, found ${text.length}` };
  try {
    const expression = RE2JS.compile(text);
    if (expression.programSize() > maxProgramSize)
      return { ok: false, message: 'with fewer repetitions; this one has too many steps' };
    return { ok: true, matches: (bytes) => matchesWhole(expression, bytes) };
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error);
    return { ok: false, message: `of RE2: ${reason}` };
  }
}

/** Characters are what a pattern is about: a value that is no UTF-8 has none, and does not match (as in RE2). HOT */
function matchesWhole(expression: RE2JS, bytes: string): boolean {
  if (bytes.length > maxInputBytes) return false;
  const text = textOf(bytes);
  return text !== undefined && expression.testExact(text);
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  if (/^[\x00-\x7f]*$/.test(bytes)) return bytes;
  try {
    return decoder.decode(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
  } catch {
    return undefined;
  }
}
