import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allTraceHeaders, newTraceparent, traceHeaders, traceIds, traceparentId } from '../../src/propagation/trace.ts';
import { requestWith } from './given.ts';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const short = 'a3ce929d0e0e4736';
const span = '00f067aa0ba902b7';
const zeros = '0'.repeat(32);
const id = `w3c:${trace}`;
const paddedId = `w3c:0000000000000000${short}`;

describe('a traceparent carries its trace id where the specification calls it valid', () => {
  test.each<[string, string | undefined]>([
    [`00-${trace}-${span}-01`, id],
    [`00-${trace}-${span}-00`, id],
    [`00-${trace}-${span}-ff`, id],
    [`01-${trace}-${span}-01`, id],
    [`cc-${trace}-${span}-01-what-will-be`, id],
    [`fe-${trace}-${span}-01-`, id],
    [`00-${trace}-${span}-01-`, undefined],
    [`00-${trace}-${span}-01-more`, undefined],
    [`00-${trace}-${span}-01\n`, undefined],
    [`cc-${trace}-${span}-01.what`, undefined],
    [`cc-${trace}-${span}-011`, undefined],
    [`cc-${trace}-${span}`, undefined],
    [`ff-${trace}-${span}-01`, undefined],
    [`0-${trace}-${span}-01`, undefined],
    [`00-${zeros}-${span}-01`, undefined],
    [`00-${trace}-0000000000000000-01`, undefined],
    [`00-${trace.toUpperCase()}-${span}-01`, undefined],
    [`0A-${trace}-${span}-01`, undefined],
    [`00-${trace}-${span}-0G`, undefined],
    [`00-${trace.slice(1)}-${span}-01`, undefined],
    [`00-${trace}0-${span}-01`, undefined],
    [`00_${trace}_${span}_01`, undefined],
    [` 00-${trace}-${span}-01`, undefined],
    [`00-${trace}-${span}-01,00-${trace}-${span}-01`, undefined],
    [`cc-${trace}-${span}-01-x,cc-${trace}-${span}-01-x`, undefined],
    ['', undefined],
  ])('%j: %s', (value, expected) => {
    expect(traceparentId(value)).toBe(expected);
    expect(traceIds(requestWith({ traceparent: value }))).toEqual(expected === undefined ? [] : [expected]);
  });
});

describe('a b3 header carries its trace id, and a sampling decision alone carries none', () => {
  test.each<[string, string | undefined]>([
    [`${trace}-${span}`, id],
    [`${trace}-${span}-1`, id],
    [`${trace}-${span}-0`, id],
    [`${trace}-${span}-d`, id],
    [`${trace}-${span}-1-${span}`, id],
    [`${short}-${span}-1`, paddedId],
    [`${trace.toUpperCase()}-${span.toUpperCase()}-1`, id],
    ['0', undefined],
    ['1', undefined],
    ['d', undefined],
    ['', undefined],
    [trace, undefined],
    [`${trace}-`, undefined],
    [`${trace}-${span}-`, undefined],
    [`${trace}-${span}-2`, undefined],
    [`${trace}-${span}-true`, undefined],
    [`${trace}-${span}-1-`, undefined],
    [`${trace}-${span}-${span}`, undefined],
    [`${trace}-${span}-1-${span}-1`, undefined],
    [`${trace.slice(1)}-${span}-1`, undefined],
    [`${trace}-${span}0-1`, undefined],
    [`${zeros}-${span}-1`, undefined],
    [`0000000000000000-${span}-1`, undefined],
    [`${trace}-${span}-1,${trace}-${span}-1`, undefined],
  ])('%j: %s', (value, expected) => {
    expect(traceIds(requestWith({ b3: value }))).toEqual(expected === undefined ? [] : [expected]);
  });
});

describe('x-b3-traceid carries 64 or 128 bits in either case', () => {
  test.each<[string, string | undefined]>([
    [trace, id],
    [trace.toUpperCase(), id],
    [short, paddedId],
    [short.toUpperCase(), paddedId],
    [`0000000000000000${short}`, paddedId],
    [zeros, undefined],
    [zeros.slice(16), undefined],
    [short.slice(1), undefined],
    [`${short}0`, undefined],
    [`${trace}0`, undefined],
    [`g${short.slice(1)}`, undefined],
    [`${short},${short}`, undefined],
    ['', undefined],
  ])('%j: %s', (value, expected) => {
    expect(traceIds(requestWith({ 'x-b3-traceid': value }))).toEqual(expected === undefined ? [] : [expected]);
  });
});

