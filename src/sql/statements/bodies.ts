// Routines: where `;` may part statements of a body, which end where only the server's grammar knows.
import type { Token } from '../tokens/token.ts';

const routines = new Set(['PROCEDURE', 'FUNCTION', 'TRIGGER', 'EVENT', 'PACKAGE']);
const others = new Set(['TABLE', 'VIEW', 'INDEX', 'DATABASE', 'SCHEMA', 'USER', 'ROLE', 'SEQUENCE', 'SERVER']);
const compound = new Set(['BEGIN', 'LOOP', 'REPEAT', 'WHILE', 'CASE', 'THEN', 'DECLARE', 'IS', 'AS']);

/** The tokens up to the first `;` begin a body that goes on behind it, or might. */
export function hasBody(tokens: readonly Token[]): boolean {
  const first = tokens[0]?.word;
  if (first === 'BEGIN') {
    const second = tokens[1]?.word;
    return second !== undefined && second !== ';' && second !== 'WORK';
  }
  if (first !== 'CREATE' && first !== 'ALTER') return false;
  for (const { word } of tokens) {
    if (others.has(word)) return false;
    if (routines.has(word)) return tokens.some((token) => compound.has(token.word));
  }
  return false;
}
