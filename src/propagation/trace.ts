// The identity of a trace: what correlates a request that leaves a pod with the one that entered it.

import type { Request } from '../traffic/request.ts';

declare const brand: unique symbol;

/**
 * Its kind, a colon, its value: `w3c:` with 32 lower-case hex digits (whichever header carried them), or `request:` with
 * 1 to 128 visible characters; 136 at most. Made only by `identity`.
 */
export type TraceId = string & { readonly [brand]: 'TraceId' };

const carriers: readonly { readonly header: string; readonly read: (value: string) => TraceId | undefined }[] = [
  { header: 'traceparent', read: traceparentId },
  { header: 'b3', read: b3Id },
  { header: 'x-b3-traceid', read: b3TraceId },
  { header: 'x-request-id', read: requestId },
];

/** The headers that can carry an identity, in the order of precedence. Lower case. */
export const traceHeaders: readonly string[] = carriers.map((carrier) => carrier.header);

/**
 * Every header by which a caller could continue a trace, ours or a vendor's: what an edge removes, because whoever
 * repeats a remembered trace is given its label. Lower case.
 */
export const allTraceHeaders: readonly string[] = [
  ...traceHeaders,
  'tracestate',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'uber-trace-id',
  'sw8',
  'x-datadog-trace-id',
  'x-datadog-parent-id',
  'x-datadog-sampling-priority',
  'x-amzn-trace-id',
  'x-cloud-trace-context',
];

/**
 * The identities of a request, in the order of `traceHeaders`, each once: at most four. A header that is ill-formed, or
 * that came more than once, carries none. HOT
 */
export function traceIds(request: Request): readonly TraceId[] {
  const ids: TraceId[] = [];
  for (const { header, read } of carriers) {
    const value = request.header(header);
    const id = value === undefined ? undefined : read(value);
    if (id !== undefined && !ids.includes(id)) ids.push(id);
  }
  return ids;
}

const traceparentForm = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-|$)/;
const traceparentLength = 55;

/**
 * The identity in one `traceparent` value (a header's, or that of gRPC metadata). Version 00 has exactly its form; a
 * higher one may go on after a `-`; ff is none, and so are ids of zeros. https://www.w3.org/TR/trace-context/ 3.2 HOT
 */
export function traceparentId(value: string): TraceId | undefined {
  const [, version, trace = '', parent = ''] = traceparentForm.exec(value) ?? [];
  if (version === undefined || version === 'ff' || isZero(trace) || isZero(parent)) return undefined;
  // A comma is a second header line, also behind a version whose end we cannot read.
  if (version === '00' ? value.length !== traceparentLength : value.includes(',')) return undefined;
  return identity('w3c', trace);
}

const b3Form = /^([0-9A-Fa-f]{16}|[0-9A-Fa-f]{32})-[0-9A-Fa-f]{16}(?:-[01d](?:-[0-9A-Fa-f]{16})?)?$/;
const b3TraceForm = /^(?:[0-9A-Fa-f]{16}|[0-9A-Fa-f]{32})$/;

/** `{trace}-{span}[-{sampled}[-{parent}]]`; a sampling decision alone has no trace. github.com/openzipkin/b3-propagation */
function b3Id(value: string): TraceId | undefined {
  const trace = b3Form.exec(value)?.[1];
  return trace === undefined ? undefined : b3TraceId(trace);
}

/** In either case of letters; 64 bits are 128 with zeros in front, so that both forms of a trace agree. */
function b3TraceId(value: string): TraceId | undefined {
  if (!b3TraceForm.test(value) || isZero(value)) return undefined;
  return identity('w3c', value.toLowerCase().padStart(32, '0'));
}

/** Visible ASCII but for the comma, which joins header lines. */
const requestIdForm = /^[!-+\--~]{1,128}$/;

function requestId(value: string): TraceId | undefined {
  return requestIdForm.test(value) ? identity('request', value) : undefined;
}

function identity(kind: 'w3c' | 'request', value: string): TraceId {
  return `${kind}:${value}` as TraceId;
}

function isZero(hex: string): boolean {
  return /^0*$/.test(hex);
}

/**
 * A `traceparent` of a new trace: version 00, sampled. `random` gives as many bytes as it is asked for; ids are never of
 * zeros, whatever it gives. https://www.w3.org/TR/trace-context/ 3.2.2
 */
export function newTraceparent(random: (bytes: number) => Uint8Array): string {
  return `00-${newId(random(16), 16)}-${newId(random(8), 8)}-01`;
}

function newId(bytes: Uint8Array, length: number): string {
  let hex = '';
  for (let index = 0; index < length; index += 1) hex += (bytes[index] ?? 0).toString(16).padStart(2, '0');
  return isZero(hex) ? `${hex.slice(0, -1)}1` : hex;
}
