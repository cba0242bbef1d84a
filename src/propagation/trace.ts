// The identity of a trace: what correlates a request that leaves a pod with the one that entered it.

import type { Request } from '../traffic/request.ts';

declare const brand: unique symbol;

/**
 * Its kind, a colon, its value: `w3c:` with 32 lower-case hex digits (whichever header carried them), `datadog:` with a
 * decimal number of 64 bits, `skywalking:` or `request:` with 1 to 128 visible characters; 139 at most. Made only by
 * `identity`.
 */
export type TraceId = string & { readonly [brand]: 'TraceId' };

type Kind = 'w3c' | 'datadog' | 'skywalking' | 'request';

const carriers: readonly { readonly header: string; readonly read: (value: string) => TraceId | undefined }[] = [
  { header: 'traceparent', read: traceparentId },
  { header: 'b3', read: b3Id },
  { header: 'x-b3-traceid', read: b3TraceId },
  { header: 'uber-trace-id', read: jaegerId },
  { header: 'x-amzn-trace-id', read: amazonId },
  { header: 'x-cloud-trace-context', read: googleId },
  { header: 'sw8', read: skywalkingId },
  { header: 'x-datadog-trace-id', read: datadogId },
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
  'x-datadog-parent-id',
  'x-datadog-sampling-priority',
  'x-datadog-tags',
];

/**
 * The identities of a request, in the order of `traceHeaders`, each once: at most nine. A header that is ill-formed, or
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

const jaegerForm =
  /^([0-9A-Fa-f]{1,32})(?::|%3[Aa])([0-9A-Fa-f]{1,16})(?::|%3[Aa])[0-9A-Fa-f]{1,16}(?::|%3[Aa])[0-9A-Fa-f]{1,2}$/;

/** `{trace}:{span}:{parent}:{flags}` without zeros in front; older clients percent-encode the colons. jaegertracing.io/docs/1.21/client-libraries */
function jaegerId(value: string): TraceId | undefined {
  const [, trace = '', span = ''] = jaegerForm.exec(value) ?? [];
  return isZero(trace) || isZero(span) ? undefined : identity('w3c', trace.toLowerCase().padStart(32, '0'));
}

const amazonField = /^[ \t]*Root=/;
const amazonRoot = /^[ \t]*Root=1-([0-9A-Fa-f]{8})-([0-9A-Fa-f]{24})[ \t]*$/;

/**
 * `Root=1-{8 hex}-{24 hex};Parent=…;Sampled=…` in any order. Its 32 digits are the W3C trace id, as AWS itself
 * translates it (github.com/aws-observability).
 */
function amazonId(value: string): TraceId | undefined {
  if (value.includes(',')) return undefined;
  const roots = value.split(';').filter((field) => amazonField.test(field));
  const [, time = '', rest = ''] = (roots.length === 1 && amazonRoot.exec(roots[0] ?? '')) || [];
  const trace = `${time}${rest}`;
  return isZero(trace) ? undefined : identity('w3c', trace.toLowerCase());
}

const googleForm = /^([0-9A-Fa-f]{32})(?:\/[0-9]{1,20})?(?:;o=[0-9]{1,3})?$/;

/** `{trace}/{span};o={options}`, the trace alone too. https://cloud.google.com/trace/docs/trace-context */
function googleId(value: string): TraceId | undefined {
  const [, trace = ''] = googleForm.exec(value) ?? [];
  return isZero(trace) ? undefined : identity('w3c', trace.toLowerCase());
}

const skywalkingForm = /^[01]-([A-Za-z0-9+/]{2,172}={0,2})-[A-Za-z0-9+/=]+-[0-9]{1,10}(?:-[A-Za-z0-9+/=]*){4}$/;

/** Eight fields, the second of them the trace id in base64. SkyWalking, Cross Process Propagation Headers Protocol v3 */
function skywalkingId(value: string): TraceId | undefined {
  const encoded = skywalkingForm.exec(value)?.[1];
  const trace = encoded === undefined ? '' : fromBase64(encoded);
  return visibleForm.test(trace) ? identity('skywalking', trace) : undefined;
}

/** Empty where it is no base64: padding in the wrong place. */
function fromBase64(text: string): string {
  try {
    return atob(text);
  } catch {
    return '';
  }
}

const decimalForm = /^0*([1-9][0-9]{0,19})$/;
const largest = '18446744073709551615';

/**
 * The lower 64 bits, in decimal. A kind of its own: the upper half travels in `x-datadog-tags` or not at all, and a W3C
 * id with this lower half may be another trace.
 */
function datadogId(value: string): TraceId | undefined {
  const digits = value.length <= 64 ? decimalForm.exec(value)?.[1] : undefined;
  if (digits === undefined || (digits.length === largest.length && digits > largest)) return undefined;
  return identity('datadog', digits);
}

/** Visible ASCII but for the comma, which joins header lines. */
const visibleForm = /^[!-+\--~]{1,128}$/;

function requestId(value: string): TraceId | undefined {
  return visibleForm.test(value) ? identity('request', value) : undefined;
}

function identity(kind: Kind, value: string): TraceId {
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
