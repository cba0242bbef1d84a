// Where one reply of a server ends and the next begins, on the very chunks that go on to the client.

import { longestPayload } from './frames.ts';
import { createGrammar, type Ending, type Shape } from './grammar.ts';

/** What is awaited next of a server. */
export type Expectation = {
  readonly shape: Shape;
  /** It is not for the client: its packets are kept, up to a bound, and given to `done`. */
  readonly isKept?: true;
  /** Each result of it, in order: one a statement, more of a CALL. */
  result?(): void;
  /** When it has ended, before anything behind it is read. */
  done?(reply: Reply): void;
};

export type Reply = Ending & {
  /** The first packet's payload. */
  readonly first: Buffer;
  /** Of a kept reply: every packet as it came, and the payloads that are rows. */
  readonly raw: readonly Buffer[];
  readonly rows: readonly Buffer[];
};

export type RepliesOptions = {
  readonly deprecatesEof: boolean;
  readonly hasTracking: boolean;
  /** What the next bytes belong to; undefined: nothing was asked. */
  expected(): Expectation | undefined;
  /** The expected has come, and is so no more. */
  arrived(ending: Ending): void;
  /** Bytes for the client. */
  pass(bytes: Buffer): void;
  /** The server asks for a file: the client's next packets are none of commands. */
  fileAsked(): void;
};

export type Replies = {
  /** True where nothing of the chunk is kept. HOT */
  feed(chunk: Buffer): boolean;
  /** A reply has begun, and has not ended. */
  readonly isMidway: boolean;
};

/** Of what is kept: no error, no OK and no answer to our own questions is as long. */
const maxKeptBytes = 1 << 20;

const unasked: Expectation = { shape: 'one' };
const nothing: Buffer = Buffer.alloc(0);
/** Payloads of one byte, as most numbers of columns are. */
const single: readonly Buffer[] = Array.from({ length: 256 }, (_, byte) => Buffer.from([byte]));

export function createReplies(options: RepliesOptions): Replies {
  let current: Expectation | undefined;
  let chunk = nothing;
  let at = 0;
  /** Where in the chunk begins what was not passed on yet. */
  let from = 0;
  let header = 0;
  let headerBytes = 0;
  /** Of the packet that is read. */
  let length = 0;
  let left = 0;
  let isInPayload = false;
  let isStart = false;
  let isCollecting = false;
  /** It goes on with what the one before began. */
  let isContinued = false;
  let collected: Buffer[] = [];
  let keptBytes = 0;
  /** Something of this chunk is kept. */
  let isHeld = false;
  let first = nothing;
  let raw: Buffer[] = [];
  let rows: Buffer[] = [];
  const grammar = createGrammar({
    ...options,
    result: () => current?.result?.(),
    ended,
    fileAsked() {
      flush();
      options.fileAsked();
    },
  });
  return {
    feed,
    get isMidway() {
      return current !== undefined;
    },
  };

  function feed(bytes: Buffer): boolean {
    chunk = bytes;
    isHeld = false;
    at = 0;
    from = 0;
    const size = chunk.length;
    while (at < size) {
      if (isInPayload) takePayload(size);
      else if (headerBytes > 0 || size - at < 5 || !passPacket(size)) takeHeader();
    }
    flush();
    chunk = nothing;
    return !isHeld;
  }

  /** The shortcut for a packet that is here as a whole, or for a row that nobody looks at. HOT */
  function passPacket(size: number): boolean {
    const reply = current ?? begin();
    if (isContinued || reply.isKept === true) return false;
    const bytes = (chunk[at] as number) | ((chunk[at + 1] as number) << 8) | ((chunk[at + 2] as number) << 16);
    if (bytes === 0 || bytes === longestPayload) return false;
    const start = at + 4;
    const end = start + bytes;
    const { state } = grammar;
    if (state === 'row' && (chunk[start] as number) < 0xfe) {
      at = Math.min(end, size);
      if (end > size) [isInPayload, isStart, isCollecting, length, left] = [true, false, false, bytes, end - size];
      return true;
    }
    if (end > size) return false;
    const isByte = bytes === 1 || state === 'definition';
    const payload = isByte ? (single[chunk[start] as number] as Buffer) : chunk.subarray(start, end);
    if (state === 'first' && first === nothing && reply.done !== undefined) {
      first = payload;
      isHeld = true;
    }
    at = end;
    grammar.packet(payload, bytes);
    return true;
  }

  function takeHeader(): void {
    if (current === undefined) begin();
    const byte = chunk[at] as number;
    at += 1;
    if (headerBytes < 3) header |= byte << (8 * headerBytes);
    headerBytes += 1;
    if (headerBytes < 4) return;
    [length, left, isStart, isInPayload] = [header, header, true, true];
    [header, headerBytes] = [0, 0];
    const { state } = grammar;
    isCollecting = !isContinued && (current?.isKept === true || (state !== 'row' && state !== 'definition'));
    if (left === 0) packetEnded();
  }

  function begin(): Expectation {
    current = options.expected() ?? unasked;
    grammar.start(current.shape);
    return current;
  }

  function takePayload(size: number): void {
    if (isStart && grammar.state === 'row' && !isContinued)
      isCollecting ||= !grammar.isRow(chunk[at] as number, length);
    isStart = false;
    const taken = Math.min(left, size - at);
    if (isCollecting && keptBytes < maxKeptBytes) {
      collected.push(chunk.subarray(at, at + taken));
      isHeld = true;
      keptBytes += taken;
    }
    at += taken;
    left -= taken;
    if (left === 0) packetEnded();
  }

  function packetEnded(): void {
    isInPayload = false;
    const wasContinued = isContinued;
    isContinued = length === longestPayload;
    const payload = collected.length === 1 ? (collected[0] as Buffer) : Buffer.concat(collected);
    collected = [];
    const isKept = current?.isKept === true;
    if (!isKept) keptBytes = 0;
    if (wasContinued) return;
    if (first === nothing && grammar.state === 'first') first = payload;
    if (isKept && grammar.state === 'row' && grammar.isRow(payload[0] ?? 0, length)) rows.push(payload);
    grammar.packet(payload, length);
  }

  function ended(ending: Ending): void {
    const done = current;
    // Before an answer of ours that waits for its turn behind this one.
    flush();
    const reply = done?.done && { ...ending, first, raw, rows };
    current = undefined;
    first = nothing;
    if (done?.isKept === true) [keptBytes, raw, rows] = [0, [], []];
    if (done === unasked) return;
    options.arrived(ending);
    if (reply !== undefined) done?.done?.(reply);
  }

  function flush(): void {
    if (from >= at) return;
    const bytes = from === 0 && at === chunk.length ? chunk : chunk.subarray(from, at);
    from = at;
    if (current?.isKept === true) {
      raw.push(bytes);
      isHeld = true;
    } else options.pass(bytes);
  }
}
