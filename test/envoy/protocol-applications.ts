// Applications of the protocol tests: `a` hands requests on as they come, with their trace only; `b` answers by path.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Application, ApplicationOptions } from './application.ts';

/** What the tests tell `b` to wait for. */
export type Signals = { release(): void; readonly released: Promise<void>; aborted: number };

export function createSignals(): Signals {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { release, released, aborted: 0 };
}

export const big = 20 * 1024 * 1024;

/** HTTP/1.1 and 1.0 for both services; `signals` is read at each request. */
export function startHttp(options: ApplicationOptions, signals: () => Signals): Promise<Application> {
  const { next } = options;
  const server = createServer((incoming, outgoing) => {
    note(incoming, options);
    const done = next === undefined ? answer(incoming, outgoing, options, signals()) : pass(incoming, outgoing, next);
    done.catch(() => outgoing.destroy());
  });
  server.on('upgrade', (incoming: IncomingMessage, socket: Socket) => {
    note(incoming, options);
    socket.on('error', () => socket.destroy());
    if (next === undefined) echo(socket, options.member);
    else passUpgrade(incoming, socket, next);
  });
  return listen(server, options.port ?? 0);
}

function note(incoming: IncomingMessage, { member, onSeen }: ApplicationOptions): void {
  const label = incoming.headers['x-opensergo-traffic'];
  onSeen({
    member,
    label: typeof label === 'string' ? label : undefined,
    headers: incoming.headers,
    path: incoming.url ?? '',
  });
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { member }: ApplicationOptions,
  signals: Signals,
): Promise<void> {
  outgoing.setHeader('x-member', member);
  const path = incoming.url ?? '';
  if (path.endsWith('/big')) return sendBig(outgoing);
  if (path.endsWith('/events')) {
    outgoing.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: ${member}\n\n`);
    await signals.released;
    outgoing.end('data: last\n\n');
    return;
  }
  const hash = createHash('sha256');
  let bytes = 0;
  incoming.once('aborted', () => {
    signals.aborted += 1;
  });
  for await (const chunk of incoming) {
    bytes += chunk.length;
    hash.update(chunk);
  }
  if (path.endsWith('/trailers')) outgoing.setHeader('trailer', 'x-checksum');
  const { method, httpVersion: version, trailers } = incoming;
  const body = JSON.stringify({ member, method, version, bytes, sha256: hash.digest('hex'), trailers });
  if (!path.endsWith('/trailers')) outgoing.setHeader('content-length', body.length);
  outgoing.write(body);
  if (path.endsWith('/trailers')) outgoing.addTrailers({ 'x-checksum': 'from-b' });
  outgoing.end();
}

async function sendBig(outgoing: ServerResponse): Promise<void> {
  const chunk = Buffer.alloc(64 * 1024, 'b');
  for (let sent = 0; sent < big; sent += chunk.length) {
    if (!outgoing.write(chunk)) await new Promise((resolve) => outgoing.once('drain', resolve));
  }
  outgoing.end();
}

const handedOn = ['traceparent', 'content-type', 'content-length', 'transfer-encoding', 'trailer', 'te'];

async function pass(incoming: IncomingMessage, outgoing: ServerResponse, port: number): Promise<void> {
  const headers = Object.fromEntries(handedOn.flatMap((name) => valuesOf(incoming, name)));
  const onward = request({ host: '127.0.0.1', port, method: incoming.method, path: incoming.url, headers });
  incoming.once('aborted', () => onward.destroy());
  const answered = new Promise<IncomingMessage>((resolve, reject) =>
    onward.on('response', resolve).on('error', reject),
  );
  answered.catch(() => undefined); // it is told below, unless who asked is gone first
  for await (const chunk of incoming) {
    if (!onward.write(chunk)) await new Promise((resolve) => onward.once('drain', resolve));
  }
  onward.addTrailers(Object.fromEntries(Object.entries(incoming.trailers).map(([name, value]) => [name, value ?? ''])));
  onward.end();
  const back = await answered;
  const { connection: _, ...answerHeaders } = back.headers;
  outgoing.writeHead(back.statusCode ?? 502, answerHeaders);
  outgoing.flushHeaders();
  if (back.headers.trailer === undefined) return pipeline(back, outgoing);
  for await (const chunk of back) outgoing.write(chunk);
  outgoing.addTrailers(Object.fromEntries(Object.entries(back.trailers).map(([name, value]) => [name, value ?? ''])));
  outgoing.end();
}

function passUpgrade(incoming: IncomingMessage, socket: Socket, port: number): void {
  const headers = { connection: 'upgrade', upgrade: 'websocket', traceparent: incoming.headers['traceparent'] ?? '' };
  const onward = request({ host: '127.0.0.1', port, path: incoming.url, headers });
  onward.on('error', () => socket.destroy());
  onward.on('upgrade', (_, far) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    pipeline(socket, far, socket).catch(() => undefined);
  });
  onward.end();
}

/** Each chunk comes back behind the member's name. */
function echo(socket: Socket, member: string): void {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
  socket.on('data', (data) => socket.write(`${member}:${data}`));
  socket.on('end', () => socket.end());
}

function valuesOf(incoming: IncomingMessage, name: string): [string, string | string[]][] {
  const value = incoming.headers[name];
  return value === undefined ? [] : [[name, value]];
}

async function listen(server: ReturnType<typeof createServer>, port: number): Promise<Application> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return {
    port,
    kill: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
