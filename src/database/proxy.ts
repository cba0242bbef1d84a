// A server of the MySQL protocol before another: statements of a label are kept in its lane, all others pass.

import { createServer, type Socket } from 'node:net';
import { createAttributor } from './label/attribution.ts';
import { login } from './login/login.ts';
import type { ProxyOptions } from './options.ts';
import { arrive } from './session/arrival.ts';
import { type Connection, openConnection } from './session/connection.ts';
import { createJudge } from './statements/judge.ts';
import { createMemory } from './statements/memory.ts';

export type DatabaseProxy = {
  /** Where it listens: a port, or a path. */
  readonly port: number | undefined;
  readonly path: string | undefined;
  /** Clients that are connected now. */
  readonly connections: number;
  /** Ends idle connections at once, and busy ones when they have their reply, or are out of time. */
  close(options?: { readonly withinMs?: number }): Promise<void>;
};

/** Of what was found in texts. */
const memoryBytes = 16 << 20;
const drainMs = 5_000;

/** Resolves when it listens. */
export async function openProxy(options: ProxyOptions): Promise<DatabaseProxy> {
  const memory = createMemory(memoryBytes);
  const judge = createJudge({ options, attributor: createAttributor(options), memory });
  const sockets = new Set<Socket>();
  const connections = new Map<Socket, Connection>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    options.count({ what: 'connection', change: 1 });
    socket.once('close', () => {
      sockets.delete(socket);
      connections.delete(socket);
      options.count({ what: 'connection', change: -1 });
    });
    socket.on('error', () => socket.destroy());
    // A mistake of ours costs this connection, and no other.
    serve(socket).catch((error: unknown) => {
      options.log.error({ error: String(error) }, 'a database client could not be served');
      socket.destroy();
    });
  });
  const { listen } = options;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if ('path' in listen) server.listen(listen.path, resolve);
    else server.listen(listen.port, listen.address, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' ? address?.port : undefined,
    path: typeof address === 'string' ? address : undefined,
    get connections() {
      return sockets.size;
    },
    close,
  };

  async function serve(socket: Socket): Promise<void> {
    const arrived = await arrive(socket, options);
    if ('failure' in arrived) {
      options.log.warn({ failure: arrived.failure }, 'a database client was not served');
      return;
    }
    connections.set(socket, openConnection({ arrived, options, judge, memory, login }));
  }

  async function close({ withinMs = drainMs } = {}): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const until = performance.now() + withinMs;
    while (sockets.size > 0 && performance.now() < until) {
      for (const socket of sockets) {
        const connection = connections.get(socket);
        if (connection === undefined) socket.destroy();
        else if (connection.isIdle) connection.end();
      }
      // There is no event for "idle" of many; a look every few milliseconds is cheap, and only here.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    for (const socket of sockets) socket.destroy();
    await closed;
  }
}
