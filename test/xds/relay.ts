// Stands between Envoy and the ADS server, hands on every message, and writes down what both said.
import { Client, credentials, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { discovery } from '../../src/xds/protocol.ts';
import { decodeRequest } from '../../src/xds/request.ts';
import { resourceTypeOf, summary } from './client.ts';
import { decodeResponse } from './codec.ts';

export type Relay = Awaited<ReturnType<typeof openRelay>>;

export type Line = {
  /** `server clusters +b`, `envoy clusters ok`, `envoy clusters refused`, `envoy endpoints asks b`. */
  readonly text: string;
  readonly at: number;
  readonly reason?: string;
  readonly versions?: ReadonlyMap<string, string>;
};

export async function openRelay(socket: string, target: string) {
  const lines: Line[] = [];
  const streams = new Set<ServerDuplexStream<Buffer, Buffer>>();
  let changed = Promise.withResolvers<void>();
  let opened = 0;
  const client = new Client(`unix:${target}`, credentials.createInsecure(), {
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 50,
    'grpc.max_receive_message_length': -1,
  });
  const server = new Server();
  const method = { ...discovery.DeltaAggregatedResources, requestDeserialize: (all: Buffer) => all };
  server.addService({ Relay: method }, { Relay: relay });
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  return {
    lines,
    /** How many streams Envoy has opened. */
    get opened() {
      return opened;
    },
    /** What the server said since the line `since`. */
    said: (since = 0) => texts('server ', since),
    heard: (since = 0) => texts('envoy ', since),
    until,
    async close() {
      for (const stream of streams) stream.end();
      server.forceShutdown();
      client.close();
    },
  };

  function texts(prefix: string, since: number): string[] {
    const own = lines.slice(since).filter(({ text }) => text.startsWith(prefix));
    return own.map(({ text }) => text.slice(prefix.length));
  }

  /** The first line that is this, after the line `since`. */
  async function until(text: string, since = 0): Promise<Line> {
    for (;;) {
      const found = lines.slice(since).find((line) => line.text === text);
      if (found) return found;
      await changed.promise;
    }
  }

  function write(line: Omit<Line, 'at'>): void {
    lines.push({ ...line, at: performance.now() });
    changed.resolve();
    changed = Promise.withResolvers();
  }

  function relay(envoy: ServerDuplexStream<Buffer, Buffer>): void {
    opened++;
    streams.add(envoy);
    const upstream = client.makeBidiStreamRequest(
      discovery.DeltaAggregatedResources.path,
      (all: Buffer) => all,
      (all: Buffer) => all,
    );
    envoy.on('data', (message: Buffer) => {
      hear(message);
      upstream.write(message);
    });
    upstream.on('data', (message: Buffer) => {
      write({ text: `server ${summary(decodeResponse(message))}` });
      envoy.write(message);
    });
    upstream.on('error', () => envoy.end()).on('end', () => envoy.end());
    envoy.on('cancelled', () => upstream.cancel());
    envoy.on('end', () => upstream.end());
    envoy.on('error', () => {});
    envoy.on('finish', () => streams.delete(envoy));
  }

  function hear(message: Buffer): void {
    const { typeUrl, subscribe, unsubscribe, versions, nonce, error } = decodeRequest(message);
    const type = resourceTypeOf(typeUrl) ?? typeUrl;
    const names = [...subscribe.toSorted(), ...unsubscribe.toSorted().map((name) => `!${name}`)];
    if (nonce === '' || names.length > 0) write({ text: ['envoy', type, 'asks', ...names].join(' '), versions });
    if (nonce === '') return;
    if (error === undefined) write({ text: `envoy ${type} ok` });
    else write({ text: `envoy ${type} refused`, reason: error });
  }
}
