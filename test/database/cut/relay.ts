// A pipe before a real server, which breaks where a test says: after so many bytes of the server, or of its client.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** With FIN it says that it ends, with RST that it is gone. */
export type How = 'FIN' | 'RST';

export type Cut = {
  readonly how: How;
  readonly afterBytes: number;
  /** Whose bytes are counted; what the client sends beyond them is not read. */
  readonly of?: 'server' | 'client';
};

export type Relay = {
  readonly port: number;
  /** Connections of which the other side has not closed yet. */
  readonly open: number;
  /** Breaks the connection on which the next such bytes come. Resolves when its other side has closed as well. */
  cut(cut: Cut): Promise<void>;
  /** Breaks all that there are, while nothing is said. */
  cutAll(how: How): Promise<void>;
  /** What the server says while this runs, on any connection. */
  hear(act: () => Promise<unknown>): Promise<readonly Piece[]>;
  close(): void;
};

/** One packet of what was heard, header included: where it begins and ends. */
export type Piece = { readonly from: number; readonly to: number };

type Armed = Cut & { resolve(closed: Promise<void>): void; left: number; on?: Socket };

export async function openRelay(target: { readonly address: string; readonly port: number }): Promise<Relay> {
  const sockets = new Set<Socket>();
  let armed: Armed | undefined;
  let heard: Buffer[] | undefined;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ host: target.address, port: target.port, noDelay: true });
    sockets.add(near);
    near.once('close', () => {
      sockets.delete(near);
      far.destroy();
    });
    far.once('close', () => near.end());
    for (const side of [near, far]) side.on('error', () => {});
    const pass = (from: Socket, to: Socket, of: 'server' | 'client') =>
      from.on('data', (chunk: Buffer) => {
        if (of === 'server') heard?.push(chunk);
        if (armed === undefined || (armed.of ?? 'server') !== of || (armed.on ?? near) !== near) return to.write(chunk);
        armed.on = near;
        armed.left -= chunk.length;
        if (armed.left > 0) return to.write(chunk);
        to.write(chunk.subarray(0, chunk.length + armed.left), () => far.destroy());
        breakOff(near);
        return false;
      });
    pass(far, near, 'server');
    pass(near, far, 'client');
    near.once('end', () => far.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  function breakOff(near: Socket): void {
    const { how, of, resolve } = armed as Armed;
    armed = undefined;
    resolve(new Promise((closed) => near.once('close', () => closed())));
    if (of === 'client') near.pause();
    // Behind what was written.
    if (how === 'FIN') near.end();
    else near.write('', () => near.resetAndDestroy());
  }

  return {
    port: (server.address() as AddressInfo).port,
    get open() {
      return sockets.size;
    },
    cut(given) {
      const { promise, resolve } = Promise.withResolvers<Promise<void>>();
      armed = { ...given, left: given.afterBytes, resolve };
      return promise.then((closed) => closed);
    },
    async cutAll(how) {
      const closed = [...sockets].map((near) => once(near, 'close'));
      for (const near of sockets) how === 'FIN' ? near.end() : near.resetAndDestroy();
      await Promise.all(closed);
    },
    async hear(act) {
      heard = [];
      await act();
      const bytes = Buffer.concat(heard);
      heard = undefined;
      return piecesOf(bytes);
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function piecesOf(bytes: Buffer): Piece[] {
  const pieces: Piece[] = [];
  for (let from = 0; from < bytes.length; ) {
    const to = from + 4 + bytes.readUIntLE(from, 3);
    pieces.push({ from, to });
    from = to;
  }
  return pieces;
}
