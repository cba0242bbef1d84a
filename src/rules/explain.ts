// Why a request gets its label: every rule in order, with the reason why it lost. For people; no request runs through here.

import type { Request } from '../traffic/request.ts';
import type { TrafficRule } from './compile.ts';
import { broken, isChosen, stickyValue } from './match.ts';

export type Loss = { readonly rule: TrafficRule; readonly reason: string };

export type Explanation = {
  /** The one that `match` finds. */
  readonly rule: TrafficRule | undefined;
  /** The rules before it, in order; all where none matched. */
  readonly lost: readonly Loss[];
};

/** `rules` in the order in which they are looked at; `identity` as for `match`. */
export function explain(rules: readonly TrafficRule[], request: Request, identity: string | undefined): Explanation {
  const lost: Loss[] = [];
  for (const rule of rules) {
    const reason = reasonOf(rule, request, identity);
    if (reason === undefined) return { rule, lost };
    lost.push({ rule, reason });
  }
  return { rule: undefined, lost };
}

function reasonOf(rule: TrafficRule, request: Request, identity: string | undefined): string | undefined {
  if (rule.alternatives.length === 0) return 'no conditions';
  const reasons = rule.alternatives.map((conditions) => broken(conditions, request)?.reason);
  if (!reasons.includes(undefined)) return [...new Set(reasons)].join('; ');
  if (isChosen(rule, request, identity)) return undefined;
  const percentage = `percentage ${(rule.share ?? 0) / 100}`;
  return stickyValue(rule, request, identity) === undefined
    ? `${percentage}: no value to stick by`
    : `${percentage}: not among the chosen`;
}
