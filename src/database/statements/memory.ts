// What was found in texts, and what became of them, kept for when they come again.

import { analyse } from '../../sql/analyse.ts';
import type { Analysis } from '../../sql/analysis.ts';
import type { Verdict } from '../../sql/divert.ts';
import type { Mode } from '../../sql/mode.ts';
import type { Shadows } from '../../sql/shadows.ts';
import { fill, isOfShape, piecesOf, shapeOf } from '../../sql/shape.ts';

/** A verdict holds for these, compared by identity. */
export type Circumstances = {
  readonly database: string | undefined;
  readonly shadows: Shadows;
  readonly temporary: ReadonlySet<string>;
};

/** Of a text, or of the shape of many. */
type Entry = {
  readonly text: string;
  readonly mode: Mode;
  readonly analysis: Analysis;
  readonly verdicts: Known[];
};

type Known = { readonly circumstances: Circumstances; readonly verdict: Verdict; readonly pieces: readonly string[] };

/** Without places, which may be those of a shape. */
export type Outcome = Exclude<Verdict, { do: 'rewrite' }> | { readonly do: 'rewrite'; readonly text: string };

type Find = (text: string, analysis: Analysis) => Verdict;

export type Memory = {
  /** Places in it count only where it changes the session, or names what was prepared: else they may be those of a shape. */
  analysisOf(text: string, mode: Mode): Analysis;
  verdictOf(text: string, mode: Mode, circumstances: Circumstances, find: Find): Outcome;
};

/** Of longer texts nothing is kept: they have literals, and do not come again. */
const maxTextBytes = 8_192;
const maxVerdicts = 8;

/**
 * Two generations, each of half of the bytes: what is asked for again comes into the younger one. A text is kept when it
 * comes for the second time: most with literals in them never do, and would only push out those that do.
 */
export function createMemory(maxBytes: number): Memory {
  let young = new Map<string, Entry>();
  let old = new Map<string, Entry>();
  let bytes = 0;
  const seen = new Uint32Array(seenTexts);
  let last: { readonly text: string; readonly entry: Entry; readonly literals: readonly string[] } | undefined;
  return {
    analysisOf: (text, mode) => read(text, mode).entry.analysis,
    verdictOf(text, mode, circumstances, find) {
      const { entry, literals } = read(text, mode);
      const { verdict, pieces } = knownOf(entry, circumstances, find);
      if (verdict.do !== 'rewrite' || literals.length === 0) return verdict;
      // A literal was doubled, as in an alias that keeps the name of a column.
      if (pieces.length !== literals.length + 1) return find(text, analyse(text, mode));
      return { do: 'rewrite', text: fill(pieces, literals) };
    },
  };

  /** Of one statement it is asked for several times, in a row. HOT */
  function read(text: string, mode: Mode): NonNullable<typeof last> {
    if (last?.text === text && last.entry.mode === mode) return last;
    const shape = text.length > maxTextBytes ? undefined : shapeOf(text, mode);
    const shaped = shape && lookUp(shape.text, mode);
    const isShaped = shaped !== undefined && isOfShape(shaped.analysis);
    last = isShaped
      ? { text, entry: shaped, literals: shape?.literals ?? [] }
      : { text, entry: lookUp(text, mode), literals: [] };
    return last;
  }

  function knownOf({ text, analysis, verdicts }: Entry, circumstances: Circumstances, find: Find): Known {
    for (const known of verdicts) if (isSame(known.circumstances, circumstances)) return known;
    const verdict = find(text, analysis);
    const known = { circumstances, verdict, pieces: verdict.do === 'rewrite' ? piecesOf(verdict.text) : [] };
    if (verdicts.length >= maxVerdicts) verdicts.shift();
    verdicts.push(known);
    return known;
  }

  function lookUp(text: string, mode: Mode): Entry {
    if (text.length > maxTextBytes) return entryOf(text, mode);
    const known = young.get(text);
    if (known?.mode === mode) return known;
    if (isNew(text)) return entryOf(text, mode);
    const older = old.get(text);
    const entry = older?.mode === mode ? older : entryOf(text, mode);
    // What is found in a text takes some ten times its bytes.
    bytes += 12 * text.length + 512;
    if (bytes > maxBytes / 2) [old, young, bytes] = [young, new Map(), 12 * text.length + 512];
    young.set(text, entry);
    return entry;
  }

  /** Two texts of one place take turns there: then one is kept later, and nothing else happens. */
  function isNew(text: string): boolean {
    const mark = markOf(text);
    const place = mark % seenTexts;
    if (seen[place] === mark) return false;
    seen[place] = mark;
    return true;
  }
}

function entryOf(text: string, mode: Mode): Entry {
  return { text, mode, analysis: analyse(text, mode), verdicts: [] };
}

/** Texts that came once are remembered by four bytes each. */
const seenTexts = 16_384;

/** Of its length, beginning and end. */
function markOf(text: string): number {
  let mark = text.length;
  const middle = Math.min(text.length, 64);
  for (let at = 0; at < middle; at += 1) mark = (Math.imul(mark, 31) + text.charCodeAt(at)) | 0;
  for (let at = Math.max(middle, text.length - 64); at < text.length; at += 1)
    mark = (Math.imul(mark, 31) + text.charCodeAt(at)) | 0;
  return mark >>> 0 || 1;
}

function isSame(one: Circumstances, other: Circumstances): boolean {
  return one.database === other.database && one.shadows === other.shadows && one.temporary === other.temporary;
}
