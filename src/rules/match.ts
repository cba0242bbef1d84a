// Which rule a request matches: the one function of this folder that every request runs through.

import { cookieOf, pathOf, queryOf, type Request } from '../traffic/request.ts';
import type { Condition, Key, TrafficRule } from './compile.ts';
import { bucketOf } from './percentage.ts';

/** Why a rule did not win. Made when rules are compiled, never per request. */
export type Loss = { readonly rule: string; readonly reason: string };

export type Match = {
  readonly rule: TrafficRule | undefined;
  /** Of the rules before it, in order; of all where none matched. */
  readonly lost: readonly Loss[];
};

/** The first rule that matches. `identity` decides a percentage without stickyBy: the trace id, else the request id. HOT */
export function match(rules: readonly TrafficRule[], request: Request, identity: string | undefined): Match {
  const lost: Loss[] = [];
  for (const rule of rules) {
    const loss = lossOf(rule, request, identity);
    if (loss === undefined) return { rule, lost };
    lost.push(loss);
  }
  return { rule: undefined, lost };
}

function lossOf(rule: TrafficRule, request: Request, identity: string | undefined): Loss | undefined {
  if (rule.conditions.length === 0) return rule.losses.empty;
  for (const condition of rule.conditions) if (!holds(condition, request)) return condition.loss;
  if (rule.share === undefined) return undefined;
  const value = rule.stickyBy === undefined ? identity : read(rule.stickyBy, request);
  if (value === undefined) return rule.losses.nothingToStickBy;
  return bucketOf(rule.name, value) < rule.share ? undefined : rule.losses.notChosen;
}

function holds(condition: Condition, request: Request): boolean {
  return read(condition, request) === condition.value;
}

function read({ type, key }: Key, request: Request): string | undefined {
  switch (type) {
    case 'header':
      return request.header(key);
    case 'path':
      return pathOf(request);
    case 'query':
      return queryOf(request, key);
    case 'cookie':
      return cookieOf(request, key);
  }
}
