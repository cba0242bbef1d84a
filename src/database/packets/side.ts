// One side of a connection before any statement: read packet by packet, which is slow and simple.

import type { Socket } from 'node:net';
import { createInput, type Input, type Packet } from './frames.ts';

/** Greetings and first words are short. */
const maxPacketBytes = 1 << 16;
const patienceMs = 10_000;

export type Side = {
  readonly socket: Socket;
  /** undefined: it ended, or took too long. */
  packet(): Promise<Packet | undefined>;
  bytes(): Promise<Buffer | undefined>;
  /** Bytes that were taken too many. */
  give(bytes: Buffer): void;
  why(): string | undefined;
  rest(): readonly Buffer[];
  /** Reads no more; what has come is given back to the socket. */
  release(): Socket;
};

/** Takes the socket until it is released. */
export function openSide(socket: Socket): Side {
  const input: Input = createInput();
  let wake: (() => void) | undefined;
  let hasEnded = false;
  let why: string | undefined;
  const onData = (chunk: Buffer) => {
    input.push(chunk);
    wake?.();
  };
  const onEnd = () => {
    hasEnded = true;
    wake?.();
  };
  const onError = (error: Error) => {
    why = error.message;
    onEnd();
  };
  socket.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onError);
  return {
    socket,
    packet: () =>
      next(() => {
        const packet = input.next(maxPacketBytes);
        return packet === 'long' ? null : packet;
      }),
    bytes: () => next(() => (input.size === 0 ? undefined : Buffer.concat(input.all()))),
    give: (bytes) => bytes.length > 0 && input.push(bytes),
    why: () => why,
    rest: () => input.all(),
    release() {
      socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onError);
      socket.pause();
      const rest = Buffer.concat(input.all());
      if (rest.length > 0 && !socket.readableEnded && !socket.destroyed) socket.unshift(rest);
      return socket;
    },
  };

  /** `take` says undefined for "not yet" and null for "never". */
  async function next<T>(take: () => T | undefined | null): Promise<T | undefined> {
    const until = performance.now() + patienceMs;
    for (;;) {
      const found = take();
      if (found !== undefined) return found ?? undefined;
      const leftMs = until - performance.now();
      if (hasEnded || leftMs <= 0) return undefined;
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        wake = resolve;
        timer = setTimeout(resolve, leftMs);
      });
      clearTimeout(timer);
      wake = undefined;
    }
  }
}
