import { describe, expect, test } from 'vitest';
import { traceIds } from '../../src/propagation/trace.ts';
import { requestWith } from './given.ts';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const short = 'a3ce929d0e0e4736';
const span = 'f067aa0ba902b7';
const id = `w3c:${trace}`;
const paddedId = `w3c:0000000000000000${short}`;
const zeros = '0'.repeat(32);

type Table = [value: string, expected: string | undefined][];

function carries(header: string, table: Table): void {
  test.each(table)('%j: %s', (value, expected) => {
    expect(traceIds(requestWith({ [header]: value }))).toEqual(expected === undefined ? [] : [expected]);
  });
}

describe('uber-trace-id (Jaeger) carries the W3C id, zeros in front left out, colons as they are or encoded', () => {
  carries('uber-trace-id', [
    [`${trace}:${span}:0:1`, id],
    [`${trace}:${span}:${short}:01`, id],
    [`${trace}%3A${span}%3A0%3A1`, id],
    [`${trace}%3a${span}%3a0:1`, id],
    [`${trace.toUpperCase()}:${span.toUpperCase()}:0:1`, id],
    [`${short}:${span}:0:1`, paddedId],
    [`0000000000000000${short}:${span}:0:0`, paddedId],
    [`7:1:0:3`, `w3c:${'7'.padStart(32, '0')}`],
    [`0:1:0:1`, undefined],
    [`${zeros}:${span}:0:1`, undefined],
    [`${trace}:0:0:1`, undefined],
    [`${trace}:${span}:0`, undefined],
    [`${trace}:${span}:0:1:1`, undefined],
    [`${trace}:${span}::1`, undefined],
    [`${trace}0:${span}:0:1`, undefined],
    [`${trace}:${span}000:0:1`, undefined],
    [`${trace}:${span}:0:100`, undefined],
    [`${trace}%${span}%0%1`, undefined],
    [`g:${span}:0:1`, undefined],
    [`${trace}:${span}:0:1,${trace}:${span}:0:1`, undefined],
    [` ${trace}:${span}:0:1`, undefined],
    [`${trace}:${span}:0:1\n`, undefined],
    ['', undefined],
  ]);
});

describe('x-amzn-trace-id carries the W3C id as its root, whatever stands beside it', () => {
  const root = `Root=1-${trace.slice(0, 8)}-${trace.slice(8)}`;
  carries('x-amzn-trace-id', [
    [root, id],
    [`${root};Parent=53995c3f42cd8ad8;Sampled=1`, id],
    [`Self=1-67891234-12456789abcdef0123456789;${root};CalledFrom=app`, id],
    [`${root}; Parent=53995c3f42cd8ad8; Sampled=1;Lineage=100:e3b0c442:11|0:a87bd80c:5`, id],
    [`Sampled=? ; ${root} `, id],
    [root.toUpperCase().replace('ROOT', 'Root'), id],
    [`Self=1-${trace.slice(0, 8)}-${trace.slice(8)}`, undefined],
    [`XRoot=1-${trace.slice(0, 8)}-${trace.slice(8)}`, undefined],
    [`Root=2-${trace.slice(0, 8)}-${trace.slice(8)}`, undefined],
    [`Root=1-${trace.slice(0, 8)}-${trace.slice(9)}`, undefined],
    [`Root=1-${trace.slice(0, 8)}-${trace.slice(8)}0`, undefined],
    [`Root=1-00000000-${'0'.repeat(24)}`, undefined],
    [`Root=${trace}`, undefined],
    ['Root=', undefined],
    [`${root};${root}`, undefined],
    [`${root},${root}`, undefined],
    [`${root};Sampled=1,a=b`, undefined],
    [';'.repeat(2000), undefined],
    ['', undefined],
  ]);
});

