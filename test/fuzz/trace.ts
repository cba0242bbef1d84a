import assert from 'node:assert/strict';
import fc from 'fast-check';
import { traceHeaders, traceIds, traceparentId } from '../../src/propagation/trace.ts';
import { requestWith } from '../propagation/given.ts';
import { headerValue } from './arbitrary.ts';
import type { Target } from './targets.ts';

const identity = /^(w3c:(?!0{32})[0-9a-f]{32}|datadog:[1-9][0-9]{0,19}|(skywalking|request):[!-+\--~]{1,128})$/;
const hex = (length: number) =>
  fc
    .string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })
    .filter((text) => !/^0*$/.test(text));

/** One trace as each format writes it. */
const forms: Readonly<Record<string, (trace: string, span: string) => string>> = {
  traceparent: (trace, span) => `00-${trace}-${span}-01`,
  b3: (trace, span) => `${trace}-${span}-1`,
  'x-b3-traceid': (trace) => trace.toUpperCase(),
  'uber-trace-id': (trace, span) => `${trace.replace(/^0+/, '')}:${span.replace(/^0+/, '')}:0:1`,
  'x-amzn-trace-id': (trace) => `Self=1-2-3;Root=1-${trace.slice(0, 8)}-${trace.slice(8)};Sampled=1`,
  'x-cloud-trace-context': (trace) => `${trace}/1;o=1`,
};

const anyHeaders = fc.record(Object.fromEntries(traceHeaders.map((name) => [name, headerValue])), { requiredKeys: [] });

export const traceTarget: Target = {
  promise: 'any headers give at most nine bounded identities, and one trace is one identity in every format',
  weight: 40,
  property: fc.property(
    anyHeaders,
    hex(32),
    hex(16),
    fc.constantFrom(...Object.keys(forms)),
    (headers, trace, span, format) => {
      const ids = traceIds(requestWith(headers));
      assert.ok(ids.length <= 9);
      assert.equal(new Set(ids).size, ids.length);
      for (const id of ids) assert.match(id, identity);
      traceparentId(headers['traceparent'] ?? '');
      const value = forms[format]?.(trace, span) ?? '';
      assert.deepEqual(traceIds(requestWith({ [format]: value })), [`w3c:${trace}`]);
      assert.deepEqual(traceIds(requestWith({ [format]: `${value},${value}` })), [], 'two lines are none');
    },
  ) as Target['property'],
};
