// What Envoy does with the route matches that gates are made of. test/gate/on-envoy.test.ts proves that it does so.
import type { Resource } from '../../src/envoy/resource.ts';
import { bytesOf, type Request } from '../../src/traffic/request.ts';

/** A request as it is sent: byte strings, header names in lower case, a line each. */
export type Sent = {
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
};

/** True where one of the routes takes the request. */
export function isLetThrough(gates: readonly Resource[], sent: Sent): boolean {
  return gates.some((gate) => passes(gate, sent));
}

/** The request as lanekeeper reads it. */
export function requestOf(sent: Sent): Request {
  return { method: 'GET', path: sent.path, header: (name) => joined(sent, name) };
}

type Match = {
  readonly path?: string;
  readonly prefix?: string;
  readonly path_separated_prefix?: string;
  readonly headers?: readonly { name: string; string_match: { exact?: string; safe_regex?: { regex: string } } }[];
};

export function passes(gate: Resource, sent: Sent): boolean {
  const { headers = [], ...paths } = gate as Match;
  const path = sent.path.replace(/[?#][\s\S]*$/, '');
  // Envoy holds each line of a repeated header against a match by itself; joined they are only for lanekeeper.
  return (
    isPath(paths, path) && headers.every((match) => valuesOf(sent, match.name).some((value) => holds(match, value)))
  );
}

function isPath({ path: exact, prefix, path_separated_prefix: parent }: Match, path: string): boolean {
  if (exact !== undefined) return path === bytesOf(exact);
  if (prefix !== undefined) return path.startsWith(bytesOf(prefix));
  if (parent === undefined) throw new Error('a match without a path');
  return path === bytesOf(parent) || path.startsWith(`${bytesOf(parent)}/`);
}

type HeaderMatch = NonNullable<Match['headers']>[number];

function holds({ string_match: { exact, safe_regex } }: HeaderMatch, value: string): boolean {
  if (exact !== undefined) return value === bytesOf(exact);
  if (safe_regex === undefined) throw new Error('a header match that is not known here');
  return re2(safe_regex.regex).test(value);
}

/** The whole of a value, by bytes. `.` and classes mean characters to RE2, and an ill-formed byte is none: not known here. */
function re2(regex: string): RegExp {
  const bytes = bytesOf(regex).replace(/\\([\s\S])|\[\^|\./g, (token, escaped: string | undefined) => {
    if (escaped === undefined) throw new Error(`${token} in ${regex} would not match every byte`);
    if (escaped === 'C') return '[\\s\\S]';
    return escaped === 's' ? '[\\t\\n\\f\\r ]' : token;
  });
  return new RegExp(`^(?:${bytes})$`);
}

function joined(sent: Sent, name: string): string | undefined {
  const values = valuesOf(sent, name);
  return values.length === 0 ? undefined : values.join(name === 'cookie' ? '; ' : ',');
}

function valuesOf({ path, headers }: Sent, name: string): string[] {
  if (name === ':path') return [path];
  return headers.filter(([candidate]) => candidate === name).map(([, value]) => value);
}
