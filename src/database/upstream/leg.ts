// One connection to a server, and the replies that are awaited of it, in order.

import type { Socket } from 'node:net';
import { inTransaction } from '../packets/answers.ts';
import { frame } from '../packets/frames.ts';
import type { Ending } from '../packets/grammar.ts';
import { createReplies, type Expectation, type Reply } from '../packets/replies.ts';
import { takeFrom } from './intake.ts';

/** An answer of ours, which waits for its turn behind those of the server. */
type Answer = { readonly answer: Buffer };

export type LegOptions = {
  readonly socket: Socket;
  readonly deprecatesEof: boolean;
  readonly hasTracking: boolean;
  /** Bytes for the client; false where it has enough for now. */
  pass(bytes: Buffer): boolean;
  /** All of them are on their way: nobody holds them any more. */
  isPassed(): boolean;
  fileAsked(): void;
  /** False while the server takes no more. */
  flows(canTake: boolean): void;
  /** Something was thrown: a mistake of ours. */
  failed(error: unknown): void;
  /** It was asked for something that it cannot answer, as it is gone. */
  asked(): void;
  /** The server says that another database is the default now. */
  chosen(database: string): void;
};

/** For commands of which nothing is to be done when they are answered. */
const expected = {
  query: { shape: 'query' },
  fetch: { shape: 'fetch' },
  fields: { shape: 'fields' },
  one: { shape: 'one' },
} as const;

export type Leg = {
  /** Bytes of a command, or of its further packets where nothing more is expected. HOT */
  send(bytes: Buffer, expectation?: Expectation): void;
  /** What is awaited for bytes that go their own way. */
  expect(expectation: Expectation): void;
  /** An answer of ours to the client, when all before it are answered. */
  answer(bytes: Buffer): void;
  /** A command of ours, of which the client hears nothing. */
  ask(payload: Buffer, shape: Expectation['shape']): Promise<Reply>;
  /** When nothing is awaited any more. */
  idle(): Promise<void>;
  /** Bytes that came from the server before it was a leg. */
  feed(bytes: Buffer): void;
  readonly isIdle: boolean;
  /** As the server has said last. */
  readonly isInTransaction: boolean;
  readonly expected: typeof expected;
  readonly socket: Socket;
};

export function openLeg({
  socket,
  deprecatesEof,
  hasTracking,
  pass,
  isPassed,
  fileAsked,
  flows,
  failed,
  asked,
  chosen,
}: LegOptions): Leg {
  let queue: (Expectation | Answer)[] = [];
  let waiting: (() => void)[] = [];
  let status = 0;
  const replies = createReplies({
    deprecatesEof,
    hasTracking,
    expected: () => queue[0] as Expectation | undefined,
    arrived,
    pass(bytes) {
      if (!pass(bytes)) socket.pause();
    },
    fileAsked,
  });
  takeFrom(socket, feed);
  socket.on('drain', () => flows(true));
  return {
    send,
    expect: enqueue,
    answer(bytes) {
      if (queue.length === 0) pass(bytes);
      else enqueue({ answer: bytes });
    },
    ask(payload, shape) {
      return new Promise((done) => send(frame(payload, 0), { shape, isKept: true, done }));
    },
    idle: () => (queue.length === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    feed,
    get isIdle() {
      return queue.length === 0;
    },
    get isInTransaction() {
      return (status & inTransaction) !== 0;
    },
    expected,
    socket,
  };

  /** HOT */
  function feed(chunk: Buffer): boolean {
    try {
      return replies.feed(chunk) && isPassed();
    } catch (error) {
      failed(error);
      return false;
    }
  }

  /** An array that has grown for many is shrunk each time it becomes empty, which costs more than a new one. */
  function enqueue(next: Expectation | Answer): void {
    if (queue.length === 0) queue = [next];
    else queue.push(next);
  }

  function send(bytes: Buffer, expectation?: Expectation): void {
    if (expectation !== undefined) enqueue(expectation);
    if (socket.write(bytes)) return;
    if (!socket.destroyed) flows(false);
    else if (expectation !== undefined) asked();
  }

  function arrived(ending: Ending): void {
    status = ending.status;
    if (ending.database !== undefined) chosen(ending.database);
    queue.shift();
    for (let next = queue[0]; next !== undefined && 'answer' in next; next = queue[0]) {
      queue.shift();
      pass(next.answer);
    }
    if (queue.length > 0 || waiting.length === 0) return;
    const all = waiting;
    waiting = [];
    for (const resolve of all) resolve();
  }
}
