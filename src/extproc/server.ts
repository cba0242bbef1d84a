// The gRPC server on a Unix socket: the external processor and its health.
import { chmodSync, chownSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { processorConnectionMs } from '../traffic/agreement.ts';
import { type ConversationOptions, converse } from './conversation.ts';
import { externalProcessor, type HealthCheckResponse, health } from './protocol.ts';

export type ProcessorServer = {
  /** What `grpc.health.v1` answers; not serving until it is set. */
  setServing(serving: boolean): void;
  /** Waits for open conversations, at most `timeoutMs`, then removes the socket. */
  close(timeoutMs: number): Promise<void>;
  /** The same for a server that another has replaced: its health stays good, or Envoy would leave the other one too. */
  retire(timeoutMs: number): Promise<void>;
};

type Peers = { readonly sessions: ReadonlySet<http2.Http2Session>; readonly connections: ReadonlySet<Socket> };

export type ServerOptions = ConversationOptions & {
  readonly socket: string;
  /** Numeric group that may connect as well as this user; none where absent. */
  readonly socketGroup?: number | undefined;
};

/** Listens on the socket (mode 0600, or 0660 with a group), whose path must be free. */
export async function openServer({ socket, socketGroup, ...conversation }: ServerOptions): Promise<ProcessorServer> {
  const server = new Server();
  const status = createHealth();
  server.addService(externalProcessor, {
    Process: (call: Parameters<typeof converse>[0]) => converse(call, conversation),
  });
  server.addService(health, { Check: status.check, Watch: status.watch });
  const { sessions, connections } = await bind(server, socket);
  try {
    if (socketGroup !== undefined) chownSync(socket, -1, socketGroup);
    chmodSync(socket, socketGroup === undefined ? 0o600 : 0o660);
  } catch (error) {
    await close(0);
    throw new Error(`${socket} cannot be given to group ${socketGroup}: ${String(error)}`);
  }
  return { setServing: status.set, close, retire };

  function close(timeoutMs: number): Promise<void> {
    status.set(false);
    return retire(timeoutMs);
  }

  function retire(timeoutMs: number): Promise<void> {
    status.close(); // a watcher's stream would keep the server open
    return areGone(sessions, timeoutMs)
      .then(() => shutDown(server, connections, timeoutMs))
      .finally(() => rmSync(socket, { force: true }));
  }
}

/**
 * Envoys that reset every stream (all but ours, which has the graceful close) exhaust Node's budget of resets: the
 * connection is dropped every thousand streams, and with it labels in flight (envoy-ext-proc.md 1). grpc-js has no option
 * for the budget, so it is raised where grpc-js makes its HTTP/2 server, and only then.
 */
function bind(server: Server, socket: string): Promise<Peers> {
  const sessions = new Set<http2.Http2Session>();
  const connections = new Set<Socket>();
  const createServer = http2.createServer;
  const generous = { streamResetBurst: 1e9, streamResetRate: 1e9 };
  http2.createServer = ((options: http2.ServerOptions, listener?: never) =>
    createServer
      .call(http2, { ...options, ...generous }, listener)
      .on('session', (session) => keepWhileOpen(sessions, session))
      .on('connection', (connection: Socket) => keepWhileOpen(connections, connection))) as typeof createServer;
  const mask = process.umask(0o177); // no moment in which the socket is open to others
  return new Promise<Peers>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve({ sessions, connections }),
    );
  }).finally(() => {
    process.umask(mask);
    http2.createServer = createServer;
  });
}

function keepWhileOpen<T extends { once(event: 'close', listener: () => void): unknown }>(all: Set<T>, one: T): void {
  all.add(one);
  one.once('close', () => all.delete(one));
}

/** Envoy leaves by itself; what stays (its health check, somebody else's client) is ended after that. */
async function areGone(sessions: ReadonlySet<http2.Http2Session>, timeoutMs: number): Promise<void> {
  const gone = [...sessions].map((session) => new Promise((resolve) => session.once('close', resolve)));
  const atMost = Math.min(timeoutMs, processorConnectionMs + 500);
  await Promise.race([Promise.all(gone), sleep(atMost, undefined, { ref: false })]);
}

/** A peer that never closes its end of a connection would keep the server open, and this process alive. */
function shutDown(server: Server, connections: ReadonlySet<Socket>, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      for (const connection of connections) connection.destroy();
    }, timeoutMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function createHealth() {
  const watchers = new Set<ServerWritableStream<unknown, HealthCheckResponse>>();
  let response: HealthCheckResponse = { status: 'NOT_SERVING' };
  return {
    check: (_: ServerUnaryCall<unknown, HealthCheckResponse>, callback: sendUnaryData<HealthCheckResponse>) =>
      callback(null, response),
    watch(call: ServerWritableStream<unknown, HealthCheckResponse>) {
      watchers.add(call);
      call.on('cancelled', () => watchers.delete(call));
      call.write(response);
    },
    set(serving: boolean) {
      response = { status: serving ? 'SERVING' : 'NOT_SERVING' };
      for (const call of watchers) call.write(response);
    },
    close() {
      for (const call of watchers) call.end();
      watchers.clear();
    },
  };
}
