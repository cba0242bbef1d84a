// One valid document to one rule: lower case, bytes and reasons are made here, so that no request pays for them.

import type { Document, Path } from '../documents/parse.ts';
import { quoted } from '../documents/value.ts';
import { type Label, parseLabel } from '../traffic/label.ts';
import type { TrafficRule, WorkloadRule } from './compile.ts';
import { type Condition, compileCondition, compileKey, type WrittenCondition } from './conditions/condition.ts';
import type { TrafficLabelRule, TrafficLane, WorkloadLabelRule } from './written/document.ts';
import { httpPath, writtenConditions } from './written/lane.ts';

/** The rule that a valid document means. */
export function trafficRule(document: Document, { spec }: TrafficLabelRule): TrafficRule {
  return {
    ...namesOf(document),
    selector: Object.entries(spec.selector ?? {}),
    label: labelOf(spec.trafficLabel),
    onFailure: spec.onFailure,
    alternatives: alternativesOf(document, spec),
    share: spec.percentage === undefined ? undefined : Math.round(spec.percentage * 100),
    stickyBy: spec.stickyBy && compileKey(spec.stickyBy),
    priority: spec.priority,
    places: { selector: document.place(['spec', 'selector']), percentage: document.place(['spec', 'percentage']) },
  };
}

/** The rules that a valid document means: one for the requests that it describes, one for the workloads that they pass. */
export function laneRules(document: Document, { spec }: TrafficLane): TrafficRule[] {
  const { traffic, workload, lane } = spec.rules;
  const selector = Object.entries(spec.selector ?? {});
  const conditions = writtenConditions(traffic?.http).conditions.map(({ written, valuePath }) =>
    compileCondition(written, document.place([...httpPath, ...valuePath])),
  );
  const placesOf = (path: Path) => ({ selector: document.place(path), percentage: document.place([]) });
  const common = {
    ...namesOf(document),
    label: labelOf(lane.name),
    onFailure: 'base',
    share: undefined,
    stickyBy: undefined,
    priority: 0,
  } as const;
  return [
    ...(conditions.length === 0
      ? []
      : [{ ...common, selector, alternatives: [conditions], places: placesOf(['spec', 'selector']) }]),
    ...(workload === undefined
      ? []
      : [
          {
            ...common,
            selector: [...selector, ...Object.entries(workload.selector)],
            alternatives: [[]],
            places: placesOf(['spec', 'rules', 'workload', 'selector']),
          },
        ]),
  ];
}

/** The rule that a valid document means. */
export function workloadRule(document: Document, { spec }: WorkloadLabelRule): WorkloadRule {
  const { db, table } = spec.selector;
  const shadowOf = spec.shadowOf;
  return {
    ...namesOf(document),
    labels: spec.workloadLabels.map(labelOf),
    selector: db === undefined ? Object.entries(spec.selector) : [],
    database:
      db === undefined
        ? undefined
        : { db, ...(table !== undefined && { table }), ...(shadowOf !== undefined && { shadowOf }) },
  };
}

/** `match`, and one list of `anyOf` where there are any. An empty list holds for nothing. */
function alternativesOf(document: Document, { match, anyOf }: TrafficLabelRule['spec']): Condition[][] {
  const compiled = (written: readonly WrittenCondition[], path: Path): Condition[] =>
    written.map((each, index) => compileCondition(each, document.place([...path, index])));
  const common = compiled(match ?? [], ['spec', 'match']);
  if (match?.length === 0) return [];
  if (anyOf === undefined) return [common];
  const lists = anyOf.map((written, index) => compiled(written, ['spec', 'anyOf', index]));
  return lists.filter((list) => list.length > 0).map((list) => [...common, ...list]);
}

function labelOf(text: string): Label {
  const label = parseLabel(text);
  if (label === undefined) throw new Error(`the schema let through the label ${quoted(text)}`);
  return label;
}

function namesOf(document: Document): Pick<TrafficRule, 'name' | 'namespace' | 'place'> {
  const { namespace, name } = document;
  return { name: `${namespace}/${name}`, namespace, place: document.place([]) };
}
