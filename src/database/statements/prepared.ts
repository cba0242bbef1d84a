// A prepared statement as the client knows it, and what stands for it on servers: one variant for each text it becomes.

import type { Mode } from '../../sql/mode.ts';
import type { Reply } from '../packets/replies.ts';
import { lastId, statementId } from '../payloads/execute.ts';
import type { Parameter } from '../payloads/values.ts';
import type { Session } from '../session/session.ts';
import type { Leg } from '../upstream/leg.ts';

/** The same statement of a server. */
export type Variant = {
  readonly text: string;
  readonly leg: Leg;
  readonly id: number;
  /** Types that the server has of it; another object than the statement's where it must be told them. */
  types: readonly Parameter[] | undefined;
};

export type Prepared = {
  /** The client's id: the server's own of the first variant. */
  readonly id: number;
  /** `unreadText` where it was too long to be read. */
  readonly text: string;
  /** As they were when it was prepared: so does the server read it again. */
  readonly mode: Mode | undefined;
  readonly sqlMode: string;
  readonly database: string | undefined;
  readonly parameters: number;
  readonly columns: number;
  readonly variants: Variant[];
  /** Types as the client has said them last. */
  types: readonly Parameter[] | undefined;
  /** Values sent before their execution, by parameter. */
  readonly long: Map<number, Buffer[]>;
  longBytes: number;
  /** Who was sent such values already, as they were too many to be kept: this execution can be no other's. */
  pinned: Variant | undefined;
  /** What was executed last: whose cursor is fetched from. */
  current: Variant;
};

/** No server prepares nothing: it is no statement's own. */
export const unreadText = '';

/** undefined where there is none. */
export function statementOf(
  session: Pick<Session, 'prepared' | 'lastPrepared'>,
  payload: Buffer,
): Prepared | undefined {
  const id = statementId(payload);
  return id === lastId ? session.lastPrepared : session.prepared.get(id);
}

export function variantOf({ variants }: Prepared, leg: Leg, text: string): Variant | undefined {
  for (const variant of variants) if (variant.leg === leg && variant.text === text) return variant;
  return undefined;
}

/** Executed under more labels than this, the oldest variant goes that can be prepared again: the first is the client's own. */
export const maxVariants = 4;

export type Head = { readonly id: number; readonly columns: number; readonly parameters: number };

/** What the head of a reply to PREPARE says; undefined where it is none. */
export function readHead({ error, first }: Reply): Head | undefined {
  if (error !== undefined || first.length < 9) return undefined;
  return { id: first.readUInt32LE(1), columns: first.readUInt16LE(5), parameters: first.readUInt16LE(7) };
}

/** A command that has nothing but an id and what stands behind it. */
export function addressed(command: number, id: number, rest: Buffer = nothing): Buffer {
  const payload = Buffer.allocUnsafe(5 + rest.length);
  payload[0] = command;
  payload.writeUInt32LE(id, 1);
  rest.copy(payload, 5);
  return payload;
}

const nothing = Buffer.alloc(0);
