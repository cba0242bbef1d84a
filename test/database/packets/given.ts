// Replies as a server writes them, for the tests of this folder and of the fuzzer.
import { frame } from '../../../src/database/packets/frames.ts';
import type { Replies } from '../../../src/database/packets/replies.ts';

/** Packets from payloads, one after another. */
export function packets(...payloads: readonly (Buffer | string | readonly number[])[]): Buffer {
  return Buffer.concat(payloads.map((payload, index) => frame(bytes(payload), index + 1)));
}

function bytes(payload: Buffer | string | readonly number[]): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload, 'latin1') : Buffer.from(payload);
}

/** Status: autocommit, and what is given. */
export const ok = (status = 0): number[] => [0, 0, 0, 2 | status, 0, 0, 0];
export const eof = (status = 0): number[] => [0xfe, 0, 0, 2 | status, 0];
export const okBehindRows = (status = 0): number[] => [0xfe, 0, 0, 2 | status, 0, 0, 0];
export const error = '\xff\x10\x04#42000no';
export const definition = '\x03def\x01a\x01b\x01c\x01d\x01e\x0c\x3f\x00\x0b\x00\x00\x00\x03\x00\x00\x00\x00\x00';
export const preparedOk = (columns: number, parameters: number, id = 7): number[] => [
  0,
  id,
  0,
  0,
  0,
  columns,
  0,
  parameters,
  0,
  0,
  0,
  0,
];

/** Feeds a copy, and writes over it as soon as nobody needs it any more, as what reads it does. */
export function feedOnce(reader: Replies, bytes: Buffer): void {
  const chunk = Buffer.from(bytes);
  if (reader.feed(chunk)) chunk.fill(0xee);
}
