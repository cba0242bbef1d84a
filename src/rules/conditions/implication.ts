// What conditions say of each other: one that follows from another, two that no value fulfils.

import type { Condition } from './condition.ts';

/** True where every value that fulfils `one` fulfils `other`. False where that is not seen. */
export function implies(one: Condition, other: Condition): boolean {
  if (isCall(one) && other.type === 'method') return other.holds('POST');
  if (!isAboutSame(one, other)) return false;
  if (one.condition === 'absent') return other.holds(undefined);
  if (other.condition === 'exists') return isPresent(one);
  if (hasValues(one)) return one.values.every((value) => other.holds(value));
  const [value = '', wider = ''] = [one.values[0], other.values[0]];
  if (one.condition === 'prefix' && other.condition === 'prefix') return value.startsWith(wider);
  if (one.condition === 'suffix' && other.condition === 'suffix') return value.endsWith(wider);
  if (isDenial(one) && isDenial(other)) return other.values.every((each) => one.values.includes(each));
  return wordOf(one) === wordOf(other) && isSameSet(one.values, other.values);
}

/** Two conditions of a list that no value fulfils together; undefined where none are seen. */
export function contradiction(
  conditions: readonly Condition[],
): readonly [one: Condition, other: Condition] | undefined {
  for (const [position, other] of conditions.entries()) {
    const one = conditions
      .slice(0, position)
      .find((earlier) => isContrary(earlier, other) || isContrary(other, earlier));
    if (one !== undefined) return [one, other];
  }
  return undefined;
}

function isContrary(one: Condition, other: Condition): boolean {
  if (isCall(one) && other.type === 'method') return !other.holds('POST');
  if (!isAboutSame(one, other)) return false;
  if (one.condition === 'absent') return isPresent(other);
  if (hasValues(one)) return !one.values.some((value) => other.holds(value));
  const [value = '', second = ''] = [one.values[0], other.values[0]];
  if (one.condition === 'prefix' && other.condition === 'prefix')
    return !value.startsWith(second) && !second.startsWith(value);
  if (one.condition === 'suffix' && other.condition === 'suffix')
    return !value.endsWith(second) && !second.endsWith(value);
  return false;
}

/** True where only a call by Triple or gRPC fulfils it, which is a POST. */
export function isCall(condition: Condition): boolean {
  return (condition.type === 'dubboInterface' || condition.type === 'dubboMethod') && isPresent(condition);
}

function isAboutSame(one: Condition, other: Condition): boolean {
  return one.type === other.type && one.key === other.key;
}

/** What it lists are the values themselves; for addresses they are ranges. */
function hasValues({ type, condition }: Condition): boolean {
  return type !== 'sourceIp' && (condition === '==' || condition === 'in');
}

function isDenial({ condition }: Condition): boolean {
  return condition === '!=' || condition === 'notIn';
}

function isPresent(condition: Condition): boolean {
  return condition.condition !== 'absent' && !isDenial(condition);
}

/** `in` of one value is `==`, and `notIn` of one `!=`. */
function wordOf({ condition }: Condition): string {
  return { in: '==', notIn: '!=' }[String(condition)] ?? condition;
}

function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  return one.every((value) => other.includes(value)) && other.every((value) => one.includes(value));
}
