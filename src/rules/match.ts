// Which rule a request matches: the one function of this folder that every request runs through.

import type { Request } from '../traffic/request.ts';
import type { TrafficRule } from './compile.ts';
import { type Condition, read } from './conditions/condition.ts';
import { bucketOf } from './conditions/percentage.ts';
import type { RuleIndex } from './lookup.ts';

/** The first rule that matches. `identity` decides a percentage without stickyBy: the trace id, else the request id. HOT */
export function match(index: RuleIndex, request: Request, identity: string | undefined): TrafficRule | undefined {
  const { rules, lookups, others } = index;
  const isMatching = (rule: TrafficRule | undefined): boolean =>
    rule !== undefined && isDescribed(rule, request) && isChosen(rule, request, identity);
  let first = rules.length;
  for (const { key, tables } of lookups) {
    const value = read(key, request);
    if (value === undefined) continue;
    for (const { start, end, found } of tables) look(found.get(value.slice(start, end)));
  }
  look(others);
  return rules[first];

  function look(positions: readonly number[] | undefined): void {
    if (positions === undefined) return;
    for (const position of positions) {
      if (position >= first) return;
      if (isMatching(rules[position])) first = position;
    }
  }
}

/** Whether a rule's conditions hold. HOT */
export function isDescribed({ alternatives }: TrafficRule, request: Request): boolean {
  for (const conditions of alternatives) if (broken(conditions, request) === undefined) return true;
  return false;
}

/** The first condition that does not hold. HOT */
export function broken(conditions: readonly Condition[], request: Request): Condition | undefined {
  for (const condition of conditions) if (!condition.holds(read(condition, request))) return condition;
  return undefined;
}

/** Whether a rule's percentage takes a request. HOT */
export function isChosen(rule: TrafficRule, request: Request, identity: string | undefined): boolean {
  if (rule.share === undefined) return true;
  const value = stickyValue(rule, request, identity);
  return value !== undefined && bucketOf(rule.name, value) < rule.share;
}

/** What a percentage sticks by; undefined where the request has no such value. */
export function stickyValue({ stickyBy }: TrafficRule, request: Request, identity?: string): string | undefined {
  return stickyBy === undefined ? identity : read(stickyBy, request);
}
