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
