// Protobuf's wire format, written from the end to the start: so the length of a message is known when its turn comes.

export type Writer = {
  /** Bytes written so far. */
  readonly length: number;
  /** A number from 0 to 2³² - 1, or any of 64 bits. */
  varint(value: number | bigint): void;
  text(value: string): void;
  bytes(value: Uint8Array): void;
  /** A copy of what was written since there were so many bytes. */
  since(length: number): Buffer;
  /** Everything that was written since the last time, copied: one writer serves for thousands of messages. */
  finish(): Buffer;
};

export const wireTypes = { varint: 0, fixed64: 1, delimited: 2 } as const;
export type WireType = (typeof wireTypes)[keyof typeof wireTypes];

export function createWriter(): Writer {
  let buffer = Buffer.allocUnsafe(16_384);
  let start = buffer.length;
  return {
    get length() {
      return buffer.length - start;
    },
    varint,
    text(value) {
      const length = Buffer.byteLength(value);
      reserve(length);
      buffer.write(value, start);
    },
    bytes(value) {
      reserve(value.length);
      buffer.set(value, start);
    },
    since(length) {
      return Buffer.from(buffer.subarray(start, buffer.length - length));
    },
    finish() {
      const written = Buffer.from(buffer.subarray(start));
      start = buffer.length;
      return written;
    },
  };

  function varint(value: number | bigint): void {
    if (typeof value === 'bigint') wide(BigInt.asUintN(64, value));
    else narrow(value);
  }

  function narrow(value: number): void {
    reserve(value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5);
    let at = start;
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) buffer[at++] = (rest & 0x7f) | 0x80;
    buffer[at] = rest;
  }

  function wide(value: bigint): void {
    const groups: number[] = [];
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) groups.push(Number(rest & 0x7fn) | 0x80);
    reserve(groups.length + 1);
    buffer.set([...groups, Number(rest)], start);
  }

  function reserve(length: number): void {
    if (start < length) {
      const larger = Buffer.allocUnsafe(2 * buffer.length + length);
      const end = larger.length - (buffer.length - start);
      buffer.copy(larger, end, start);
      buffer = larger;
      start = end;
    }
    start -= length;
  }
}

/** A field whose content has a length: text, bytes, a message, packed numbers. */
export function delimited(writer: Writer, number: number, write: () => void): void {
  const before = writer.length;
  write();
  writer.varint(writer.length - before);
  tag(writer, number, wireTypes.delimited);
}

export function tag(writer: Writer, number: number, wireType: WireType): void {
  writer.varint(number * 8 + wireType);
}
