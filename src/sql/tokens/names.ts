// Names with letters beyond ASCII: of which the server makes others, by the client's charset or where it ignores case.
import type { Mode } from '../mode.ts';
import { isAscii } from './characters.ts';
import { lowerCase } from './token.ts';

/**
 * True where it cannot be told which table or database of the server such a name is: its bytes are not those of the
 * server's name, or a letter in upper case has several in lower case, by the version.
 */
export function isAmbiguous(name: string, { charset, namesIgnoreCase }: Mode): boolean {
  if (charset === 'bytes' && !namesIgnoreCase) return false;
  if (isAscii(name)) return false;
  return charset !== 'bytes' || caseless(name) !== lowerCase(name);
}

/** In lower case, whatever its letters are; bytes as in the text. */
export function caseless(name: string): string {
  if (isAscii(name)) return lowerCase(name);
  const text = new TextDecoder().decode(Uint8Array.from(name, (byte) => byte.charCodeAt(0)));
  return String.fromCharCode(...new TextEncoder().encode(text.toLowerCase()));
}