describe('x-cloud-trace-context (Google) carries the W3C id', () => {
  carries('x-cloud-trace-context', [
    [`${trace}/67667974448284343;o=1`, id],
    [`${trace}/67667974448284343`, id],
    [`${trace};o=1`, id],
    [trace, id],
    [trace.toUpperCase(), id],
    [`${zeros}/1;o=1`, undefined],
    [`${short}/1;o=1`, undefined],
    [`${trace}/;o=1`, undefined],
    [`${trace}/abc;o=1`, undefined],
    [`${trace}/1;o=`, undefined],
    [`${trace}/1;p=1`, undefined],
    [`${trace}/123456789012345678901;o=1`, undefined],
    [`${trace}/1;o=1,${trace}/1;o=1`, undefined],
    [`${trace}/1;o=1 `, undefined],
    ['', undefined],
  ]);
});

describe('sw8 (SkyWalking) carries the text of its second field', () => {
  const traceId = 'a12bc34d56e7489f8a9b0c1d2e3f4a5b.58.16123456789010001';
  const encoded = btoa(traceId);
  const rest = `${btoa('segment.1')}-3-${btoa('service')}-${btoa('instance')}-${btoa('/endpoint')}-${btoa('10.0.0.1:80')}`;
  const of = (text: string) => `1-${btoa(text)}-${rest}`;
  carries('sw8', [
    [`1-${encoded}-${rest}`, `skywalking:${traceId}`],
    [`0-${encoded}-${rest}`, `skywalking:${traceId}`],
    [`1-${encoded.replaceAll('=', '')}-${rest}`, `skywalking:${traceId}`],
    [`1-${encoded}-${btoa('segment')}-0----`, `skywalking:${traceId}`],
    [of('1.2343.234234234'), 'skywalking:1.2343.234234234'],
    [of('t'.repeat(128)), `skywalking:${'t'.repeat(128)}`],
    [of('t'.repeat(129)), undefined],
    [of('a b'), undefined],
    [of('a,b'), undefined],
    [of('a\n'), undefined],
    [of('\xe4'), undefined],
    [`1--${rest}`, undefined],
    [`1-====-${rest}`, undefined],
    [`1-YQ=a-${rest}`, undefined],
    [`1-YWJjZ-${rest}`, undefined],
    [`2-${encoded}-${rest}`, undefined],
    [`${encoded}-${rest}`, undefined],
    [`1-${encoded}-${rest}-${btoa('more')}`, undefined],
    [`1-${encoded}-${btoa('segment')}-x-a-b-c-d`, undefined],
    [`1-${encoded}-${rest},1-${encoded}-${rest}`, undefined],
    ['0', undefined],
    ['', undefined],
  ]);
});

describe('x-datadog-trace-id carries 64 bits in decimal, an identity of its own', () => {
  carries('x-datadog-trace-id', [
    ['11803532876627986230', 'datadog:11803532876627986230'],
    ['1', 'datadog:1'],
    ['0001', 'datadog:1'],
    ['18446744073709551615', 'datadog:18446744073709551615'],
    ['018446744073709551615', 'datadog:18446744073709551615'],
    ['18446744073709551616', undefined],
    ['99999999999999999999', undefined],
    ['118035328766279862300', undefined],
    ['0', undefined],
    ['0000', undefined],
    ['0'.repeat(100).concat('1'), undefined],
    ['-1', undefined],
    ['1.0', undefined],
    ['0x1f', undefined],
    ['1,1', undefined],
    ['1 ', undefined],
    ['', undefined],
  ]);
});

test('one trace under several vendors’ headers is one identity, but for Datadog’s, whose upper half is elsewhere', () => {
  const headers = {
    traceparent: `00-${trace}-00${span}-01`,
    b3: `${trace}-00${span}-1`,
    'uber-trace-id': `${trace}:${span}:0:1`,
    'x-amzn-trace-id': `Root=1-${trace.slice(0, 8)}-${trace.slice(8)};Sampled=1`,
    'x-cloud-trace-context': `${trace}/1;o=1`,
    'x-datadog-trace-id': BigInt(`0x${short}`).toString(),
  };
  expect(traceIds(requestWith(headers))).toEqual([id, `datadog:${BigInt(`0x${short}`)}`]);
});
