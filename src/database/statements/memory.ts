// What was found in texts, and what became of them, kept for when they come again.

import { analyse } from '../../sql/analyse.ts';
import type { Analysis } from '../../sql/analysis.ts';
import type { Verdict } from '../../sql/divert.ts';
import type { Mode } from '../../sql/mode.ts';
import type { Shadows } from '../../sql/shadows.ts';

/** A verdict holds for these, compared by identity. */
export type Circumstances = {
  readonly database: string | undefined;
  readonly shadows: Shadows;
  readonly temporary: ReadonlySet<string>;
};

type Entry = {
  readonly mode: Mode;
  readonly analysis: Analysis;
  readonly verdicts: { readonly circumstances: Circumstances; readonly verdict: Verdict }[];
};

export type Memory = {
  analysisOf(text: string, mode: Mode): Analysis;
  verdictOf(text: string, mode: Mode, circumstances: Circumstances, find: () => Verdict): Verdict;
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
  let lastText: string | undefined;
  let last: Entry | undefined;
  return {
    analysisOf: (text, mode) => entryOf(text, mode).analysis,
    verdictOf(text, mode, circumstances, find) {
      const { verdicts } = entryOf(text, mode);
      for (const known of verdicts) if (isSame(known.circumstances, circumstances)) return known.verdict;
      const verdict = find();
      if (verdicts.length >= maxVerdicts) verdicts.shift();
      verdicts.push({ circumstances, verdict });
      return verdict;
    },
  };

  /** Of one statement it is asked for several times, in a row. HOT */
  function entryOf(text: string, mode: Mode): Entry {
    if (lastText === text && last?.mode === mode) return last;
    const found = lookUp(text, mode);
    [lastText, last] = [text, found];
    return found;
  }

  function lookUp(text: string, mode: Mode): Entry {
    if (text.length > maxTextBytes || isNew(text)) return { mode, analysis: analyse(text, mode), verdicts: [] };
    const known = young.get(text);
    if (known?.mode === mode) return known;
    const older = old.get(text);
    const entry = older?.mode === mode ? older : { mode, analysis: analyse(text, mode), verdicts: [] };
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
