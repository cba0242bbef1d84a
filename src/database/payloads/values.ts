// Parameters of statements as they are sent with them: a bitmap of NULLs, types, names, values.

import { type Cursor, takeBytes, takeCounted, takeLength, takeNumber, takeText } from '../packets/bytes.ts';

/** The type of one parameter: two bytes; a name where the client sends query attributes. */
export type Parameter = { readonly type: number; readonly name: string };

/** Bytes of values of a fixed length; in the others the length is written before them. */
const fixed: Readonly<Record<number, number>> = { 1: 1, 2: 2, 13: 2, 3: 4, 9: 4, 4: 4, 5: 8, 8: 8, 6: 0 };
const dated = new Set([7, 10, 11, 12]);
const texts = new Set([15, 253, 254, 249, 250, 251, 252, 245, 0, 246]);

export function takeParameters(cursor: Cursor, count: number, hasNames: boolean): Parameter[] {
  return Array.from({ length: count }, () => {
    const type = takeNumber(cursor, 2);
    return { type, name: hasNames ? takeText(cursor) : '' };
  });
}

/** A text where it is one; other values are stepped over. */
export function takeValue(cursor: Cursor, type: number): string | undefined {
  const kind = type & 0xff;
  const size = fixed[kind];
  if (size !== undefined) takeBytes(cursor, size);
  else if (dated.has(kind)) takeBytes(cursor, takeNumber(cursor, 1));
  else if (texts.has(kind)) return takeText(cursor);
  else takeCounted(cursor);
  return undefined;
}

export function isNull(bitmap: Buffer, index: number): boolean {
  return ((bitmap[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
}

/** How many there may be at most: a packet that says more is no packet. */
export function takeCount(cursor: Cursor): number {
  const count = takeLength(cursor);
  if (count > 0xffff) throw new RangeError('too many parameters');
  return count;
}
