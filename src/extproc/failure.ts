// The direction of every failure, in one place: a request goes on, as it came, whatever happens here.
import type { ProcessingRequest, ProcessingResponse } from './protocol.ts';

/** The parts of a request or response that Envoy may ask about, each with the one reply that changes nothing. */
const unchanged = {
  requestHeaders: { requestHeaders: {} },
  responseHeaders: { responseHeaders: {} },
  requestBody: { requestBody: {} },
  responseBody: { responseBody: {} },
  requestTrailers: { requestTrailers: {} },
  responseTrailers: { responseTrailers: {} },
} as const satisfies Record<string, ProcessingResponse>;

/**
 * The reply that lets the request go on as it came. A message without any part that we know (a later Envoy's) has none:
 * the stream is ended, which Envoy takes as "go on" (envoy-ext-proc.md 3.9).
 */
export function passOn(message: ProcessingRequest): ProcessingResponse | undefined {
  for (const [part, reply] of Object.entries(unchanged)) {
    if (message[part as keyof typeof unchanged]) return reply;
  }
  return undefined;
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what an HTTP field value must not hold
const control = /[\x00-\x08\x0a-\x1f\x7f]/;
const maxValueBytes = 16_384;

/**
 * False for a header that Envoy would answer with a 500, even in fail-open: the one mistake of a processor that breaks
 * traffic (envoy-ext-proc.md 3.5). Such a header is left out and the request goes on without it.
 */
export function isSafeHeader([name, value]: readonly [name: string, value: string]): boolean {
  return token.test(name) && value.length <= maxValueBytes && !control.test(value);
}
