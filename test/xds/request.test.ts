import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeRequest } from '../../src/xds/request.ts';
import { encodeRequest } from './codec.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 300 });

describe('a request', () => {
  test('is read as another implementation wrote it, without what we do not use', () => {
    fc.assert(
      fc.property(
        fc.record({
          typeUrl: text,
          subscribe: fc.array(text),
          unsubscribe: fc.array(text),
          versions: fc.uniqueArray(fc.tuple(text, text), { selector: ([name]) => name }),
          nonce: text,
          error: fc.option(text, { nil: undefined }),
          id: text,
        }),
        ({ id, error, versions, ...request }) => {
          const bytes = encodeRequest({
            node: { id },
            typeUrl: request.typeUrl,
            resourceNamesSubscribe: request.subscribe,
            resourceNamesUnsubscribe: request.unsubscribe,
            initialResourceVersions: Object.fromEntries(versions),
            responseNonce: request.nonce,
            ...(error !== undefined && { errorDetail: { code: 13, message: error } }),
          });
          const read = decodeRequest(bytes);
          expect({ ...read, versions: [...read.versions].sort() }).toEqual({
            ...request,
            versions: versions.toSorted(),
            ...(error !== undefined && { error }),
          });
        },
      ),
    );
  });

  test('that ends within a field is none', () => {
    const bytes = encodeRequest({ typeUrl: 'a', resourceNamesSubscribe: ['b'] });
    for (const length of [1, 2, bytes.length - 1]) {
      expect(() => decodeRequest(bytes.subarray(0, length))).toThrow('it ends within a field');
    }
    expect(() => decodeRequest(Buffer.from([0x80]))).toThrow('it ends within a field');
    expect(() => decodeRequest(Buffer.from([0x0b]))).toThrow('found wire type 3');
  });
});
