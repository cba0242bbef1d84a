// What a session has set, as far as another server must be told it before it stands for the client's own.

import type { Setting } from '../../sql/analysis.ts';

export type Settings = {
  /** In order; what was set again is the last of its name. */
  readonly kept: readonly Kept[];
  /** Too much was set: what is kept is not all. */
  readonly isFull: boolean;
  keep(setting: Setting): void;
  clear(): void;
};

export type Kept = Setting & {
  /** Counts on for as long as the session lives. */
  readonly number: number;
};

export const maxSettings = 256;
export const maxSettingBytes = 1 << 16;

export function createSettings(): Settings {
  let kept: Kept[] = [];
  let number = 0;
  let isFull = false;
  return {
    get kept() {
      return kept;
    },
    get isFull() {
      return isFull;
    },
    keep({ text, name, isLiteral }) {
      number += 1;
      if (isFull) return;
      // A slice would hold the whole text of which it is.
      kept = needed([...kept, { text: isLiteral ? copied(text) : copied(text.slice(0, 80)), name, isLiteral, number }]);
      const bytes = kept.reduce((sum, each) => sum + each.text.length + each.name.length, 0);
      isFull = kept.length > maxSettings || bytes > maxSettingBytes;
      if (isFull) kept = [];
    },
    clear() {
      kept = [];
      isFull = false;
    },
  };
}

/** Without those that were set again; but what says how texts are read stays before texts that were read so. */
function needed(all: readonly Kept[]): Kept[] {
  const found: Kept[] = [];
  const laterReadings = new Map<string, number>();
  let readings = 0;
  for (const each of all.toReversed()) {
    const { name } = each;
    const later = laterReadings.get(name);
    const isOver = later !== undefined && !addedTo.has(name) && (!saysHowToRead(name) || later === readings);
    if (isOver) continue;
    found.push(each);
    laterReadings.set(name, readings);
    if (isReadInSomeWay(each)) readings += 1;
  }
  return found.reverse();
}

/** To set one of these changes some of it. */
const addedTo = new Set(['optimizer_switch', 'optimizer_trace', 'debug', 'debug_dbug']);

function saysHowToRead(name: string): boolean {
  return name === 'sql_mode' || name === 'names' || /^(character_set|collation)_/.test(name);
}

/** Other texts are the same in every mode and charset. */
function isReadInSomeWay({ text }: Kept): boolean {
  return /[^ !#-[\]-~]/.test(text);
}

function copied(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
