// Documents to a rule set: what requests and workloads are held against.

import type { z } from 'zod';
import type { Document, Place } from '../documents/parse.ts';
import { byPlace, problemAt } from '../documents/place.ts';
import { validate } from '../documents/validate.ts';
import { formatPlace, type Problem, type Result } from '../problem.ts';
import type { Label } from '../traffic/label.ts';
import type { Condition, Key } from './conditions/condition.ts';
import { type DatabaseRule, databaseProblems, endpointRule, shadowRule, virtualRule } from './database.ts';
import { laneRules, trafficRule, workloadRule } from './rule.ts';
import { databaseEndpoint, shadow, virtualDatabase } from './written/database.ts';
import { trafficLabelRule, trafficLane, workloadLabelRule } from './written/document.ts';
import { isRule, kindProblems } from './written/kinds.ts';
import { valueProblems, warnings } from './written/mistakes.ts';

export { isRule };

type Pairs = readonly (readonly [string, string])[];

export type TrafficRule = {
  /** `namespace/name` */
  readonly name: string;
  readonly namespace: string;
  /** Empty: every edge of the namespace. */
  readonly selector: Pairs;
  readonly label: Label;
  /** `refuse`: a request with this label never reaches base. */
  readonly onFailure: 'base' | 'refuse';
  /** Lists of which one must hold, with all its conditions: none matches nothing, an empty one everything. */
  readonly alternatives: readonly (readonly Condition[])[];
  /** Hundredths of a percent, 0 to 10000; all where undefined. */
  readonly share: number | undefined;
  readonly stickyBy: Key | undefined;
  readonly priority: number;
  readonly place: Place;
  readonly places: { readonly selector: Place; readonly percentage: Place };
};

export type WorkloadRule = {
  /** `namespace/name` */
  readonly name: string;
  readonly namespace: string;
  readonly labels: readonly Label[];
  /** Empty where the rule is for a database. */
  readonly selector: Pairs;
  readonly database: { readonly db: string; readonly table?: string; readonly shadowOf?: string } | undefined;
  readonly place: Place;
};

export type RuleSet = {
  /** In the order in which they are looked at. */
  readonly traffic: readonly TrafficRule[];
  readonly workloads: readonly WorkloadRule[];
  /** What Shadow, DatabaseEndpoint and VirtualDatabase say. */
  readonly databases: readonly DatabaseRule[];
};

/** What one document means, on its own; nothing where it is wrong. */
export type Compiled = {
  readonly traffic: readonly TrafficRule[];
  readonly workloads: readonly WorkloadRule[];
  readonly databases: readonly DatabaseRule[];
  /** When it was, in milliseconds. Files have no creation time, and count as older than what has one. */
  readonly created: number;
};

/** Reads the documents of OpenSergo. Every mistake of every document is reported; documents without one become rules. */
export function compile(documents: readonly Document[]): { rules: RuleSet; problems: Problem[] } {
  const problems: Problem[] = [];
  const all: Compiled[] = [];
  const seen = new Map<string, Document>();
  for (const document of documents.filter(isRule)) {
    const twins = twinProblems(document, seen);
    const { compiled, problems: own } = compileDocument(document);
    problems.push(...[...own, ...twins].sort(byPlace));
    if (twins.length === 0) all.push(compiled);
  }
  return { rules: toRuleSet(all), problems };
}

/** Reads one of them. Warnings do not keep it from being used. */
export function compileDocument(document: Document): { compiled: Compiled; problems: readonly Problem[] } {
  const problems = kindProblems(document);
  const created = createdAt(document);
  const none: Compiled = { traffic: [], workloads: [], databases: [], created };
  const compiled = compiledBy(document, problems) ?? none;
  return { compiled: problems.some(isError) ? none : { ...none, ...compiled }, problems: problems.sort(byPlace) };
}

