// The control plane of this pod's Envoy: Delta ADS on a Unix socket.
import { chmodSync, rmSync } from 'node:fs';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { type DeltaRequest, discovery } from './protocol.ts';
import { createStore, type Refusal, type Resources, resourceTypes } from './store.ts';
import { createStream, type Stream } from './stream.ts';

export type { Refusal, Resources } from './store.ts';

export type XdsServerOptions = {
  readonly socket: string;
  /** Route tables are sent at most once in this time: each is sent whole, and each change of a pod's address is one. */
  readonly routeDelayMs?: number;
  readonly patienceMs?: number;
  /** Whenever what is refused has changed, also when it is mended. */
  readonly onRefusals: (refusals: readonly Refusal[]) => void;
  readonly onError: (error: unknown) => void;
};

export type XdsServer = {
  /** Takes what Envoy should have, whole. Never throws: what cannot be encoded is a refusal. */
  update(resources: Resources): void;
  readonly isConnected: boolean;
  /** Resolves when Envoy has everything that it does not refuse; after `patienceMs` in any case. */
  settled(): Promise<void>;
  /** Ends the conversations: Envoy keeps what it has, and comes back to whoever listens then. */
  close(): Promise<void>;
};

type Call = ServerDuplexStream<DeltaRequest, Buffer>;

/** Listens on the socket (mode 0600), whose path must be free. */
export async function openXdsServer({
  socket,
  routeDelayMs = 200,
  patienceMs = 5_000,
  onRefusals,
  onError,
}: XdsServerOptions): Promise<XdsServer> {
  const store = createStore();
  const streams = new Map<Call, Stream>();
  const heldRoutes = new Set<string>();
  const waiting = new Set<() => void>();
  let routesSentAt = -Infinity;
  let routeTimer: NodeJS.Timeout | undefined;
  let reported = '[]';

  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(discovery, { DeltaAggregatedResources: converse });
  await bind(server, socket);
  return {
    update,
    get isConnected() {
      return streams.size > 0;
    },
    settled,
    async close() {
      clearTimeout(routeTimer);
      for (const [call, stream] of streams) {
        stream.close();
        call.end();
      }
      server.forceShutdown();
      rmSync(socket, { force: true });
    },
  };

  function converse(call: Call): void {
    const stream = createStream({
      store,
      patienceMs,
      send: (bytes) => void call.write(bytes),
      routesAreHeld: () => heldRoutes.size > 0,
      onStep: look,
    });
    streams.set(call, stream);
    call.on('data', (request: DeltaRequest) => {
      try {
        stream.receive(request);
      } catch (error) {
        onError(error);
        call.destroy();
      }
    });
    const end = () => {
      stream.close();
      streams.delete(call);
    };
    call.on('error', end); // it was cut
    call.on('end', () => {
      end();
      call.end();
    });
  }

  function update(resources: Resources): void {
    const changed = store.replace(resources);
    for (const name of changed.routes) heldRoutes.add(name);
    for (const stream of streams.values())
      for (const type of resourceTypes) if (type !== 'routes') stream.mark(type, changed[type]);
    const wait = routesSentAt + routeDelayMs - performance.now();
    if (wait <= 0) releaseRoutes();
    else routeTimer ??= setTimeout(releaseRoutes, wait);
    for (const stream of streams.values()) stream.step();
    look();
  }

  function releaseRoutes(): void {
    routeTimer = undefined;
    if (heldRoutes.size === 0) return;
    routesSentAt = performance.now();
    for (const stream of streams.values()) stream.mark('routes', heldRoutes);
    heldRoutes.clear();
    for (const stream of streams.values()) stream.step();
  }

  /** Tells of refusals that are new or mended, and whoever waits that Envoy has everything. */
  function look(): void {
    const refusals = store.refusals;
    const text = JSON.stringify(refusals);
    if (text !== reported) {
      reported = text;
      onRefusals(refusals);
    }
    if (!isSettled()) return;
    for (const resolve of waiting) resolve();
    waiting.clear();
  }

  function isSettled(): boolean {
    return streams.size > 0 && heldRoutes.size === 0 && [...streams.values()].every((stream) => stream.isSettled);
  }

  function settled(): Promise<void> {
    if (isSettled()) return Promise.resolve();
    return new Promise((resolve) => {
      waiting.add(resolve);
      setTimeout(resolve, patienceMs).unref();
    });
  }
}

function bind(server: Server, socket: string): Promise<void> {
  const mask = process.umask(0o177); // no moment in which the socket is open to others
  return new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  })
    .then(() => chmodSync(socket, 0o600))
    .finally(() => void process.umask(mask));
}
