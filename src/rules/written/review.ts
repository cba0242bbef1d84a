// Rules that are valid, and cannot do what their author wants: looked for by `check`, not by a sidecar.

import type { Place } from '../../documents/parse.ts';
import { quoted } from '../../documents/value.ts';
import { formatPlace, type Problem } from '../../problem.ts';
import { type RuleSet, selects, type TrafficRule } from '../compile.ts';
import type { Condition } from '../conditions/condition.ts';
import { contradiction, implies } from '../conditions/implication.ts';

/** What is known of the places where rules apply. */
export type Surroundings = {
  readonly workloads: readonly { readonly namespace: string; readonly labels: Readonly<Record<string, string>> }[];
  /** True where a gateway may be, whose labels no document says. */
  readonly hasGateway: boolean;
  /** Namespaces with a port that strangers reach. */
  readonly edges: ReadonlySet<string>;
};

/** Rules that no request can match, and rules whose requests an earlier one takes. */
export function reviewRules({ traffic }: RuleSet): Problem[] {
  const never = new Set(traffic.filter((rule) => isEmpty(rule) || rule.share === 0));
  const problems = traffic.flatMap((rule) => [...contradictionsOf(rule), ...shareProblems(rule)]);
  for (const [position, rule] of traffic.entries()) {
    if (never.has(rule)) continue;
    const earlier = traffic.slice(0, position).find((other) => !never.has(other) && takesAll(other, rule));
    if (earlier === undefined) continue;
    const where = `${earlier.name} at ${formatPlace(earlier.place)}`;
    problems.push(warning(rule.place, `rule ${rule.name} is never reached: ${where} takes all that it matches`));
  }
  return problems;
}

/** Selectors that meet nothing among the workloads that are known. */
export function reviewSelectors({ traffic, workloads: labels }: RuleSet, surroundings: Surroundings): Problem[] {
  const { workloads, hasGateway, edges } = surroundings;
  const isMet = ({ namespace, selector }: Pick<TrafficRule, 'namespace' | 'selector'>): boolean =>
    workloads.some((workload) => workload.namespace === namespace && selects(selector, workload.labels));
  const problems: Problem[] = [];
  for (const { selector, namespace, places, alternatives } of traffic) {
    // What matches nothing has been said so.
    if (alternatives.length === 0 || hasGateway) continue;
    if (selector.length === 0 ? edges.has(namespace) : isMet({ selector, namespace })) continue;
    const message =
      selector.length === 0
        ? `found no selector, which means every edge, and no service of namespace ${namespace} with an edge port or paths`
        : unmet(selector, namespace);
    problems.push(warning(places.selector, message));
  }
  for (const { selector, namespace, database, place } of labels)
    if (database === undefined && !isMet({ selector, namespace }))
      problems.push(warning(place, unmet(selector, namespace)));
  return problems;
}

function unmet(selector: TrafficRule['selector'], namespace: string): string {
  const labels = selector.map(([key, value]) => `${key}: ${value}`).join(', ');
  return `found the selector ${quoted(labels)}, and no instance with these labels in namespace ${namespace}`;
}

function shareProblems({ share, places, name }: TrafficRule): Problem[] {
  return share === 0 ? [warning(places.percentage, `found 0, which chooses nobody; rule ${name} matches nothing`)] : [];
}

function contradictionsOf({ alternatives, name }: TrafficRule): Problem[] {
  return alternatives.flatMap((conditions) => {
    const found = contradiction(conditions);
    if (found === undefined) return [];
    const [one, other] = found;
    const what = alternatives.length > 1 ? `this list of rule ${name}` : `rule ${name}`;
    const message = `no request fulfils this condition and the one at ${formatPlace(one.place)}; ${what} matches nothing`;
    return [warning(other.place, message)];
  });
}

/** True where nothing can match: no list, or only lists that contradict themselves. */
function isEmpty({ alternatives }: TrafficRule): boolean {
  return alternatives.every((conditions) => contradiction(conditions) !== undefined);
}

/** True where every request that `later` matches has been taken by `earlier`, wherever `later` applies. */
function takesAll(earlier: TrafficRule, later: TrafficRule): boolean {
  if (earlier.share !== undefined || earlier.namespace !== later.namespace) return false;
  if (!isAtLeast(earlier.selector, later.selector)) return false;
  return later.alternatives.every(
    (conditions) =>
      earlier.alternatives.some((wider) => isWider(wider, conditions)) || contradiction(conditions) !== undefined,
  );
}

/** An edge is no workload with labels: a rule without selector takes nothing of one that has one. */
function isAtLeast(wide: TrafficRule['selector'], narrow: TrafficRule['selector']): boolean {
  if (wide.length === 0) return narrow.length === 0;
  return wide.every(([key, value]) => narrow.some(([other, found]) => other === key && found === value));
}

function isWider(wide: readonly Condition[], narrow: readonly Condition[]): boolean {
  return wide.every((condition) => narrow.some((other) => implies(other, condition)));
}

function warning(place: Place, message: string): Problem {
  return { severity: 'warning', ...place, message };
}
