// What Envoy does with the route matches that gates are made of. test/gate/on-envoy.test.ts proves that it does so.
import type { Resource } from '../../src/envoy/resource.ts';
import { bytesOf, type Request } from '../../src/traffic/request.ts';

/** A request as it is sent: byte strings, header names in lower case, a line each. */
export type Sent = {
  readonly method?: string;
  readonly host?: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
};

/** True where one of the routes takes the request. */
export function isLetThrough(gates: readonly Resource[], sent: Sent): boolean {
  return gates.some((gate) => passes(gate, sent));
}

/** The request as lanekeeper reads it. */
export function requestOf(sent: Sent): Request {
  return { method: sent.method ?? 'GET', path: sent.path, header: (name) => joined(sent, name) };
}

type StringMatch = {
  readonly exact?: string;
  readonly prefix?: string;
  readonly suffix?: string;
  readonly ignore_case?: boolean;
  readonly safe_regex?: { readonly regex: string };
};

type HeaderMatch = {
  readonly name: string;
  readonly string_match?: StringMatch;
  readonly present_match?: boolean;
  readonly invert_match?: boolean;
  readonly treat_missing_header_as_empty?: boolean;
};

type Match = {
  readonly path?: string;
  readonly prefix?: string;
  readonly path_separated_prefix?: string;
  readonly headers?: readonly HeaderMatch[];
};

export function passes(gate: Resource, sent: Sent): boolean {
  const { headers = [], ...paths } = gate as Match;
  const path = sent.path.replace(/[?#][\s\S]*$/, '');
  return isPath(paths, path) && headers.every((header) => holds(header, joined(sent, header.name)));
}

function isPath({ path: exact, prefix, path_separated_prefix: parent }: Match, path: string): boolean {
  if (exact !== undefined) return path === bytesOf(exact);
  if (prefix !== undefined) return path.startsWith(bytesOf(prefix));
  if (parent === undefined) throw new Error('a match without a path');
  return path === bytesOf(parent) || path.startsWith(`${bytesOf(parent)}/`);
}

function holds(match: HeaderMatch, found: string | undefined): boolean {
  if (match.present_match !== undefined) return (found !== undefined) === match.present_match;
  const value = found ?? (match.treat_missing_header_as_empty ? '' : undefined);
  if (value === undefined || match.string_match === undefined) return false;
  return isText(match.string_match, value) !== (match.invert_match === true);
}

function isText({ exact, prefix, suffix, ignore_case, safe_regex }: StringMatch, sent: string): boolean {
  const [value, fold] = [ignore_case ? folded(sent) : sent, ignore_case ? folded : (text: string) => text];
  if (exact !== undefined) return value === fold(bytesOf(exact));
  if (prefix !== undefined) return value.startsWith(fold(bytesOf(prefix)));
  if (suffix !== undefined) return value.endsWith(fold(bytesOf(suffix)));
  if (safe_regex === undefined) throw new Error('a match that is not known here');
  return re2(safe_regex.regex).test(value);
}

function folded(bytes: string): string {
  return bytes.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** The whole of a value. Envoy's regular expressions are about bytes: in UTF-8 `.` is a part of an ö. */
function re2(regex: string): RegExp {
  const spaces = '\\t\\n\\f\\r ';
  const bytes = bytesOf(regex).replace(/\[(?:\\[\s\S]|[^\]\\])*\]|\\[\s\S]|\./g, (text) => {
    if (text.startsWith('[')) return text.replaceAll('\\s', spaces);
    return { '.': '[^\\n]', '\\C': '[\\s\\S]', '\\s': `[${spaces}]`, '\\S': `[^${spaces}]` }[text] ?? text;
  });
  return new RegExp(`^(?:${bytes})$`);
}

function joined({ path, method = 'GET', host = 'shop.example', headers }: Sent, name: string): string | undefined {
  if (name === ':path') return path;
  if (name === ':method') return method;
  if (name === ':authority') return host;
  const values = headers.filter(([candidate]) => candidate === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(name === 'cookie' ? '; ' : ',');
}
