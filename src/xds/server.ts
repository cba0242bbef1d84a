// An ADS server on a Unix socket (delta): listeners, routes, clusters and endpoints for the Envoy of this pod.
import { chmodSync, chownSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { createCatalogue } from './catalogue.ts';
import { discovery } from './protocol.ts';
import type { DeltaRequest } from './request.ts';
import type { Refusal, Resources } from './resources.ts';
import { openStream, type Stream } from './stream.ts';

export type XdsServerOptions = {
  /** Its path must be free. */
  readonly socket: string;
  /** Numeric group that may connect as well as this user; none where absent. */
  readonly socketGroup?: number | undefined;
  /** Changes of route tables that follow each other sooner are sent as one: each makes Envoy build a whole table. */
  readonly routeDelayMs?: number;
  /** How long an answer is waited for, in which Envoy says that it has taken what later resources need. */
  readonly patienceMs?: number;
  /** Whenever they are others than before, also when there are none any more. */
  onRefusals(refusals: readonly Refusal[]): void;
  onError(error: Error): void;
};

export type XdsServer = {
  /**
   * What is to be in force. Nothing is thrown for a resource that cannot be encoded, or that Envoy refuses: its last good form
   * stays, the others go on, and it is among the refusals.
   */
  update(resources: Resources): void;
  readonly isConnected: boolean;
  readonly refusals: readonly Refusal[];
  /** Resolves when a connected Envoy has answered to all of the last update; without an end where it never does. */
  settled(): Promise<void>;
  /** Ends the streams, so that Envoy comes back to whoever listens then, and removes the socket. */
  close(): Promise<void>;
};

type Call = ServerDuplexStream<DeltaRequest, Buffer>;
type Waiter = { resolve(): void; reject(error: Error): void };

const closeMs = 1_000;

export async function openXdsServer(options: XdsServerOptions): Promise<XdsServer> {
  const { routeDelayMs = 200, patienceMs = 5_000, onRefusals, onError } = options;
  const catalogue = createCatalogue();
  const streams = new Map<Call, Stream>();
  const hold = holdBack(routeDelayMs, () => stepAll());
  let waiters: Waiter[] = [];
  const port = await listen(options, open);

  return {
    update(resources) {
      const changes = catalogue.update(resources);
      hold.add(changes.routes);
      for (const stream of streams.values()) stream.note(changes);
      stepAll();
    },
    get isConnected() {
      return streams.size > 0;
    },
    get refusals() {
      return catalogue.refusals;
    },
    settled() {
      return new Promise((resolve, reject) => {
        waiters.push({ resolve, reject });
        look();
      });
    },
    async close() {
      hold.close();
      for (const [call, stream] of streams) {
        stream.close();
        call.end();
      }
      await port.close();
      for (const { reject } of waiters) reject(new Error(`${options.socket} was closed`));
      waiters = [];
    },
  };

  function open(call: Call): void {
    const stream = openStream({
      catalogue,
      patienceMs,
      isHeld: hold.has,
      canSend: () => !call.writableNeedDrain,
      send: (response) => call.write(response),
      onRefused(refusal, served) {
        catalogue.refuse(refusal, served);
        noteAll({ [refusal.type]: new Set([refusal.name]) });
      },
      onListenersClosed: () => noteAll({ listeners: catalogue.retry('listeners') }),
    });
    streams.set(call, stream);
    call.on('data', (request: DeltaRequest) => {
      stream.receive(request);
      look();
    });
    call.on('drain', stream.step);
    call.on('end', () => call.end());
    call.on('cancelled', forget);
    call.on('finish', forget);
    call.on('error', onError);

    function forget(): void {
      stream.close();
      streams.delete(call);
      look();
    }
  }

  function noteAll(changes: Parameters<Stream['note']>[0]): void {
    for (const stream of streams.values()) stream.note(changes);
    for (const stream of streams.values()) stream.step();
  }

  function stepAll(): void {
    for (const stream of streams.values()) stream.step();
    look();
  }

  /** After whatever happened: who wants to know of it? */
  function look(): void {
    if (catalogue.refusalsChanged()) onRefusals(catalogue.refusals);
    if (waiters.length === 0 || streams.size === 0) return;
    if (![...streams.values()].every((stream) => stream.isSettled())) return;
    for (const { resolve } of waiters.splice(0)) resolve();
  }
}

/** The first change goes at once, those that follow it sooner than `delayMs` go together at the end of that time. */
function holdBack(delayMs: number, onRelease: () => void) {
  const held = new Set<string>();
  let releasedAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  return { add, has: (name: string) => held.has(name), close: () => clearTimeout(timer) };

  function add(names: ReadonlySet<string>): void {
    if (names.size === 0) return;
    const left = releasedAt + delayMs - performance.now();
    if (timer === undefined && left <= 0) {
      releasedAt = performance.now();
      return;
    }
    for (const name of names) held.add(name);
    timer ??= setTimeout(release, left);
  }

  function release(): void {
    timer = undefined;
    releasedAt = performance.now();
    held.clear();
    onRelease();
  }
}

/**
 * The connections are ours and not grpc-js's, which listens by itself: so the socket is open to nobody else at any moment, and
 * at the end nobody who keeps a connection keeps this process.
 */
async function listen({ socket, socketGroup, onError }: XdsServerOptions, open: (call: Call) => void) {
  const connections = new Set<Socket>();
  const grpc = new Server({ 'grpc.max_receive_message_length': -1 }); // versions of everything, after a reconnect
  grpc.addService(discovery, { DeltaAggregatedResources: open });
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const server = createServer((connection) => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
    injector.injectConnection(connection);
  });
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socket, resolve));
  } finally {
    process.umask(mask);
  }
  server.removeAllListeners('error').on('error', onError);
  try {
    if (socketGroup !== undefined) chownSync(socket, -1, socketGroup);
    if (socketGroup !== undefined) chmodSync(socket, 0o660);
  } catch (error) {
    await close();
    throw new Error(`${socket} cannot be given to group ${socketGroup}: ${String(error)}`);
  }
  return { close };

  async function close(): Promise<void> {
    const closed = new Promise((resolve) => server.close(resolve)); // removes the socket, and waits for connections
    injector.drain(closeMs);
    await Promise.race([closed, sleep(closeMs, undefined, { ref: false })]);
    for (const connection of connections) connection.destroy();
    grpc.forceShutdown();
    await closed;
  }
}
