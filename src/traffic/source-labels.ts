// The labels of the workload that calls: its own Envoy writes them into a header, rules of the callee read them.
import { bytesOf, firstValue, type Request } from './request.ts';

/**
 * Pairs as of a query, sorted: `app=b&version=v2`. Its name is not one of `x-lanekeeper-`, which are removed where a request
 * enters: this one has to come through to the processor.
 */
export const sourceHeader = 'x-lane-source';

/** The value of the header: those labels that are asked for; undefined where the workload has none of them. */
export function sourceLabels(
  labels: Readonly<Record<string, string>>,
  isAskedFor: (key: string) => boolean,
): string | undefined {
  const pairs = Object.entries(labels)
    .map((pair) => pair.map(bytesOf))
    .filter(([key = '']) => isAskedFor(key))
    .map((pair) => pair.map(encodeSourceLabel).join('='));
  return pairs.length === 0 ? undefined : pairs.sort().join('&');
}

/**
 * A byte string as it stands in the header. What Kubernetes allows in keys and values stands as it is; all else, which
 * settings allow, is percent-encoded: so there is one form for every text, and a route can look for it.
 */
export function encodeSourceLabel(bytes: string): string {
  return bytes.replace(
    /[^A-Za-z0-9._/-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** A label of the caller; undefined where it has none of that name, or is not known. HOT */
export function sourceLabelOf(request: Request, key: string): string | undefined {
  const pairs = request.header(sourceHeader);
  return pairs === undefined ? undefined : firstValue(pairs, key);
}
