// What a server sends, read into one buffer again and again: a new one for each chunk costs more than all that is done with it.

import { connect, type NetConnectOpts, type Socket } from 'node:net';

/** Takes a chunk. True: nobody needs its bytes any more, and the next may be written over them. HOT */
export type Take = (chunk: Buffer) => boolean;

/** Enough for most replies. Behind a chunk that fills it come more; the large one is kept until so many in a row were small. */
const smallBytes = 4096;
const largeBytes = 65_536;
const maxSmall = 64;

const intakes = new WeakMap<Socket, (take: Take) => void>();

/** A socket as of `connect`, whose chunks are read in this way when somebody takes them; until then it has `data` as any. */
export function connectTo(target: NetConnectOpts): Socket {
  let buffer = Buffer.allocUnsafeSlow(smallBytes);
  let isFree = true;
  let smallOnes = 0;
  let take: Take | undefined;
  const socket: Socket = connect({
    ...target,
    noDelay: true,
    onread: {
      buffer: () => buffer,
      callback(bytes) {
        const read = buffer.subarray(0, bytes);
        // Where chunks are kept, a few bytes must not keep a whole buffer.
        const isLent = isFree || bytes > buffer.length / 2;
        const chunk = isLent ? read : Buffer.from(read);
        const isTaken = take !== undefined && socket.readableLength === 0;
        isFree = isTaken && take?.(chunk) === true;
        smallOnes = bytes > smallBytes ? 0 : smallOnes + 1;
        const size = bytes === buffer.length ? largeBytes : smallOnes < maxSmall ? buffer.length : smallBytes;
        if ((isLent && !isFree) || size !== buffer.length) buffer = Buffer.allocUnsafeSlow(size);
        return isTaken || socket.push(chunk);
      },
    },
  });
  intakes.set(socket, (taking) => {
    take = taking;
  });
  return socket;
}

/** All that a socket sends from now on, behind what it has sent before. */
export function takeFrom(socket: Socket, take: Take): void {
  socket.on('data', take);
  intakes.get(socket)?.(take);
}
