// Applications that speak Dubbo's Triple as its clients and servers do: unary calls in HTTP/2, attachments are headers.
import http2, { type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import type { Application, ApplicationOptions } from './application.ts';
import { listen, see } from './http2-applications.ts';

export type Call = {
  /** `/com.shop.OrderService/create` */
  readonly path: string;
  readonly version?: string;
  readonly group?: string;
  readonly attachments?: Readonly<Record<string, string>>;
};

/**
 * `b` is a provider, and answers with its name. `a` is a consumer too: before it answers it calls `b`, with attachments of
 * its own, of which a tracing filter puts in the trace; Dubbo hands no others on.
 */
export async function startTriple(options: ApplicationOptions): Promise<Application> {
  const { member, next } = options;
  const session = next === undefined ? undefined : lazily(next);
  const server = http2.createServer();
  server.on('stream', async (stream, headers) => {
    stream.on('error', () => undefined); // cut by the caller
    see(headers, options);
    await messageOf(stream);
    const { traceparent } = headers;
    const attachments = { 'order-id': '7', ...(traceparent !== undefined && { traceparent: String(traceparent) }) };
    const onward = { path: '/com.shop.StockService/reserve', version: '1.0.0', attachments };
    const answer = session && (await callTriple(session.get(), onward));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(framed([member, answer].filter((part) => part !== undefined).join(' ')));
  });
  const application = await listen(server, options.port ?? 0);
  const kill = async () => {
    session?.close();
    await application.kill();
  };
  return { ...application, kill };
}

/** The message that a call is answered with; rejects where its status is not 0. */
export async function callTriple(session: ClientHttp2Session, { path, version, group, attachments }: Call) {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc+proto',
    te: 'trailers',
    'grpc-accept-encoding': 'identity',
    'grpc-timeout': '3000m',
    'tri-consumer-appname': 'test',
    ...(version !== undefined && { 'tri-service-version': version }),
    ...(group !== undefined && { 'tri-service-group': group }),
    ...attachments,
  });
  let trailers: IncomingHttpHeaders = {};
  stream.on('response', (headers) => {
    trailers = { ...headers }; // an error has no others
  });
  stream.on('trailers', (given) => {
    trailers = { ...given };
  });
  stream.end(framed('a request'));
  const message = await messageOf(stream);
  if (trailers['grpc-status'] !== '0') throw new Error(`${path}: ${JSON.stringify(trailers)}`);
  return message;
}

function lazily(port: number) {
  let session: ClientHttp2Session | undefined;
  return {
    get(): ClientHttp2Session {
      session ??= http2.connect(`http://127.0.0.1:${port}`).on('error', () => undefined);
      return session;
    },
    close: () => session?.destroy(),
  };
}

/** A message of gRPC: not compressed, and its length before it. */
function framed(text: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([head, Buffer.from(text)]);
}

async function messageOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).subarray(5).toString();
}
