// The short answers: OK, ERR and EOF; read, and those of our own written.

import { attempt, type Cursor, takeCounted, takeLength, takeNumber } from './bytes.ts';
import { frame } from './frames.ts';

/** Of the status of a server. */
export const inTransaction = 0x0001;
export const autocommit = 0x0002;
export const moreResults = 0x0008;
export const cursorExists = 0x0040;
const sessionChanged = 0x4000;

/** In the session state of an OK: the default database is another. */
const trackSchema = 1;

export type ServerError = { readonly code: number; readonly message: string };

/** What an OK says; also one that begins with 0xFE, behind rows. */
export type Ok = { readonly status: number; readonly database: string | undefined };

export function readOk(payload: Buffer, hasTracking: boolean): Ok {
  // Behind rows both numbers are a byte each.
  const isShort = payload.length >= 5 && (payload[1] as number) < 0xfb && (payload[2] as number) < 0xfb;
  const cursor = { bytes: payload, at: isShort ? 5 : 1 };
  const status = isShort
    ? payload.readUInt16LE(3)
    : attempt(() => {
        takeLength(cursor);
        takeLength(cursor);
        return takeNumber(cursor, 2);
      });
  const isChanged = hasTracking && status !== undefined && (status & sessionChanged) !== 0;
  return { status: status ?? 0, database: isChanged ? attempt(() => trackedDatabase(cursor)) : undefined };
}

function trackedDatabase(cursor: Cursor): string | undefined {
  takeNumber(cursor, 2);
  takeCounted(cursor);
  const changes: Cursor = { bytes: takeCounted(cursor), at: 0 };
  let database: string | undefined;
  while (changes.at < changes.bytes.length) {
    const type = takeNumber(changes, 1);
    const data: Cursor = { bytes: takeCounted(changes), at: 0 };
    if (type === trackSchema) database = takeCounted(data).toString('latin1');
  }
  return database;
}

/** Of an EOF as it was before 5.7. */
export function eofStatus(payload: Buffer): number {
  return payload.length >= 5 ? payload.readUInt16LE(3) : 0;
}

export function readError(payload: Buffer): ServerError {
  const hasState = payload[3] === 0x23;
  return {
    code: payload.length >= 3 ? payload.readUInt16LE(1) : 0,
    message: payload.toString('latin1', hasState ? 9 : 3),
  };
}

export type Complaint = {
  readonly code: number;
  /** Five characters. */
  readonly state: string;
  readonly message: string;
  readonly sequence: number;
  /** Before a client has said that it speaks the protocol of 4.1 it expects none. */
  readonly hasState?: false;
};

/** An ERR of ours, in a packet. */
export function complaint({ code, state, message, sequence, hasState }: Complaint): Buffer {
  const head = Buffer.from([0xff, code & 0xff, code >> 8]);
  const text = Buffer.from(`${hasState === false ? '' : `#${state}`}${message.slice(0, 500)}`, 'latin1');
  return frame(Buffer.concat([head, text]), sequence);
}
