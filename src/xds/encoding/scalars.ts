// Protobuf's scalars as canonical JSON writes them; strict, so that `'5'` is no number and `-1` no uint32.
import { type WireType, wireTypes } from './wire.ts';

/** What is written for a value: a number or bigint as varint, text and bytes as they are. */
export type Written = string | number | bigint | Buffer;

export type Scalar = {
  readonly wireType: WireType;
  /** What a mistake says. */
  readonly expected: string;
  /** `undefined` where the value is none of its kind. */
  read(value: unknown): Written | undefined;
};

export const scalars: Readonly<Record<string, Scalar>> = {
  string: { wireType: wireTypes.delimited, expected: 'text', read: readText },
  bytes: { wireType: wireTypes.delimited, expected: 'text in base64', read: readBytes },
  bool: {
    wireType: wireTypes.varint,
    expected: 'true or false',
    read: (value) => (typeof value === 'boolean' ? Number(value) : undefined),
  },
  uint32: integer('a whole number from 0 to 4294967295', 0, 2 ** 32 - 1),
  int32: integer('a whole number from -2147483648 to 2147483647', -(2 ** 31), 2 ** 31 - 1),
  uint64: wideInteger('a whole number from 0 to 18446744073709551615', 0n, 2n ** 64n - 1n),
  int64: wideInteger('a whole number from -9223372036854775808 to 9223372036854775807', -(2n ** 63n), 2n ** 63n - 1n),
  double: { wireType: wireTypes.fixed64, expected: 'a number', read: readDouble },
};

/** True for what a field without presence leaves out. */
export function isDefault(written: Written): boolean {
  if (typeof written === 'object') return written.every((byte) => byte === 0) && written.length % 8 === 0;
  return written === '' || written === 0 || written === 0n;
}

const seconds = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/;
const maxSeconds = 315_576_000_000;

/** `0.25s` → seconds and nanoseconds, of the same sign. */
export function readDuration(value: unknown): { seconds: bigint; nanos: number } | undefined {
  const match = typeof value === 'string' ? seconds.exec(value) : null;
  if (match === null || Number(match[2]) > maxSeconds) return undefined;
  const sign = match[1] === '-' ? -1 : 1;
  const nanos = Number((match[3] ?? '').padEnd(9, '0'));
  return { seconds: BigInt(sign) * BigInt(match[2] ?? 0), nanos: nanos === 0 ? 0 : sign * nanos };
}

function readText(value: unknown): string | undefined {
  return typeof value === 'string' && value.isWellFormed() ? value : undefined; // half a character is not UTF-8
}

function readBytes(value: unknown): Buffer | undefined {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 !== 0) return undefined;
  return Buffer.from(value, 'base64');
}

function readDouble(value: unknown): Buffer | undefined {
  if (typeof value !== 'number') return undefined;
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

function integer(expected: string, least: number, most: number): Scalar {
  const read = (value: unknown) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) return undefined;
    return value < 0 ? BigInt(value) : value;
  };
  return { wireType: wireTypes.varint, expected, read };
}

/** Text where a number of JSON would lose digits. */
function wideInteger(expected: string, least: bigint, most: bigint): Scalar {
  const read = (value: unknown) => {
    const isWhole = typeof value === 'string' ? /^-?\d{1,20}$/.test(value) : Number.isSafeInteger(value);
    const whole = isWhole ? BigInt(value as string | number) : undefined;
    return whole === undefined || whole < least || whole > most ? undefined : whole;
  };
  return { wireType: wireTypes.varint, expected, read };
}
