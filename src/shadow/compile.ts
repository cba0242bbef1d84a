// Rules about databases → what stands for which table, for whom.

import { quoted } from '../documents/value.ts';
import { formatPlace, type Problem } from '../problem.ts';
import type { RuleSet } from '../rules/compile.ts';
import type { TableName } from '../sql/shadows.ts';
import { caseless } from '../sql/tokens/names.ts';
import { type Label, parseLabel } from '../traffic/label.ts';
import type { Hint, LaneShadows, Mapping, ShadowMap } from './map.ts';
import { mappingsOf } from './mappings.ts';

/** The label of a hint, where its rule names none and so is for every label. */
export const anyLabel = labelNamed('shadow');

/** The map of all rules of a namespace; of every namespace where none is named. Names are byte strings, as in `TableName`. */
export function compileShadows(rules: RuleSet, namespace?: string): ShadowMap {
  const { mappings } = mappingsOf(rules, namespace);
  const hints = rules.databases.flatMap((rule): Hint[] => {
    if (rule.kind !== 'shadow' || (namespace !== undefined && rule.namespace !== namespace)) return [];
    return rule.hints.map((pairs) => ({ label: rule.labels?.[0] ?? anyLabel, pairs }));
  });
  // A Shadow whose endpoints are missing maps nothing, and must not let everything pass.
  const speaks = rules.databases.some(
    (rule) => rule.kind === 'shadow' && (namespace ?? rule.namespace) === rule.namespace,
  );
  return mapOf({ mappings, hints, isEmpty: mappings.length === 0 && !speaks, fold: (name) => name });
}

/** What is wrong between rules: names of nothing, twins whose table cannot be told, two shadows of one table. */
export function shadowProblems(rules: RuleSet): Problem[] {
  const { mappings, problems } = mappingsOf(rules);
  const seen = new Map<string, Mapping>();
  for (const mapping of mappings) {
    const { base, label, place, rule } = mapping;
    const key = JSON.stringify([label, base.database, base.table, namespaceOf(rule)]);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, mapping);
    else if (JSON.stringify([first.shadow, first.instance]) !== JSON.stringify([mapping.shadow, mapping.instance])) {
      const what = base.table === undefined ? base.database : `${base.database}.${base.table}`;
      const message = `found another shadow of ${quoted(what)} for ${label ?? 'every label'}, expected one; that of ${first.rule} at ${formatPlace(first.place)} counts`;
      problems.push({ severity: 'warning', ...place, message });
    }
  }
  return problems;
}

type Parts = {
  readonly mappings: readonly Mapping[];
  readonly hints: readonly Hint[];
  readonly isEmpty: boolean;
  /** What makes two names one. */
  readonly fold: (name: string) => string;
};

function mapOf({ mappings, hints, isEmpty, fold }: Parts): ShadowMap {
  const lanes = new Map<Label | undefined, LaneShadows>();
  const named = new Set(mappings.map(({ label }) => label).filter((label) => label !== undefined));
  const hasCommon = mappings.some(({ label }) => label === undefined);
  for (const label of [...named, undefined])
    lanes.set(
      label,
      laneOf(
        // What is said of this label counts before what is said of every label.
        [...mappings.filter((each) => each.label === label), ...(label ? mappings.filter((each) => !each.label) : [])],
        fold,
      ),
    );
  let ignoringCase: ShadowMap | undefined;
  const map: ShadowMap = {
    isEmpty,
    hints,
    mappings,
    of: (label) => lanes.get(label) ?? (hasCommon ? lanes.get(undefined) : undefined),
    labelsOf(name) {
      const labels = [...named].filter((label) => isMapped(lanes.get(label), name));
      return hasCommon && labels.length === 0 && isMapped(lanes.get(undefined), name) ? [anyLabel] : labels;
    },
    get ignoringCase() {
      ignoringCase ??= mapOf({ mappings, hints, isEmpty, fold: caseless });
      return ignoringCase;
    },
  };
  return map;
}

function isMapped(lane: LaneShadows | undefined, name: TableName): boolean {
  return lane !== undefined && (lane.shadowOf(name) !== undefined || lane.instanceOf(name.database) !== undefined);
}

/** The first that says something wins; a table before its database. */
function laneOf(mappings: readonly Mapping[], fold: (name: string) => string): LaneShadows {
  const key = (database: string, table?: string): string =>
    fold(table === undefined ? database : `${database}\0${table}`);
  const [bases, shadows] = [new Map<string, Mapping>(), new Set<string>()];
  for (const mapping of mappings) {
    const { base, shadow } = mapping;
    const at = key(base.database, base.table);
    if (!bases.has(at)) bases.set(at, mapping);
    if (mapping.instance === undefined) shadows.add(key(shadow.database, shadow.table));
  }
  const isShadow = ({ database, table }: TableName): boolean =>
    shadows.has(key(database, table)) || shadows.has(key(database));
  return {
    isShadow,
    shadowOf(name) {
      if (isShadow(name)) return undefined;
      const found = bases.get(key(name.database, name.table)) ?? bases.get(key(name.database));
      if (found === undefined) return undefined;
      return { database: found.shadow.database, table: found.shadow.table ?? name.table };
    },
    instanceOf: (database) => bases.get(key(database))?.instance,
  };
}

function namespaceOf(rule: string): string {
  return rule.slice(0, rule.indexOf('/'));
}

function labelNamed(text: string): Label {
  const label = parseLabel(text);
  if (label === undefined) throw new Error(`${text} is no label`);
  return label;
}
