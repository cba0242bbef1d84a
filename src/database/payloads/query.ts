// COM_QUERY: query attributes, where client and server have agreed on them, and behind them the text.

import { attempt, takeBytes, takeNumber } from '../packets/bytes.ts';
import { isNull, takeCount, takeParameters, takeValue } from './values.ts';

export type Attributes = ReadonlyMap<string, string>;

export type Query = {
  /** Names in lower case; only those that are texts. */
  readonly attributes: Attributes;
  /** Where the text begins in the payload. */
  readonly textAt: number;
};

export const noAttributes: Attributes = new Map();
const bare: Query = { attributes: noAttributes, textAt: 1 };
const without: Query = { attributes: noAttributes, textAt: 3 };

/** undefined where it cannot be read. HOT */
export function readQuery(payload: Buffer, hasAttributes: boolean): Query | undefined {
  if (!hasAttributes) return bare;
  if (payload[1] === 0 && payload[2] === 1) return without;
  return attempt(() => {
    const cursor = { bytes: payload, at: 1 };
    const count = takeCount(cursor);
    takeCount(cursor);
    if (count === 0) return { attributes: noAttributes, textAt: cursor.at };
    const bitmap = takeBytes(cursor, (count + 7) >> 3);
    if (takeNumber(cursor, 1) !== 1) return undefined;
    const parameters = takeParameters(cursor, count, true);
    const attributes = new Map<string, string>();
    for (const [index, { type, name }] of parameters.entries()) {
      const value = isNull(bitmap, index) ? undefined : takeValue(cursor, type);
      if (value !== undefined) attributes.set(name.toLowerCase(), value);
    }
    return { attributes, textAt: cursor.at };
  });
}
