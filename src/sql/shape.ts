// A text without what its literals say: texts that differ in nothing else are read once, and diverted in the same way.
import type { Analysis } from './analysis.ts';
import type { Mode } from './mode.ts';
import { maxLabelLength } from './splice/labels.ts';
import { isDigit, isInName } from './tokens/characters.ts';
import { endOfName, endOfString } from './tokens/literals.ts';

export type Shape = {
  /** SQL as well, with the mark in the place of every literal, and between the quotes of every string. */
  readonly text: string;
  /** What stood there, in order. */
  readonly literals: readonly string[];
};

/** A number as any. Where it comes by chance, `piecesOf` finds more pieces than there are literals. */
const mark = '70368744177663';

/** With more it is rows by the hundred, and seldom comes again. */
const maxLiterals = 64;

/** Variables, comments, a second statement, quotes and dollars of several meanings: such texts are read as they are. */
const doubts = new Set(Array.from('@#;"$\\[\0', (character) => character.charCodeAt(0)));

/** undefined where there is no literal, or any doubt about what is one: what is cut out is one token for the lexer, or digits of one. HOT */
export function shapeOf(text: string, mode: Mode): Shape | undefined {
  if (mode.charset !== 'bytes') return undefined;
  const literals: string[] = [];
  let shape = '';
  let kept = 0;
  let before = 0;
  let to = 0;
  for (let at = 0; at < text.length; at = to) {
    const code = text.charCodeAt(at);
    let from = 0;
    let end = 0;
    to = at + 1;
    if (isInName(code)) {
      let isNumber = before !== 0x2e;
      for (to = at; to < text.length; to += 1) {
        const next = text.charCodeAt(to);
        if (!isInName(next)) break;
        if (next === 0x24) return undefined;
        isNumber &&= isDigit(next);
      }
      if (isNumber && text.charCodeAt(to) !== 0x2e) {
        from = at;
        end = to;
      }
    } else if (code === 0x27) {
      // What stands right before a string says how it is read: N'…', X'…', _utf8'…'.
      to = isInName(before) ? -1 : endOfString(text, at, mode);
      from = at + 1;
      end = to - 1;
    } else if (code === 0x60) to = endOfName(text, at, mode);
    else if (doubts.has(code) || opensComment(code, text.charCodeAt(to))) return undefined;
    if (to < 0) return undefined;
    before = text.charCodeAt(to - 1);
    if (from === 0) continue;
    if (literals.length === maxLiterals) return undefined;
    shape += text.slice(kept, from) + mark;
    literals.push(text.slice(from, end));
    kept = end;
  }
  return kept === 0 ? undefined : { text: shape + text.slice(kept), literals };
}

/** True for what a shape says of all texts that have it: these statements are read without a look at any literal. */
export function isOfShape({ statements, unread }: Analysis): boolean {
  const [only] = statements;
  if (only === undefined || statements.length > 1 || unread !== undefined || !shaped.has(only.verb)) return false;
  // A label that is too long for an alias may be so for the marks in it alone.
  const isTooLong = only.labels.some(({ from, to }) => to - from > maxLabelLength);
  return only.obstacle === undefined && only.changes.length === 0 && !isTooLong;
}

const shaped = new Set(['SELECT', 'INSERT', 'REPLACE', 'UPDATE', 'DELETE']);

/** What stands between literals in a shape that was rewritten: one piece more than it has literals, or it is not to be filled. */
export function piecesOf(rewritten: string): readonly string[] {
  return rewritten.split(mark);
}

/** HOT */
export function fill(pieces: readonly string[], literals: readonly string[]): string {
  let text = pieces[0] ?? '';
  for (let at = 0; at < literals.length; at += 1) text += (literals[at] as string) + (pieces[at + 1] as string);
  return text;
}

function opensComment(code: number, next: number): boolean {
  return (code === 0x2d && next === 0x2d) || (code === 0x2f && next === 0x2a);
}
