import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bucketOf, murmur3 } from '../../src/rules/conditions/percentage.ts';

describe('the hash is MurmurHash3_x86_32: it gives the published values', () => {
  test.each([
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['\xff\xff\xff\xff', 0, 0x76293b50],
    ['!Ce\x87', 0, 0xf55b516b],
    ['!Ce\x87', 0x5082edee, 0x2362f9de],
    ['!Ce', 0, 0x7e4a8634],
    ['!C', 0, 0xa0f7b07a],
    ['!', 0, 0x72661cf4],
    ['\0\0\0\0', 0, 0x2362f9de],
    ['\0\0\0', 0, 0x85f0b427],
    ['\0\0', 0, 0x30f4c306],
    ['\0', 0, 0x514e28b7],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
  ])('%j with seed %i', (bytes, seed, expected) => {
    expect(murmur3(bytes, seed)).toBe(expected);
  });
});

test('users fall evenly over the buckets', () => {
  const users = 100_000;
  const counts = new Array<number>(100).fill(0);
  for (let i = 0; i < users; i++) {
    const cell = Math.floor(bucketOf('default/gray', `user-${i}`) / 100);
    counts[cell] = (counts[cell] ?? 0) + 1;
  }
  const expected = users / counts.length;
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // 99 degrees of freedom: above 149 with a probability of one in a thousand, below 60 as rarely.
  expect(chiSquare).toBeLessThan(149);
  expect(chiSquare).toBeGreaterThan(60);
});

test('two rules choose independently: a tenth of a tenth is in both', () => {
  const users = Array.from({ length: 100_000 }, (_, i) => `user-${i}`);
  const both = users.filter((user) => bucketOf('default/a', user) < 1000 && bucketOf('default/b', user) < 1000);
  expect(both.length / users.length).toBeCloseTo(0.01, 2);
});

test('a value has one bucket, from 0 to 9999', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (salt, value) => {
      const bucket = bucketOf(salt, value);
      return Number.isInteger(bucket) && bucket >= 0 && bucket <= 9999 && bucket === bucketOf(salt, value);
    }),
    { seed: 1 },
  );
});