function compiledBy(document: Document, problems: Problem[]): Partial<Compiled> | undefined {
  switch (document.kind) {
    case 'TrafficLabelRule': {
      const result = validate(document, trafficLabelRule);
      problems.push(...problemsOf(result), ...valueProblems(document), ...warnings(document));
      return result.ok && !problems.some(isError) ? { traffic: [trafficRule(document, result.value)] } : undefined;
    }
    case 'TrafficLane': {
      const result = validate(document, trafficLane);
      problems.push(...problemsOf(result), ...valueProblems(document), ...warnings(document));
      return result.ok && !problems.some(isError) ? { traffic: laneRules(document, result.value) } : undefined;
    }
    case 'WorkloadLabelRule': {
      const result = validate(document, workloadLabelRule);
      problems.push(...problemsOf(result));
      return result.ok && !problems.some(isError) ? { workloads: [workloadRule(document, result.value)] } : undefined;
    }
    case 'Shadow':
      return databaseRule(shadow, shadowRule);
    case 'DatabaseEndpoint':
      return databaseRule(databaseEndpoint, endpointRule);
    case 'VirtualDatabase':
      return databaseRule(virtualDatabase, virtualRule);
    default:
      return undefined;
  }

  function databaseRule<T>(
    schema: z.ZodType<T>,
    compile: (document: Document, value: T) => DatabaseRule,
  ): Partial<Compiled> | undefined {
    const result = validate(document, schema);
    problems.push(...problemsOf(result), ...databaseProblems(document));
    return result.ok && !problems.some(isError) ? { databases: [compile(document, result.value)] } : undefined;
  }
}

/** All of them, in the order in which they are looked at. */
export function toRuleSet(all: readonly Compiled[]): RuleSet {
  const traffic = all.flatMap(({ traffic, created }) => traffic.map((rule) => ({ rule, created })));
  traffic.sort((a, b) => b.rule.priority - a.rule.priority || a.created - b.created || byName(a.rule, b.rule));
  return {
    traffic: traffic.map(({ rule }) => rule),
    workloads: all.flatMap(({ workloads }) => workloads).sort(byName),
    databases: all.flatMap(({ databases }) => databases).sort(byName),
  };
}

/** The rules by which a workload labels requests, in order. */
export function rulesFor(
  rules: RuleSet,
  workload: { namespace: string; labels: Readonly<Record<string, string>>; edge: boolean },
): readonly TrafficRule[] {
  return rules.traffic.filter(
    (rule) =>
      rule.namespace === workload.namespace &&
      (rule.selector.length === 0 ? workload.edge : selects(rule.selector, workload.labels)),
  );
}

/** The keys of what rules ask of the labels of a caller: no others need to travel. */
export function sourceLabelKeys({ traffic }: RuleSet): ReadonlySet<string> {
  const keys = traffic.flatMap(({ alternatives, stickyBy }): Key[] => [
    ...alternatives.flat(),
    ...(stickyBy ? [stickyBy] : []),
  ]);
  return new Set(keys.filter(({ type }) => type === 'sourceLabel').map(({ key }) => key));
}

/** The labels that rules give to a workload, each once. */
export function workloadLabels(
  rules: RuleSet,
  workload: { namespace: string; labels: Readonly<Record<string, string>> },
): readonly Label[] {
  const selecting = rules.workloads.filter(
    (rule) =>
      rule.namespace === workload.namespace && rule.database === undefined && selects(rule.selector, workload.labels),
  );
  return [...new Set(selecting.flatMap((rule) => rule.labels))];
}

/** True where any rule is about a database, or its shadow. */
export function speaksOfDatabases({ workloads, databases }: RuleSet): boolean {
  return databases.length > 0 || workloads.some(({ database }) => database !== undefined);
}

function problemsOf(result: Result<unknown>): readonly Problem[] {
  return result.ok ? [] : result.problems;
}

function twinProblems(document: Document, seen: Map<string, Document>): Problem[] {
  const id = `${document.kind} ${document.namespace}/${document.name}`;
  const first = seen.get(id);
  if (first === undefined) {
    seen.set(id, document);
    return [];
  }
  const there = formatPlace(first.place(['metadata', 'name']));
  const message = `found ${id} again, expected it once; the first is at ${there}, rename one of them`;
  return [problemAt(document, ['metadata', 'name'], message)];
}

function isError(problem: Problem): boolean {
  return problem.severity === 'error';
}

function createdAt({ creationTimestamp }: Document): number {
  return creationTimestamp === undefined ? Number.NEGATIVE_INFINITY : Date.parse(creationTimestamp);
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Whether all pairs of a selector are among the labels of a workload. */
export function selects(selector: Pairs, labels: Readonly<Record<string, string>>): boolean {
  return selector.every(([key, value]) => labels[key] === value);
}
