// The first word of a server, and what of it a client is told.

import { attempt, takeBytes, takeNumber, takeTerminated } from '../packets/bytes.ts';
import { capability, has, seeable, seeableExtensions } from './capabilities.ts';

export type Greeting = {
  readonly version: string;
  /** Bits 0 to 31 that the server has. */
  readonly capabilities: number;
  /** What the client is sent: the same payload, with what we cannot see through taken away, and query attributes offered. */
  readonly payload: Buffer;
};

/** undefined where it is no greeting of version 10. */
export function readGreeting(payload: Buffer, options: { readonly tls: boolean }): Greeting | undefined {
  return attempt(() => {
    const cursor = { bytes: payload, at: 0 };
    if (takeNumber(cursor, 1) !== 10) return undefined;
    const version = takeTerminated(cursor);
    takeBytes(cursor, 4 + 8 + 1);
    const lowAt = cursor.at;
    const low = takeNumber(cursor, 2);
    takeBytes(cursor, 1 + 2);
    const highAt = cursor.at;
    const capabilities = (low | (takeNumber(cursor, 2) << 16)) >>> 0;
    const told = seeable(capabilities, options) | capability.queryAttributes;
    const patched = Buffer.from(payload);
    patched.writeUInt16LE(told & 0xffff, lowAt);
    patched.writeUInt16LE(told >>> 16, highAt);
    const extensionsAt = highAt + 2 + 1 + 6;
    if (!has(capabilities, capability.mysql) && payload.length >= extensionsAt + 4)
      patched.writeUInt32LE(seeableExtensions(payload.readUInt32LE(extensionsAt)), extensionsAt);
    return { version, capabilities, payload: patched };
  });
}
