// Packets: three bytes of length, one of sequence, a payload; what is longer goes on in the next packet.

/** A payload of this length goes on in the next packet, be that empty. */
export const longestPayload = 0xffffff;
/** Of a long packet, its header among them: query attributes are in them, and types of values. */
const headBytes = 4_096;
/** Pieces shorter than this are put together in blocks. */
const smallBytes = 512;
const blockBytes = 4_096;

/** One logical packet: as many packets as its length takes. */
export function frame(payload: Buffer, sequence: number): Buffer {
  const packets = Math.floor(payload.length / longestPayload) + 1;
  const framed = Buffer.allocUnsafe(payload.length + 4 * packets);
  for (let index = 0; index < packets; index += 1) {
    const from = index * longestPayload;
    const length = Math.min(payload.length - from, longestPayload);
    const at = index * (longestPayload + 4);
    framed.writeUIntLE(length, at, 3);
    framed[at + 3] = (sequence + index) & 0xff;
    payload.copy(framed, at + 4, from, from + length);
  }
  return framed;
}

/** One logical packet that is here as a whole: `raw` as it came, `payload` without headers. */
export type Packet = { readonly raw: Buffer; readonly payload: Buffer; readonly sequence: number };

export type Stream = {
  readonly bytes: readonly Buffer[];
  /** With its last byte. */
  readonly isEnd: boolean;
  /** It has no payload. */
  readonly isEmpty: boolean;
  /** Of its last header. */
  readonly sequence: number;
};

export type Input = {
  push(chunk: Buffer): void;
  /** The next packet; `long`: there is one of more bytes than the limit; undefined: more bytes are needed. HOT */
  next(limit: number): Packet | 'long' | undefined;
  /** The first bytes of the payload of a long packet; themselves, so that what is written there is streamed. */
  head(): Buffer;
  /** Bytes of one packet that are here, however long it is. */
  stream(): Stream;
  /** All that is here, whatever it is. */
  all(): readonly Buffer[];
  readonly size: number;
  /** Of the packet that begins here; undefined where its header is not here. */
  readonly sequence: number | undefined;
};

/** Where bytes of one side wait until they are packets; a chunk that is one packet is given back without a copy. */
export function createInput(): Input {
  let parts: Buffer[] = [];
  /** The last part, where there may be room behind it. */
  let tail: Buffer | undefined;
  let size = 0;
  /** With fewer bytes nothing new can be found. */
  let needed = 4;
  /** Of a long packet that is streamed: what is left of its present part, and whether that is its last. */
  let streaming: { left: number; isLast: boolean; bytes: number; sequence: number } | undefined;
  return {
    get size() {
      return size;
    },
    get sequence() {
      return size < 4 ? undefined : byteAt(3);
    },
    push(chunk) {
      if (size === 0) parts = [chunk];
      else if (chunk.length < smallBytes) join(chunk);
      else parts.push(chunk);
      size += chunk.length;
    },
    next(limit) {
      if (size < needed) return undefined;
      let end = 0;
      let length = longestPayload;
      let packets = 0;
      while (length === longestPayload) {
        if (size < end + 4) return wait(end + 4);
        length = byteAt(end) | (byteAt(end + 1) << 8) | (byteAt(end + 2) << 16);
        end += 4 + length;
        packets += 1;
        if (end - 4 * packets > limit || (length === longestPayload && end > limit))
          return size < Math.min(end, headBytes) ? wait(Math.min(end, headBytes)) : 'long';
        if (size < end) return wait(end);
      }
      needed = 4;
      const raw = take(end);
      const payload = packets === 1 ? raw.subarray(4) : joined(raw);
      return { raw, payload, sequence: raw[3] ?? 0 };
    },
    head() {
      if ((parts[0]?.length ?? 0) < headBytes) parts = [Buffer.concat(parts)];
      return (parts[0] as Buffer).subarray(4, headBytes);
    },
    stream() {
      const bytes: Buffer[] = [];
      needed = 4;
      while (size > 0) {
        if (streaming === undefined || streaming.left === 0) {
          if (streaming?.isLast === true) break;
          if (size < 4) break;
          const length = byteAt(0) | (byteAt(1) << 8) | (byteAt(2) << 16);
          const before = streaming?.bytes ?? 0;
          streaming = {
            left: 4 + length,
            isLast: length < longestPayload,
            bytes: before + length,
            sequence: byteAt(3),
          };
        }
        const part = parts[0] as Buffer;
        const taken = take(Math.min(part.length, streaming.left));
        streaming.left -= taken.length;
        bytes.push(taken);
      }
      const { sequence = 0, bytes: payload = 0 } = streaming ?? {};
      const isEnd = streaming?.isLast === true && streaming.left === 0;
      if (isEnd) streaming = undefined;
      return { bytes, isEnd, isEmpty: isEnd && payload === 0, sequence };
    },
    all() {
      const bytes = parts;
      [parts, size, needed] = [[], 0, 4];
      return bytes;
    },
  };

  /** A packet that comes byte by byte must not cost a buffer for each. */
  function join(chunk: Buffer): void {
    const last = tail !== undefined && tail === parts.at(-1) ? tail : undefined;
    const used = last === undefined ? blockBytes : last.byteOffset + last.length;
    const hasRoom = last !== undefined && used + chunk.length <= blockBytes;
    const block = hasRoom ? Buffer.from(last.buffer) : Buffer.allocUnsafeSlow(blockBytes);
    const from = hasRoom ? last.byteOffset : 0;
    if (hasRoom) parts.pop();
    tail = block.subarray(from, (hasRoom ? used : 0) + chunk.copy(block, hasRoom ? used : 0));
    parts.push(tail);
  }

  function wait(bytes: number): undefined {
    needed = bytes;
    return undefined;
  }

  function byteAt(at: number): number {
    const first = parts[0];
    if (first !== undefined && at < first.length) return first[at] as number;
    let rest = at;
    for (const part of parts) {
      if (rest < part.length) return part[rest] as number;
      rest -= part.length;
    }
    return 0;
  }

  function take(length: number): Buffer {
    const first = parts[0];
    size -= length;
    if (first?.length === length) {
      parts.shift();
      return first;
    }
    if (first !== undefined && first.length > length) {
      parts[0] = first.subarray(length);
      return first.subarray(0, length);
    }
    const whole = Buffer.concat(parts);
    parts = whole.length > length ? [whole.subarray(length)] : [];
    return whole.subarray(0, length);
  }
}

function joined(raw: Buffer): Buffer {
  const payloads: Buffer[] = [];
  for (let at = 0; at < raw.length; ) {
    const length = raw.readUIntLE(at, 3);
    payloads.push(raw.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return Buffer.concat(payloads);
}
