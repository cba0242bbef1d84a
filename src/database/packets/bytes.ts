// Numbers and strings as the protocol writes them. What takes throws a RangeError behind the end.

export type Cursor = { readonly bytes: Buffer; at: number };

export function takeNumber(cursor: Cursor, size: number): number {
  const value = cursor.bytes.readUIntLE(cursor.at, size);
  cursor.at += size;
  return value;
}

export function takeBytes(cursor: Cursor, length: number): Buffer {
  if (length > cursor.bytes.length - cursor.at) throw new RangeError('behind the end');
  cursor.at += length;
  return cursor.bytes.subarray(cursor.at - length, cursor.at);
}

/** Latin-1, so that each character is a byte; up to a zero byte, which is taken too. */
export function takeTerminated(cursor: Cursor): string {
  const end = cursor.bytes.indexOf(0, cursor.at);
  if (end < 0) throw new RangeError('no end');
  const text = cursor.bytes.toString('latin1', cursor.at, end);
  cursor.at = end + 1;
  return text;
}

/** A length-encoded number; that of NULL (0xFB) is a RangeError. */
export function takeLength(cursor: Cursor): number {
  const first = takeNumber(cursor, 1);
  if (first < 0xfb) return first;
  if (first === 0xfc) return takeNumber(cursor, 2);
  if (first === 0xfd) return takeNumber(cursor, 3);
  if (first !== 0xfe) throw new RangeError('no length');
  const value = Number(cursor.bytes.readBigUInt64LE(cursor.at));
  cursor.at += 8;
  return value;
}

export function takeCounted(cursor: Cursor): Buffer {
  return takeBytes(cursor, takeLength(cursor));
}

/** Latin-1. */
export function takeText(cursor: Cursor): string {
  return takeCounted(cursor).toString('latin1');
}

export function lengthEncoded(value: number): Buffer {
  if (value < 0xfb) return Buffer.from([value]);
  if (value < 0x1_0000) return Buffer.from([0xfc, value & 0xff, value >> 8]);
  if (value < 0x100_0000) return Buffer.from([0xfd, value & 0xff, (value >> 8) & 0xff, value >> 16]);
  const bytes = Buffer.alloc(9, 0xfe);
  bytes.writeBigUInt64LE(BigInt(value), 1);
  return bytes;
}

/** What `take` finds; undefined where the bytes end before it has all. */
export function attempt<T>(take: () => T): T | undefined {
  try {
    return take();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
