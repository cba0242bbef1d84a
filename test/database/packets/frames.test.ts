import { expect, test } from 'vitest';
import { createInput, frame } from '../../../src/database/packets/frames.ts';

test.each([[1], [3], [5], [40], [4096]])(
  'what is written into the head of a long packet is streamed, in chunks of %i bytes',
  (first) => {
    const framed = frame(Buffer.concat([Buffer.from([3, 0, 1]), Buffer.alloc(5_000, 0x78)]), 0);
    const input = createInput();
    input.push(framed.subarray(0, first));
    const early = input.next(1_000);
    if (early === undefined) {
      input.push(framed.subarray(first));
      expect(input.next(1_000)).toBe('long');
    } else input.push(framed.subarray(first));
    input.head().fill(0x20, 1, 3);
    const { bytes, isEnd } = input.stream();
    const streamed = Buffer.concat(bytes);
    expect([isEnd, streamed.length]).toEqual([true, framed.length]);
    expect([...streamed.subarray(4, 9)]).toEqual([3, 0x20, 0x20, 0x78, 0x78]);
  },
);

test('a packet that comes byte by byte, and in pieces of any length, is what it was', () => {
  const input = createInput();
  const payload = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251));
  const bytes = frame(payload, 7);
  const lengths = [1, 1, 1, 1, 511, 512, 3, 4_096, 1];
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const length = index < 200_000 ? 1 : (lengths[index % lengths.length] ?? 1);
    input.push(Buffer.from(bytes.subarray(at, at + length)));
    at += length;
  }
  const found = input.next(1 << 24);
  expect(typeof found === 'object' && found.payload.equals(payload)).toBe(true);
  expect(input.size).toBe(0);
});

test('the sequence of a packet is known before the packet is taken', () => {
  const input = createInput();
  input.push(Buffer.from([1, 0, 0]));
  expect(input.sequence).toBeUndefined();
  input.push(Buffer.from([9, 1]));
  expect(input.sequence).toBe(9);
});
