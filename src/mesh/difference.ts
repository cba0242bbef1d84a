// What changed from one mesh to the next: for logs, metrics, and to render only what is new.
import { isSame } from './assembly/same.ts';
import type { Mesh } from './mesh.ts';

type Names = {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
};

export type Difference = {
  /** By `namespace/name`. */
  readonly services: Names;
  /** By `namespace/name`; rules of all kinds. Those that only stand at another place have not changed. */
  readonly rules: Names;
};

/** Everything is new where there was no mesh before. Services that are the same object are not looked into. */
export function difference(before: Mesh | undefined, after: Mesh): Difference {
  const services = namesThatDiffer(before?.services ?? new Map(), after.services);
  const rules =
    before?.rules === after.rules
      ? { added: [], changed: [], removed: [] }
      : namesThatDiffer(rulesByName(before), rulesByName(after));
  return { services, rules };
}

/** True where nothing changed. */
export function isEmpty({ services, rules }: Difference): boolean {
  return [services, rules].every(({ added, changed, removed }) => added.length + changed.length + removed.length === 0);
}

function namesThatDiffer(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): Names {
  const [added, changed, removed]: [string[], string[], string[]] = [[], [], []];
  for (const [name, value] of after) {
    if (!before.has(name)) added.push(name);
    else if (!isSame(before.get(name), value)) changed.push(name);
  }
  for (const name of before.keys()) if (!after.has(name)) removed.push(name);
  return { added, changed, removed };
}

/** A TrafficLane may be two rules of one name, and a WorkloadLabelRule may have the name of another kind. */
function rulesByName(mesh: Mesh | undefined): ReadonlyMap<string, unknown> {
  const byName = new Map<string, unknown[]>();
  const { traffic = [], workloads = [], databases = [] } = mesh?.rules ?? {};
  for (const rule of [...traffic, ...workloads, ...databases])
    byName.set(rule.name, [...(byName.get(rule.name) ?? []), rule]);
  return byName;
}
