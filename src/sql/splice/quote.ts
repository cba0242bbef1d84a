// How a name is written, so that it is read as one.
import { isReserved } from './reserved.ts';

/** Of these a word stands for itself in both servers. Others get quotes, of which none is ever wrong. */
function isPlain(name: string): boolean {
  for (let at = 0; at < name.length; at += 1) {
    const code = name.charCodeAt(at);
    const isLetter = (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95;
    if (!isLetter && (at === 0 || code < 48 || code > 57)) return false;
  }
  return name.length > 0 && !isReserved(name);
}

/** Written with the quotes that it replaces, where they are any, and with backquotes where it needs some. */
export function writeName(name: string, instead: string): string {
  if (instead.startsWith('"')) return `"${name.replaceAll('"', '""')}"`;
  if (instead.startsWith('`') || !isPlain(name)) return `\`${name.replaceAll('`', '``')}\``;
  return name;
}
