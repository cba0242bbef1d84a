// Which names are common table expressions, and from where to where. A qualified name never is one.
import { folded, lowerCase, nameOf } from '../tokens/token.ts';
import type { Frame } from './frame.ts';
import { behindParentheses, isName, misread, type Reading, tokenAt, wordAt } from './reading.ts';

/** `WITH a AS (`, `WITH RECURSIVE a (b) AS (`; not `WITH ROLLUP`. */
export function isWith(reading: Reading, at: number): boolean {
  const name = wordAt(reading, at + 1) === 'RECURSIVE' ? at + 2 : at + 1;
  const next = wordAt(reading, name + 1);
  return isName(tokenAt(reading, name)) && (next === 'AS' || next === '(');
}

/** At WITH; the place of the last token before the first name. */
export function readWith(frame: Frame, reading: Reading, at: number): number {
  frame.state = 'cte';
  if (wordAt(reading, at + 1) !== 'RECURSIVE') return at;
  frame.isRecursive = true;
  // In MariaDB all of its names are visible in all of its members, in MySQL a member sees itself and those before it.
  if (reading.mode.server.flavour === 'mariadb') {
    let name = at + 2;
    for (;;) {
      const body = bodyOf(reading, name);
      if (body === undefined) break;
      showCte(frame, reading, nameOf(reading.text, tokenAt(reading, name)));
      const next = behindCycle(reading, behindParentheses(reading, body));
      if (wordAt(reading, next) !== ',') break;
      name = next + 1;
    }
  }
  return at + 1;
}

/** At the name of a CTE; the place of the last token before the parentheses of its body. */
export function readCte(frame: Frame, reading: Reading, at: number): number {
  const body = bodyOf(reading, at);
  if (body === undefined) {
    misread(reading, at);
    frame.state = 'tail';
    return at;
  }
  frame.state = 'cte-body';
  frame.cte = nameOf(reading.text, tokenAt(reading, at));
  if (frame.isRecursive && reading.mode.server.flavour === 'mysql') showCte(frame, reading, frame.cte);
  return body - 1;
}

/** The body has ended: what follows sees the name. */
export function closeCte(frame: Frame, reading: Reading): void {
  frame.state = 'behind-cte';
  if (!frame.isRecursive && frame.cte !== undefined) showCte(frame, reading, frame.cte);
}

/** MariaDB's `CYCLE a, b RESTRICT` behind a body; the place itself where there is none. */
export function behindCycle(reading: Reading, at: number): number {
  if (wordAt(reading, at) !== 'CYCLE') return at;
  let next = at + 1;
  while (isName(tokenAt(reading, next)) && wordAt(reading, next + 1) === ',') next += 2;
  return wordAt(reading, next + 1) === 'RESTRICT' ? next + 2 : at;
}

function bodyOf(reading: Reading, name: number): number | undefined {
  if (!isName(tokenAt(reading, name))) return undefined;
  const as = wordAt(reading, name + 1) === '(' ? behindParentheses(reading, name + 1) : name + 1;
  return wordAt(reading, as) === 'AS' && wordAt(reading, as + 1) === '(' ? as + 1 : undefined;
}

/** From here on, to the end of the frame, the name is a CTE. */
function showCte(frame: Frame, reading: Reading, name: string): void {
  const key = cteKey(name, reading);
  reading.ctes.add(lowerCase(name));
  frame.ctes ??= [];
  frame.ctes.push(key);
  reading.visible.set(key, (reading.visible.get(key) ?? 0) + 1);
}

export function hideCtes(frame: Frame, { visible }: Reading): void {
  for (const key of frame.ctes ?? []) {
    const count = (visible.get(key) ?? 1) - 1;
    if (count === 0) visible.delete(key);
    else visible.set(key, count);
  }
  frame.ctes = undefined;
}

export function isCte(reading: Reading, name: string): boolean {
  return reading.visible.size > 0 && reading.visible.has(cteKey(name, reading));
}

/** MariaDB compares names of CTEs without case, MySQL as names of tables. */
function cteKey(name: string, { mode }: Reading): string {
  return mode.server.flavour === 'mariadb' ? lowerCase(name) : folded(name, mode);
}
