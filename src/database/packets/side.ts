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
  /** Why there was no packet; undefined where it has ended. */
  why(): string | undefined;
  rest(): readonly Buffer[];
  /** Reads no more; what has come is given back to the socket. */
  release(): Socket;
};

/** What it says still is for nobody, but read: who is not read cannot be seen to leave. */
export function letGo(side: Side): void {
  const socket = side.release();
  const timer = setTimeout(() => socket.destroy(), patienceMs);
  socket.once('close', () => clearTimeout(timer));
  socket.on('error', () => socket.destroy());
  socket.end();
  socket.resume();
}

/** Takes the socket until it is released. */
export function openSide(socket: Socket): Side {
  const input: Input = createInput();
  let wake: (() => void) | undefined;
  let hasEnded = false;
  let why: string | undefined;
  const onData = (chunk: Buffer) => {
    input.push(chunk);
    if (input.size > maxPacketBytes) socket.pause();
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
        if (packet === 'long') why = `it sent a packet of more than ${maxPacketBytes} bytes`;
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
      if (leftMs <= 0) why ??= `it said too little in ${patienceMs / 1_000} s`;
      if (hasEnded || leftMs <= 0) return undefined;
      socket.resume();
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
