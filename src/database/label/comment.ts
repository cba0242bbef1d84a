// What a comment in SQL says: sqlcommenter's pairs, and the hints of Shadow rules.

import type { Hint } from '../../shadow/map.ts';
import { percentDecode, trimSpace } from '../../traffic/request.ts';

/** Longer ones are nobody's carriers, and are not read. */
const maxCommentBytes = 16_384;

/**
 * The pairs of sqlcommenter: `key='value',key='value'`, values percent-encoded, a quote in them after a backslash; keys in
 * lower case. What has another form has no pairs. https://open-telemetry.github.io/opentelemetry-sqlcommenter
 */
export function commentPairs(comment: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  if (comment.length > maxCommentBytes || !comment.includes("='")) return pairs;
  let at = 0;
  while (at < comment.length) {
    const equals = comment.indexOf("='", at);
    if (equals < 0) break;
    const key = trimSpace(comment.slice(at, equals)).toLowerCase();
    const end = closingQuote(comment, equals + 2);
    if (end < 0) break;
    if (!pairs.has(key)) pairs.set(key, percentDecode(comment.slice(equals + 2, end).replaceAll("\\'", "'")));
    const comma = comment.indexOf(',', end);
    if (comma < 0) break;
    at = comma + 1;
  }
  return pairs;
}

function closingQuote(comment: string, from: number): number {
  for (let at = from; at < comment.length; at += 1) {
    if (comment[at] === '\\') at += 1;
    else if (comment[at] === "'") return at;
  }
  return -1;
}

/** True where the comment holds all pairs of a hint: as `key:value` or `key=value`, parted by commas, quotes apart. */
export function meetsHint(comment: string, { pairs }: Hint): boolean {
  if (comment.length > maxCommentBytes) return false;
  const parts = new Set(
    comment.split(',').map((part) => part.replace(/^([^:=]*)[:=]/, '$1=').replaceAll(/['"\s]/g, '')),
  );
  return pairs.every(([key, value]) => parts.has(`${key}=${value}`));
}
