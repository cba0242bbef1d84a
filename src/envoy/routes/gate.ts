// The gate: which requests the route table shows to the processor. A superset of what the rules match, never less.
import type { Condition, TrafficRule } from '../../rules/compile.ts';
import type { Resource } from '../resource.ts';

/**
 * Route matches, one for each rule that could match a request below `prefix`. What a route cannot express (a
 * percentage, an encoded query) is let through: the processor decides. Rules that can match nothing have no gate.
 */
export function gatesOf(rules: readonly TrafficRule[], prefix = '/'): Resource[] {
  return rules.filter((rule) => rule.conditions.length > 0 && rule.share !== 0).flatMap((rule) => gateOf(rule, prefix));
}

/** The match of a path and all below it: `/a` is `/a` and `/a/b`, not `/ab`. */
export function pathMatch(prefix: string): Resource {
  const path = prefix.replace(/\/+$/, '');
  return path === '' ? { prefix: '/' } : { path_separated_prefix: path };
}

/** True where the path is the prefix or below it. */
export function isBelow(path: string, prefix: string): boolean {
  const parent = prefix.replace(/\/+$/, '');
  return path === parent || path.startsWith(`${parent}/`);
}

function gateOf(rule: TrafficRule, prefix: string): Resource[] {
  const paths = rule.conditions
    .filter((condition) => condition.type === 'path')
    .map((condition) => textOf(condition.value));
  const [path] = paths;
  if (path !== undefined && !paths.every((other) => other === path && isBelow(other, prefix))) return [];
  const headers = rule.conditions.map(headerMatch).filter((match) => match !== undefined);
  return [{ ...(path === undefined ? pathMatch(prefix) : { path }), ...(headers.length > 0 && { headers }) }];
}

function headerMatch(condition: Condition): Resource | undefined {
  const value = textOf(condition.value);
  switch (condition.type) {
    case 'path':
      return undefined;
    case 'header':
      return headerGate(condition.key, value);
    case 'query': {
      // Envoy compares parameters as sent, the rule compares them decoded: every query with an escape is let through.
      const pair = `${quote(textOf(condition.key))}=${value === '' ? '?' : quote(value)}`;
      return regexMatch(
        ':path',
        `${anything}\\?(?:(?:${anything}&)?${pair}(?:[&#]${anything})?|${anything}%${anything})`,
      );
    }
    case 'cookie': {
      const pair = `${quote(textOf(condition.key))}\\s*=\\s*${quote(value)}`;
      return regexMatch('cookie', `(?:${anything}[;,])?\\s*${pair}\\s*(?:[;,]${anything})?`);
    }
  }
}

/**
 * Envoy holds each line of a repeated header against the match by itself (measured on 1.40), the rule all of them joined
 * with commas: what has a comma may be several lines, and the first of them is what stands before one.
 */
function headerGate(name: string, value: string): Resource {
  const comma = value.indexOf(',');
  if (comma < 0) return { name, string_match: { exact: value } };
  return regexMatch(name, `${quote(value.slice(0, comma))}(?:,${anything})?`);
}

// Any bytes. `.` matches characters only, and one byte of another encoding would close the gate.
const anything = '\\C*';

function regexMatch(name: string, regex: string): Resource {
  return { name, string_match: { safe_regex: { regex } } };
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** Conditions hold byte strings; Envoy's configuration holds UTF-8 text. */
function textOf(bytes: string): string {
  return new TextDecoder().decode(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
}
