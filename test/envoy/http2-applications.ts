// Applications that speak HTTP/2 without TLS: `a` hands streams on with their trace only; `b` is a server of gRPC, or of
// plain HTTP/2.
import http2, { type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { Server, ServerCredentials, type ServerDuplexStream, type ServerUnaryCall, status } from '@grpc/grpc-js';
import type { Application, ApplicationOptions } from './application.ts';

const bytes = (value: Buffer) => value;
const serializers = {
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
};

/** A service whose messages are bytes. */
export const echoService = {
  Unary: { path: '/a/Unary', requestStream: false, responseStream: false, ...serializers },
  Chat: { path: '/a/Chat', requestStream: true, responseStream: true, ...serializers },
};

/** `a` is the forwarder, `b` answers each message with its own name before it; the message `fail` with NOT_FOUND. */
export async function startGrpc(options: ApplicationOptions): Promise<Application> {
  if (options.next !== undefined) return startForwarder(options, options.next);
  const { member, port = 0, onSeen } = options;
  const server = new Server();
  const see = (call: { metadata: { getMap(): Record<string, unknown> } }) => {
    const { 'x-opensergo-traffic': label, ...headers } = call.metadata.getMap();
    onSeen({ member, label: label === undefined ? undefined : String(label), headers: headers as never, path: '' });
  };
  server.addService(echoService, {
    Unary(call: ServerUnaryCall<Buffer, Buffer>, callback: (error: object | null, value?: Buffer) => void) {
      see(call);
      if (String(call.request) === 'fail') callback({ code: status.NOT_FOUND, details: `${member} has none` });
      else callback(null, Buffer.concat([Buffer.from(`${member}:`), call.request]));
    },
    Chat(call: ServerDuplexStream<Buffer, Buffer>) {
      see(call);
      call.on('data', (message: Buffer) => call.write(Buffer.from(`${member}:${message}`)));
      call.on('end', () => call.end());
      call.on('error', () => undefined);
    },
  });
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  return { port, kill: async () => server.forceShutdown() };
}

/** `b` answers with its name, the bytes it was sent and the trailers of the request; trailers of its own follow. */
export async function startHttp2(options: ApplicationOptions): Promise<Application> {
  if (options.next !== undefined) return startForwarder(options, options.next);
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined); // cut by the caller
    see(headers, options);
    let trailers: IncomingHttpHeaders = {};
    let count = 0;
    stream.on('trailers', (given) => {
      trailers = { ...given };
    });
    stream.on('data', (chunk: Buffer) => {
      count += chunk.length;
    });
    stream.on('end', () => {
      if (stream.aborted) return;
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-checksum': 'from-b' }));
      stream.end(JSON.stringify({ member: options.member, bytes: count, trailer: trailers['x-sum'] }));
    });
  });
  return listen(server, options.port ?? 0);
}

async function startForwarder(options: ApplicationOptions, next: number): Promise<Application> {
  const server = http2.createServer();
  let session: http2.ClientHttp2Session | undefined;
  const connected = () => {
    if (session === undefined || session.closed || session.destroyed) {
      session = http2.connect(`http://127.0.0.1:${next}`);
      session.on('error', () => undefined);
    }
    return session;
  };
  server.on('stream', (stream, headers) => {
    see(headers, options);
    forward(stream, headers, connected());
  });
  const application = await listen(server, options.port ?? 0);
  const kill = async () => {
    session?.destroy();
    await application.kill();
  };
  return { ...application, kill };
}

const handedOn = [':method', ':path', 'traceparent', 'content-type', 'te', 'grpc-timeout'];

function forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, session: http2.ClientHttp2Session): void {
  const given = Object.fromEntries(handedOn.flatMap((name) => (headers[name] ? [[name, headers[name]]] : [])));
  const onward = session.request(given, { endStream: stream.endAfterHeaders, waitForTrailers: true });
  stream.on('error', () => onward.close(http2.constants.NGHTTP2_CANCEL));
  stream.on('aborted', () => onward.close(http2.constants.NGHTTP2_CANCEL));
  onward.on('error', () => stream.close());
  let requestTrailers: IncomingHttpHeaders = {};
  stream.on('trailers', (trailers) => {
    requestTrailers = trailers;
  });
  onward.on('wantTrailers', () => onward.sendTrailers({ ...requestTrailers }));
  if (!stream.endAfterHeaders) stream.pipe(onward);
  let last: IncomingHttpHeaders = {};
  onward.on('trailers', (trailers) => {
    last = trailers;
  });
  onward.on('response', (answer, flags) => {
    // gRPC says an error in headers alone, with no trailers behind them.
    if (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) return stream.respond(answer, { endStream: true });
    stream.respond(answer, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ ...last }));
    onward.pipe(stream);
  });
}

export function see(headers: IncomingHttpHeaders, { member, onSeen }: ApplicationOptions): void {
  const label = headers['x-opensergo-traffic'];
  onSeen({ member, label: typeof label === 'string' ? label : undefined, headers, path: headers[':path'] ?? '' });
}

export async function listen(server: http2.Http2Server, port: number): Promise<Application> {
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session)).on('error', () => undefined);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return {
    port,
    kill: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
      }),
  };
}
