// Which rules could match, found by hash: so that a thousand rules cost little more than ten.

import type { TrafficRule } from './compile.ts';
import type { Condition, Key } from './conditions/condition.ts';

/** Rules whose value, or a beginning or end of it, is a key of `found`. */
export type Table = {
  readonly start: number;
  readonly end: number | undefined;
  /** Positions of rules, ascending. */
  readonly found: ReadonlyMap<string, readonly number[]>;
};

export type Lookup = { readonly key: Key; readonly tables: readonly Table[] };

export type RuleIndex = {
  /** In the order in which they are looked at. */
  readonly rules: readonly TrafficRule[];
  readonly lookups: readonly Lookup[];
  /** Positions of the rules that no hash can find, ascending: they are looked at one by one. */
  readonly others: readonly number[];
};

type Growing = {
  key: Key;
  tables: Map<string, { start: number; end: number | undefined; found: Map<string, number[]> }>;
};

/** Each list of conditions is found by one of them. */
export function indexRules(rules: readonly TrafficRule[]): RuleIndex {
  const anchorOf = createAnchors(
    rules.flatMap(({ alternatives }) => alternatives),
    isHashable,
  );
  const lookups = new Map<string, Growing>();
  const others: number[] = [];
  for (const [position, { alternatives }] of rules.entries()) {
    for (const conditions of alternatives) {
      const anchor = anchorOf(conditions);
      if (anchor === undefined) add(others, position);
      else for (const value of anchor.values) add(listFor(lookups, anchor, value), position);
    }
  }
  return {
    rules,
    lookups: [...lookups.values()].map(({ key, tables }) => ({ key, tables: [...tables.values()] })),
    others,
  };
}

/** A function that picks, of a list's candidates, the one whose values differ most from list to list. */
export function createAnchors(
  lists: readonly (readonly Condition[])[],
  isCandidate: (condition: Condition) => boolean,
): (conditions: readonly Condition[]) => Condition | undefined {
  const values = new Map<string, Set<string>>();
  for (const condition of lists.flat().filter(isCandidate)) {
    const known = values.get(idOf(condition)) ?? new Set();
    values.set(idOf(condition), known);
    for (const value of condition.values) known.add(value);
  }
  const varietyOf = (condition: Condition): number => values.get(idOf(condition))?.size ?? 0;
  return (conditions) => {
    let best: Condition | undefined;
    for (const condition of conditions.filter(isCandidate))
      if (best === undefined || varietyOf(condition) > varietyOf(best)) best = condition;
    return best;
  };
}

/** Ranges of addresses are no values. */
function isHashable({ type, condition }: Condition): boolean {
  if (type === 'sourceIp') return false;
  return condition === '==' || condition === 'in' || condition === 'prefix' || condition === 'suffix';
}

function listFor(lookups: Map<string, Growing>, { type, key, condition }: Condition, value: string): number[] {
  const id = `${type} ${key}`;
  const lookup = lookups.get(id) ?? { key: { type, key }, tables: new Map() };
  lookups.set(id, lookup);
  const start = condition === 'suffix' ? -value.length : 0;
  const end = condition === 'prefix' ? value.length : undefined;
  const table = lookup.tables.get(`${start} ${end}`) ?? { start, end, found: new Map<string, number[]>() };
  lookup.tables.set(`${start} ${end}`, table);
  const list = table.found.get(value) ?? [];
  table.found.set(value, list);
  return list;
}

/** Once, also where two lists of one rule are found by the same value. */
function add(positions: number[], position: number): void {
  if (positions.at(-1) !== position) positions.push(position);
}

function idOf({ type, key, condition }: Condition): string {
  return `${condition === 'in' ? '==' : condition} ${type} ${key}`;
}
