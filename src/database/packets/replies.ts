// Where one reply of a server ends and the next begins, on the very chunks that go on to the client.

import { cursorExists, eofStatus, moreResults, type Ok, readError, readOk, type ServerError } from './answers.ts';
import { attempt, takeLength } from './bytes.ts';
import { longestPayload } from './frames.ts';

/**
 * How a reply is built: of most commands, as that of a query. `one`: a single packet, whatever it is. `login`: whatever a
 * server says to somebody who shows who he is, until it lets him in or not.
 */
export type Shape = 'query' | 'prepare' | 'fetch' | 'fields' | 'one' | 'login';

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

export type Reply = {
  readonly error: ServerError | undefined;
  /** The database that the server says is chosen now, where it says so. */
  readonly database: string | undefined;
  readonly status: number;
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
  arrived(): void;
  /** Bytes for the client. */
  pass(bytes: Buffer): void;
  /** The server asks for a file: the client's next packets are none of commands. */
  fileAsked(): void;
};

type State = 'first' | 'definitions' | 'definitionsEnd' | 'rows' | 'file';

/** Longer ones are read no further: no OK and no error is as long. */
const maxKeptBytes = 1 << 20;

const unasked: Expectation = { shape: 'one' };
const nothing = Buffer.alloc(0);

export function createReplies(options: RepliesOptions): { feed(chunk: Buffer): void; readonly isMidway: boolean } {
  const { deprecatesEof, hasTracking } = options;
  let state: State = 'first';
  let header = 0;
  let headerBytes = 0;
  /** Of the packet that is read: bytes to come, and whether they are its first. */
  let left = 0;
  let isInPayload = false;
  let isStart = false;
  let length = 0;
  let isContinued = false;
  let isCollecting = false;
  let collected: Buffer[] = [];
  let current: Expectation | undefined;
  /** Definitions to come: of columns, or of parameters first. */
  let definitions = 0;
  let columnsToCome = 0;
  let first: Buffer = nothing;
  let lastStatus = 0;
  let database: string | undefined;
  let keptBytes = 0;
  let raw: Buffer[] = [];
  let rows: Buffer[] = [];
  /** Where in the chunk begins what was not passed on yet. */
  let from = 0;
  let at = 0;
  let chunk: Buffer = nothing;
  return {
    feed,
    /** A reply has begun, and has not ended. */
    get isMidway() {
      return current !== undefined;
    },
  };

  /** HOT */
  function feed(bytes: Buffer): void {
    [chunk, at, from] = [bytes, 0, 0];
    const size = chunk.length;
    while (at < size) {
      if (isInPayload) takePayload(size);
      else if (state === 'rows' && headerBytes === 0 && size - at > 4 && !isContinued && passRow(size)) continue;
      else takeHeader();
    }
    flush();
    chunk = nothing;
  }

  /** The shortcut for a row that nobody looks at. HOT */
  function passRow(size: number): boolean {
    if ((chunk[at + 4] as number) >= 0xfe || current?.isKept === true) return false;
    const bytes = (chunk[at] as number) | ((chunk[at + 1] as number) << 8) | ((chunk[at + 2] as number) << 16);
    if (bytes === 0 || bytes === longestPayload) return false;
    const end = at + 4 + bytes;
    if (end > size) {
      [isInPayload, isStart, isCollecting, length, left] = [true, false, false, bytes, end - size];
      at = size;
    } else at = end;
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
    isCollecting = current?.isKept === true || (state !== 'rows' && state !== 'definitions' && !isContinued);
    if (left === 0) ended();
  }

  /** What stands before belongs to others, and goes where that goes. */
  function begin(): void {
    const next = options.expected() ?? unasked;
    if (next.isKept === true) flush();
    current = next;
  }

  function takePayload(size: number): void {
    if (isStart && state === 'rows' && !isContinued && !isCollecting) {
      const mark = chunk[at] as number;
      isCollecting = mark === 0xff || (mark === 0xfe && isTerminator());
    }
    isStart = false;
    const taken = Math.min(left, size - at);
    if (isCollecting && keptBytes < maxKeptBytes) {
      collected.push(chunk.subarray(at, at + taken));
      keptBytes += taken;
    }
    at += taken;
    left -= taken;
    if (left === 0) ended();
  }

  function isTerminator(): boolean {
    return deprecatesEof ? length < longestPayload : length < 9;
  }

  /** The packet is here. */
  function ended(): void {
    isInPayload = false;
    const wasContinued = isContinued;
    isContinued = length === longestPayload;
    const payload = collected.length === 1 ? (collected[0] as Buffer) : Buffer.concat(collected);
    collected = [];
    if (current?.isKept !== true) keptBytes = 0;
    if (wasContinued) return;
    if (state === 'first') firstPacket(payload);
    else if (state === 'definitions') defined();
    else if (state === 'definitionsEnd') definitionsEnded(payload);
    else if (state === 'rows') row(payload);
    else firstPacket(payload);
  }

  function firstPacket(payload: Buffer): void {
    const shape = current?.shape ?? 'one';
    if (first === nothing) first = payload;
    const mark = payload[0];
    if (mark === 0xff) finish(readError(payload));
    else if (shape === 'prepare' && mark === 0 && payload.length >= 9) {
      columnsToCome = payload.readUInt16LE(5);
      define(payload.readUInt16LE(7));
    } else if (shape === 'fetch') fetched(payload);
    else if (shape === 'fields') fieldListed(payload);
    else if (shape === 'login' && mark !== 0) first = nothing;
    else if (shape === 'one' && mark !== 0 && mark !== 0xfe) finish(undefined);
    else if (shape === 'query' && mark === 0xfb) {
      state = 'file';
      flush();
      options.fileAsked();
    } else if (shape === 'query' && mark !== 0 && mark !== 0xfe) {
      definitions = attempt(() => takeLength({ bytes: payload, at: 0 })) ?? 0;
      state = definitions === 0 ? 'first' : 'definitions';
      if (definitions === 0) finish(undefined);
    } else result(mark === 0xfe && payload.length < 9 && !deprecatesEof ? eof(payload) : ok(payload));
  }

  /** Parameters, where there are any, else columns, else nothing. */
  function define(parameters: number): void {
    definitions = parameters || columnsToCome;
    if (parameters === 0) columnsToCome = 0;
    if (definitions === 0) finish(undefined);
    else state = 'definitions';
  }

  function defined(): void {
    definitions -= 1;
    if (definitions > 0) return;
    if (!deprecatesEof) state = 'definitionsEnd';
    else behindDefinitions(0);
  }

  function definitionsEnded(payload: Buffer): void {
    behindDefinitions(eofStatus(payload));
  }

  function behindDefinitions(status: number): void {
    if (current?.shape === 'prepare') {
      const columns = columnsToCome;
      columnsToCome = 0;
      if (columns === 0) finish(undefined);
      else [definitions, state] = [columns, 'definitions'];
    } else if ((status & cursorExists) !== 0) result({ status, database: undefined });
    else state = 'rows';
  }

  function row(payload: Buffer): void {
    const mark = payload[0];
    if (mark === 0xff) finish(readError(payload));
    else if (mark === 0xfe && isTerminator()) result(deprecatesEof ? ok(payload) : eof(payload));
    else if (current?.isKept === true) rows.push(payload);
  }

  /** The reply to a FETCH has rows without a head. */
  function fetched(payload: Buffer): void {
    state = 'rows';
    row(payload);
  }

  function fieldListed(payload: Buffer): void {
    if (payload[0] === 0xfe && isTerminator()) result(eof(payload));
  }

  function result({ status, database: chosen }: Ok): void {
    lastStatus = status;
    database = chosen ?? database;
    current?.result?.();
    if ((status & moreResults) !== 0 && current?.shape !== 'one') state = 'first';
    else finish(undefined);
  }

  function ok(payload: Buffer): Ok {
    return readOk(payload, hasTracking);
  }

  function eof(payload: Buffer): Ok {
    return { status: eofStatus(payload), database: undefined };
  }

  function finish(error: ServerError | undefined): void {
    const done = current;
    // Before an answer of ours that waits for its turn behind this one.
    flush();
    const reply: Reply = { error, database, status: lastStatus, first, raw, rows };
    [state, current, first, database, keptBytes] = ['first', undefined, nothing, undefined, 0];
    [raw, rows] = [[], []];
    if (done === unasked) return;
    options.arrived();
    done?.done?.(reply);
  }

  function flush(): void {
    if (from >= at) return;
    const bytes = from === 0 && at === chunk.length ? chunk : chunk.subarray(from, at);
    from = at;
    if (current?.isKept === true) raw.push(bytes);
    else options.pass(bytes);
  }
}
