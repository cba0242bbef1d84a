// The application of a pod, as a process of its own: serves HTTP/1.1, h2c, gRPC and a protocol in which the server speaks
// first; calls what the test tells it to, over its channel.
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { Client, credentials, Metadata, Server, ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js';

export type Ask =
  | { readonly kind: 'http'; readonly url: string; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'http2'; readonly url: string; readonly headers?: Readonly<Record<string, string>> }
  | {
      readonly kind: 'grpc';
      readonly target: string;
      readonly authority: string;
      readonly label?: string;
      readonly message: string;
    }
  /** Opens a connection; what the server says first. */
  | { readonly kind: 'open'; readonly host: string; readonly port: number; readonly send?: string }
  /** Says something on the connection that was opened last. */
  | { readonly kind: 'say'; readonly text: string };

/** `status` 0: no answer. */
export type Answer = { readonly status: number; readonly body: string; readonly ms: number };

export const ports = { http: 8080, http2: 8081, grpc: 9090, greeting: 7000 } as const;

const bytes = (value: Buffer) => value;

if (import.meta.main) await serve(process.argv[2] ?? '');

async function serve(name: string): Promise<void> {
  const describe = (headers: http.IncomingHttpHeaders, peer = '') =>
    JSON.stringify({ name, host: headers.host ?? headers[':authority'], peer: peer.replace('::ffff:', '') });
  const one = http.createServer(({ headers, socket }, response) => {
    response.end(describe(headers, socket.remoteAddress));
  });
  const two = http2.createServer((request, response) => {
    response.end(describe(request.headers, request.socket.remoteAddress));
  });
  const greeting = net.createServer((socket) => {
    socket.on('error', () => {}).write(`welcome to ${name}`);
    socket.on('data', (data) => socket.write(data));
  });
  for (const [server, port] of [
    [one, ports.http],
    [two, ports.http2],
    [greeting, ports.greeting],
  ] as const)
    await new Promise<void>((resolve) => server.listen(port, '::', resolve));
  const grpc = new Server();
  const serializers = {
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  grpc.addService(
    { Unary: { path: '/echo/Unary', requestStream: false, responseStream: false, ...serializers } },
    {
      Unary(call: ServerUnaryCall<Buffer, Buffer>, callback: (error: null, value: Buffer) => void) {
        callback(null, Buffer.from(`${name}:${call.request}`));
      },
    },
  );
  await new Promise<void>((resolve, reject) =>
    grpc.bindAsync(`[::]:${ports.grpc}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  process.on('message', async ({ id, ask }: { id: number; ask: Ask }) => {
    const start = performance.now();
    const { status, body } = await answer(ask).catch((error: Error) => ({ status: 0, body: error.message }));
    process.send?.({ id, answer: { status, body, ms: performance.now() - start } });
  });
  process.on('disconnect', () => process.exit());
  console.log('ready');
}

type Given = { status: number; body: string };

let connection: net.Socket | undefined;
const clients = new Map<string, Client>();

function answer(ask: Ask): Promise<Given> {
  if (ask.kind === 'http') return callHttp(ask.url, ask.headers ?? {});
  if (ask.kind === 'http2') return callHttp2(ask.url, ask.headers ?? {});
  if (ask.kind === 'grpc') return callGrpc(ask);
  if (ask.kind === 'open') connection = net.connect(ask.port, ask.host);
  return nextData(connection ?? net.connect(0), ask.kind === 'open' ? ask.send : ask.text);
}

function callHttp(url: string, headers: Readonly<Record<string, string>>): Promise<Given> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { headers, agent: false, timeout: 5_000 }, async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve({ status: response.statusCode ?? 0, body });
    });
    request.on('error', reject).on('timeout', () => request.destroy(new Error('no answer for 5 s')));
  });
}

function callHttp2(url: string, headers: Readonly<Record<string, string>>): Promise<Given> {
  return new Promise((resolve, reject) => {
    const { origin, pathname } = new URL(url);
    const session = http2.connect(origin).on('error', reject);
    const stream = session.request({ ':path': pathname, ...headers }).on('error', reject);
    let [status, body] = [0, ''];
    stream.on('response', (given) => {
      status = given[':status'] ?? 0;
    });
    stream.setEncoding('utf8').on('data', (data) => {
      body += data;
    });
    stream.on('end', () => {
      session.close();
      resolve({ status, body });
    });
  });
}

/** All calls to a target on one connection. */
function callGrpc({ target, authority, label, message }: Extract<Ask, { kind: 'grpc' }>): Promise<Given> {
  const client =
    clients.get(target) ?? new Client(target, credentials.createInsecure(), { 'grpc.default_authority': authority });
  clients.set(target, client);
  const metadata = new Metadata();
  if (label) metadata.set('x-opensergo-traffic', label);
  const deadline = Date.now() + 5_000;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      '/echo/Unary',
      bytes,
      bytes,
      Buffer.from(message),
      metadata,
      { deadline },
      (error, value) => (error ? reject(error) : resolve({ status: 200, body: String(value) })),
    );
  });
}

function nextData(socket: net.Socket, text: string | undefined): Promise<Given> {
  return new Promise((resolve, reject) => {
    socket.once('data', (data) => resolve({ status: 200, body: data.toString('latin1') }));
    socket.once('error', reject).once('close', () => reject(new Error('closed')));
    socket.setTimeout(20_000, () => reject(new Error('silent for 20 s')));
    if (text !== undefined) socket.write(text);
  });
}