describe('x-request-id carries 1 to 128 visible characters', () => {
  test.each<[string, boolean]>([
    ['7b1ce9a1-4b4c-9e1c-8f5d-0123456789ab', true],
    ['x', true],
    ['!~+-"', true],
    ['r'.repeat(128), true],
    ['r'.repeat(129), false],
    ['', false],
    ['a b', false],
    ['a,b', false],
    ['a,a', false],
    ['a\n', false],
    ['\x7f', false],
    ['\xe4', false],
  ])('%j: %s', (value, accepted) => {
    expect(traceIds(requestWith({ 'x-request-id': value }))).toEqual(accepted ? [`request:${value}`] : []);
  });
});

describe('a request has every identity that its headers carry', () => {
  const other = '0af7651916cd43dd8448eb211c80319c';

  test('in the order of precedence', () => {
    const headers = {
      'x-request-id': 'r',
      'x-b3-traceid': short,
      b3: `${other}-${span}-1`,
      traceparent: `00-${trace}-${span}-01`,
    };
    expect(traceIds(requestWith(headers))).toEqual([id, `w3c:${other}`, paddedId, 'request:r']);
  });

  test('once, whichever headers carry it', () => {
    const headers = {
      traceparent: `00-${trace}-${span}-01`,
      b3: `${trace}-${span}`,
      'x-b3-traceid': trace.toUpperCase(),
    };
    expect(traceIds(requestWith(headers))).toEqual([id]);
  });

  test('a request id that looks like a trace id is another identity', () => {
    expect(traceIds(requestWith({ 'x-b3-traceid': trace, 'x-request-id': trace }))).toEqual([id, `request:${trace}`]);
  });

  test('none where no header carries one', () => {
    expect(traceIds(requestWith({ tracestate: 'a=b', 'x-b3-spanid': span }))).toEqual([]);
  });
});

test('Envoy is told of the carriers in their order, and an edge of every header that continues a trace', () => {
  expect(traceHeaders).toEqual([
    ...['traceparent', 'b3', 'x-b3-traceid', 'uber-trace-id', 'x-amzn-trace-id', 'x-cloud-trace-context', 'sw8'],
    ...['x-datadog-trace-id', 'x-request-id'],
  ]);
  expect(allTraceHeaders).toEqual(expect.arrayContaining([...traceHeaders]));
  expect(allTraceHeaders).toEqual(expect.arrayContaining(['tracestate', 'x-b3-spanid', 'x-b3-parentspanid']));
  expect(allTraceHeaders).toEqual(expect.arrayContaining(['x-b3-sampled', 'x-b3-flags', 'x-datadog-parent-id']));
  expect(allTraceHeaders).toEqual(expect.arrayContaining(['x-datadog-sampling-priority', 'x-datadog-tags']));
  expect(new Set(allTraceHeaders).size).toBe(allTraceHeaders.length);
  for (const name of allTraceHeaders) expect(name).toBe(name.toLowerCase());
});

describe('a new traceparent is sampled and valid', () => {
  test('from the bytes that were given', () => {
    const counting = (bytes: number) => Uint8Array.from({ length: bytes }, (_, index) => index * 16 + 1);
    expect(newTraceparent(counting)).toBe('00-01112131415161718191a1b1c1d1e1f1-0111213141516171-01');
  });

  test.each([0, 8, 16, 100])('even where the random bytes are %i zeros', (length) => {
    expect(traceparentId(newTraceparent(() => new Uint8Array(length)))).toBe(`w3c:${'0'.repeat(31)}1`);
  });

  test('for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        const traceparent = newTraceparent(() => bytes);
        expect(traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
        expect(traceparentId(traceparent)).toBe(`w3c:${traceparent.slice(3, 35)}`);
      }),
      { seed: 20261123, numRuns: 500 },
    );
  });
});

test('any headers give at most nine bounded identities, each once', () => {
  const nearly = fc
    .array(
      fc.oneof(fc.constantFrom(...'00 ff - , : ; / %3A Root=1- YWJj 1 d'.split(' '), trace, short, zeros), fc.string()),
      {
        maxLength: 9,
      },
    )
    .map((parts) => parts.join(''));
  const values = fc.oneof(
    nearly,
    nearly.map((text) => text.repeat(2000)),
    fc.string({ unit: 'binary' }),
  );
  const headers = fc.record(Object.fromEntries(traceHeaders.map((name) => [name, values])), { requiredKeys: [] });
  fc.assert(
    fc.property(headers, (given) => {
      const ids = traceIds(requestWith(given));
      expect(ids.length).toBeLessThanOrEqual(9);
      expect(new Set(ids).size).toBe(ids.length);
      for (const one of ids)
        expect(one).toMatch(
          /^(w3c:(?!0{32})[0-9a-f]{32}|datadog:[1-9][0-9]{0,19}|(skywalking|request):[!-+\--~]{1,128})$/,
        );
    }),
    { seed: 20261123, numRuns: 2000 },
  );
});
