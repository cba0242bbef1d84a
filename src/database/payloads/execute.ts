// COM_STMT_EXECUTE: which statement, and the values of its parameters; query attributes among them.

import { attempt, type Cursor, lengthEncoded, takeNumber } from '../packets/bytes.ts';
import type { Attributes } from './query.ts';
import { noAttributes } from './query.ts';
import { isNull, type Parameter, takeCount, takeParameters, takeValue } from './values.ts';

export type Execution = {
  readonly id: number;
  /** The cursor that is asked for; without the mark that a count of parameters follows. */
  readonly flags: number;
  readonly iterations: number;
  /** Those of the statement; undefined where they are as they were the last time. */
  readonly parameters: readonly Parameter[] | undefined;
  /** Where NULLs and values are; they are cut out only where another command must be written. */
  readonly payload: Buffer;
  readonly bitmapAt: number;
  readonly valuesAt: number;
  readonly valuesTo: number;
  readonly attributes: Attributes;
};

const hasCount = 0x08;

/** What `readExecute` must know besides the packet. */
export type ExecuteContext = {
  /** How many parameters the statement has. */
  readonly parameters: number;
  readonly hasAttributes: boolean;
  /** Of the last execution, all of them. */
  readonly remembered: readonly Parameter[] | undefined;
  /** Parameters whose values were sent before, as long data. */
  readonly isLong: (index: number) => boolean;
};

/** Said by MariaDB's drivers before they have heard an id: the statement that was prepared last. */
export const lastId = 0xffff_ffff;

/** Every statement that says an id says it here. */
export function statementId(payload: Buffer): number {
  return payload.length >= 5 ? payload.readUInt32LE(1) : -1;
}

/** undefined where it cannot be read. */
export function readExecute(payload: Buffer, context: ExecuteContext): Execution | undefined {
  return attempt(() => {
    const cursor = { bytes: payload, at: 1 };
    const id = takeNumber(cursor, 4);
    const said = takeNumber(cursor, 1);
    const iterations = takeNumber(cursor, 4);
    const flags = said & ~hasCount;
    const own = context.parameters;
    const isCounted = context.hasAttributes && (own > 0 || (said & hasCount) !== 0);
    const count = isCounted ? takeCount(cursor) : own;
    if (count < own) return undefined;
    const bitmapAt = cursor.at;
    const head = { id, flags, iterations, payload, bitmapAt, attributes: noAttributes };
    if (count === 0) return { ...head, parameters: undefined, valuesAt: bitmapAt, valuesTo: bitmapAt };
    cursor.at += (count + 7) >> 3;
    const isBound = takeNumber(cursor, 1) === 1;
    const all = isBound ? takeTypes(cursor, count, context) : context.remembered;
    const valuesAt = cursor.at;
    if (count === own) return { ...head, parameters: isBound ? all : undefined, valuesAt, valuesTo: payload.length };
    if (all === undefined) return undefined;
    const parameters = isBound ? all.slice(0, own) : undefined;
    const bitmap = payload.subarray(bitmapAt);
    const isSent = (index: number): boolean => !isNull(bitmap, index) && !(index < own && context.isLong(index));
    for (const [index, { type }] of all.slice(0, own).entries()) if (isSent(index)) takeValue(cursor, type);
    const valuesTo = cursor.at;
    const attributes = new Map<string, string>();
    for (let index = own; index < count; index += 1) {
      const { type, name } = all[index] ?? { type: 6, name: '' };
      const value = isSent(index) ? takeValue(cursor, type) : undefined;
      if (value !== undefined) attributes.set(name.toLowerCase(), value);
    }
    return { ...head, parameters, valuesAt, valuesTo, attributes };
  });
}

/** Most drivers say the same types each time: then they are those that are remembered, and nothing is made. */
function takeTypes(cursor: Cursor, count: number, { hasAttributes, remembered }: ExecuteContext): readonly Parameter[] {
  const { bytes, at } = cursor;
  const size = hasAttributes ? 3 : 2;
  const isSaidAgain = ({ type, name }: Parameter, index: number): boolean => {
    const from = at + size * index;
    return bytes.readUInt16LE(from) === type && (!hasAttributes || (name === '' && bytes[from + 2] === 0));
  };
  if (remembered?.length !== count || !remembered.every(isSaidAgain))
    return takeParameters(cursor, count, hasAttributes);
  cursor.at += size * count;
  return remembered;
}

function ownBits({ payload, bitmapAt }: Execution, count: number): Buffer {
  const own = Buffer.from(payload.subarray(bitmapAt, bitmapAt + ((count + 7) >> 3)));
  const rest = count & 7;
  if (rest > 0) own[own.length - 1] = (own[own.length - 1] as number) & ((1 << rest) - 1);
  return own;
}

/** The command for this statement of the server: without attributes, with types where they must be said. */
export function writeExecute(execution: Execution, id: number, options: WriteOptions): Buffer {
  const { flags, iterations, payload, valuesAt, valuesTo } = execution;
  const head = Buffer.alloc(10);
  head[0] = 0x17;
  head.writeUInt32LE(id, 1);
  head[5] = flags | (options.hasAttributes ? hasCount : 0);
  head.writeUInt32LE(iterations, 6);
  const { parameters, count } = options;
  const counted = options.hasAttributes ? [lengthEncoded(count)] : [];
  if (count === 0) return Buffer.concat([head, ...counted]);
  const types = parameters === undefined ? Buffer.from([0]) : writeTypes(parameters, options.hasAttributes);
  const values = payload.subarray(valuesAt, valuesTo);
  return Buffer.concat([head, ...counted, ownBits(execution, count), types, values]);
}

export type WriteOptions = {
  readonly count: number;
  /** undefined: the server has them. */
  readonly parameters: readonly Parameter[] | undefined;
  /** The server knows attributes, and so wants the form with a count and with names. */
  readonly hasAttributes: boolean;
};

function writeTypes(parameters: readonly Parameter[], hasNames: boolean): Buffer {
  const parts: Buffer[] = [Buffer.from([1])];
  for (const { type, name } of parameters) {
    parts.push(Buffer.from([type & 0xff, type >> 8]));
    if (hasNames) parts.push(lengthEncoded(name.length), Buffer.from(name, 'latin1'));
  }
  return Buffer.concat(parts);
}
