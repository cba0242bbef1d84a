// The gate: which requests the route table shows to the processor. A superset of what the rules match, never less.
import type { TrafficRule } from '../../rules/compile.ts';
import type { Condition } from '../../rules/conditions/condition.ts';
import { createAnchors } from '../../rules/lookup.ts';
import type { Resource } from '../resource.ts';
import { partOf } from './match.ts';
import { textOf } from './text.ts';

/** Routes are tried one after the other, by every request without a label. */
export const maxGates = 200;
const maxValuesOfGate = 200;
const maxCharactersOfGate = 8_192;

type Conditions = readonly Condition[];

/**
 * Route matches that let through every request below `prefix` that a rule could label. What a route cannot express is
 * let through: the processor decides (`gateNotes` says what that is). Rules that can match nothing have no gate. Where
 * that makes more than `limit` routes, rules that differ in one value share a route; where there are still more, routes
 * only look whether something that a rule needs is there; at last everything is let through.
 */
export function gatesOf(rules: readonly TrafficRule[], prefix = '/', limit = maxGates): Resource[] {
  const lists = listsOf(rules);
  for (const simplify of [exactly, grouped, reduced]) {
    const gates = unique(simplify(lists).flatMap((conditions) => gateOf(conditions, prefix)));
    if (gates.some(({ headers, path }) => headers === undefined && path === undefined)) return [pathMatch(prefix)];
    if (gates.length <= limit) return gates;
  }
  return [pathMatch(prefix)];
}

/** What the routes let through beside what a rule labels, for each rule of which there is something to say. */
export function gateNotes(rules: readonly TrafficRule[]): ReadonlyMap<TrafficRule, readonly string[]> {
  const notes = new Map<TrafficRule, readonly string[]>();
  for (const rule of rules) {
    const lists = listsOf([rule]);
    const more = lists.flatMap((list) => list.map((condition) => partOf(condition, list).more));
    if (rule.share !== undefined && lists.length > 0)
      more.push(`percentage ${rule.share / 100} is decided by the processor`);
    const found = [...new Set(more.filter((text) => text !== undefined))];
    if (found.length > 0) notes.set(rule, found);
  }
  return notes;
}

/** The match of a path and all below it: `/a` is `/a` and `/a/b`, not `/ab`. */
export function pathMatch(prefix: string): Resource {
  const path = parentOf(prefix);
  return path === '' ? { prefix: '/' } : { path_separated_prefix: path };
}

/** True where the path is the prefix or below it. */
export function isBelow(path: string, prefix: string): boolean {
  const parent = parentOf(prefix);
  return path === parent || path.startsWith(`${parent}/`);
}

/** The lists of conditions that can hold for anything. */
function listsOf(rules: readonly TrafficRule[]): Conditions[] {
  return rules.filter(({ share }) => share !== 0).flatMap(({ alternatives }) => alternatives);
}

/** The route of a list of conditions; none where no request below the prefix can fulfil it. */
function gateOf(conditions: Conditions, prefix: string): Resource[] {
  const [exact, ...others] = conditions.filter(isEqual).map((condition) => pathsBelow(condition, prefix));
  const isPossible = conditions.every((condition) => isReachable(condition, prefix));
  if (!isPossible || exact?.length === 0 || others.some((paths) => !paths.some((path) => exact?.includes(path))))
    return [];
  const [path] = exact ?? [];
  const isOnePath = exact?.length === 1 && others.every((paths) => paths.length === 1);
  const rest = isOnePath ? conditions.filter((condition) => !isEqual(condition)) : conditions;
  const headers = unique(rest.flatMap((condition) => partOf(condition, conditions).headers));
  return [{ ...(isOnePath ? { path } : pathMatch(prefix)), ...(headers.length > 0 && { headers }) }];
}

function isEqual({ type, condition }: Condition): boolean {
  return type === 'path' && (condition === '==' || condition === 'in');
}

function pathsBelow({ values }: Condition, prefix: string): string[] {
  return values.map(textOf).filter((path) => isBelow(path, prefix));
}

/** False for what no path below the prefix has: another beginning, calls of other interfaces. */
function isReachable({ type, condition, values }: Condition, prefix: string): boolean {
  const [texts, parent] = [values.map(textOf), parentOf(prefix)];
  if (type === 'path' && condition === 'prefix')
    return texts.some((start) => start.startsWith(parent) || parent.startsWith(start));
  if (type === 'dubboInterface' && (condition === '==' || condition === 'in'))
    return parent === '' || texts.some((name) => isBelow(parent, `/${name}`));
  return true;
}

function exactly(lists: readonly Conditions[]): readonly Conditions[] {
  return lists;
}

function reduced(lists: readonly Conditions[]): readonly Conditions[] {
  return grouped(lists).map(presence);
}

/** Lists that differ only in the value that one condition asks for become one list, whose condition asks for any of them. */
function grouped(lists: readonly Conditions[]): Conditions[] {
  const groups = new Map<string, { rest: Conditions; condition: Condition; values: Set<string> }>();
  const others: Conditions[] = [];
  const anchorOf = createAnchors(lists, asksForValues);
  for (const conditions of lists) {
    const condition = anchorOf(conditions);
    if (condition === undefined) {
      others.push(conditions);
      continue;
    }
    const rest = conditions.filter((each) => each !== condition);
    const id = JSON.stringify([idOf(condition), rest.map(({ holds, reason, place, ...said }) => said)]);
    const group = groups.get(id) ?? { rest, condition, values: new Set() };
    groups.set(id, group);
    for (const value of condition.values) group.values.add(value);
  }
  const merged = [...groups.values()].flatMap(({ rest, condition, values }) =>
    chunks([...values]).map((some): Conditions => [{ ...condition, condition: 'in', values: some }, ...rest]),
  );
  return [...merged, ...others];
}

function asksForValues({ type, condition }: Condition): boolean {
  return type !== 'sourceIp' && (condition === '==' || condition === 'in');
}

function idOf({ type, key }: Condition): string {
  return `${type} ${key}`;
}

function chunks(values: readonly string[]): string[][] {
  const all: string[][] = [];
  let characters = 0;
  for (const value of values) {
    const last = all.at(-1);
    characters += value.length;
    if (last !== undefined && last.length < maxValuesOfGate && characters < maxCharactersOfGate) last.push(value);
    else [characters] = [value.length, all.push([value])];
  }
  return all;
}

/** What a request may be without. */
const optional = new Set<Condition['type']>([
  'header',
  'query',
  'cookie',
  'sourceLabel',
  'dubboInterface',
  'dubboMethod',
]);

/** Only that what a list looks at is there; nothing where that is always so. */
function presence(conditions: Conditions): Conditions {
  const found = conditions.find(
    ({ type, condition }) =>
      optional.has(type) && condition !== '!=' && condition !== 'notIn' && condition !== 'absent',
  );
  return found === undefined ? [] : [{ ...found, condition: 'exists', values: [] }];
}

function unique(matches: readonly Resource[]): Resource[] {
  return [...new Map(matches.map((match) => [JSON.stringify(match), match])).values()];
}

/** Without the slash at its end, so that `/` is the parent of all. */
function parentOf(prefix: string): string {
  return prefix.replace(/\/+$/, '');
}
