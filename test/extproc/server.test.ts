import { existsSync, mkdtempSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { connect as connectTo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Client, type ClientReadableStream, credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { externalProcessor, health, type ProcessingRequest } from '../../src/extproc/protocol.ts';
import { openServer, type ProcessorServer, type ServerOptions } from '../../src/extproc/server.ts';
import { claimSocket } from '../../src/supervisor/socket.ts';

let folder: string;
let socket: string;
let client: Client | undefined;
const servers: ProcessorServer[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanekeeper-server-'));
  socket = join(folder, 'extproc.sock');
});
afterEach(async () => {
  client?.close();
  client = undefined;
  await Promise.all(servers.splice(0).map((server) => server.close(0)));
  rmSync(folder, { recursive: true, force: true });
});

const nothing = { label: undefined, reason: 'none', set: [], remove: [] } as const;

async function open(options: Partial<ServerOptions> = {}): Promise<ProcessorServer> {
  const server = await openServer({ socket, decide: () => ({ decision: nothing }), onFailure: () => {}, ...options });
  servers.push(server);
  return server;
}

function methodOf(service: typeof health, name: string) {
  const method = service[name];
  if (method === undefined) throw new Error(`no method ${name}`);
  return method;
}

function connect(): Client {
  client ??= new Client(`unix:${socket}`, credentials.createInsecure());
  return client;
}

function check(): Promise<unknown> {
  const { path, requestSerialize, responseDeserialize } = methodOf(health, 'Check');
  return new Promise((resolve, reject) =>
    connect().makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, (error, value) =>
      error ? reject(error) : resolve(value),
    ),
  );
}

/** A watch of the health: what it said so far, and its end. */
function watch() {
  const { path, requestSerialize, responseDeserialize } = methodOf(health, 'Watch');
  const call: ClientReadableStream<{ status: string }> = connect().makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    {},
  );
  const said: string[] = [];
  call.on('data', ({ status }) => said.push(status));
  const ended = new Promise<string>((resolve) => {
    call.once('end', () => resolve('ended'));
    call.once('error', (error) => resolve(String(error)));
  });
  return { said, ended, cancel: () => call.cancel() };
}

function converse() {
  const { path, requestSerialize, responseDeserialize } = methodOf(externalProcessor, 'Process');
  const call = connect().makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const replies: unknown[] = [];
  call.on('data', (reply) => replies.push(reply));
  const ended = new Promise<string>((resolve) => {
    call.once('end', () => resolve('ended'));
    call.once('error', (error) => resolve(String(error)));
  });
  return { call, replies, ended };
}

const headers: ProcessingRequest = { requestHeaders: { headers: { headers: [{ key: ':path', value: '/' }] } } };

describe('the socket of the processor', () => {
  const mode = () => statSync(socket).mode & 0o777;

  test('is for this user alone, and the mask of this process is what it was', async () => {
    const mask = process.umask();
    await open();
    expect(mode()).toBe(0o600);
    expect(process.umask()).toBe(mask);
  });

  test('with a group is for that one too', async () => {
    const [socketGroup = 0] = [process.getgid?.()];
    await open({ socketGroup });
    expect(mode()).toBe(0o660);
    expect(statSync(socket).gid).toBe(socketGroup);
  });

  test('that cannot be given to its group is closed and removed again', async () => {
    await expect(open({ socketGroup: 2 ** 33 })).rejects.toThrow(`${socket} cannot be given to group 8589934592`);
    expect(existsSync(socket)).toBe(false);
  });

  test('is removed when the server is closed', async () => {
    await (await open()).close(1_000);
    expect(existsSync(socket)).toBe(false);
  });
});

describe('a path is claimed for a socket', () => {
  test('where a dead process left one, or a file', async () => {
    writeFileSync(socket, '');
    (await claimSocket(socket, { replace: false })).publish();
    expect(readlinkSync(socket)).toBe(basename(`${socket}.${process.pid}`));
    (await open({ socket: `${socket}.${process.pid}` })).setServing(true);
    expect(await check()).toEqual({ status: 'SERVING' });
  });

  test('but not where somebody listens: the message says what to do, and the socket stays', async () => {
    const other = createServer().listen(socket);
    await new Promise((resolve) => other.once('listening', resolve));
    await expect(claimSocket(socket, { replace: false })).rejects.toThrow(
      `${socket}: another process is serving here; give each sidecar a --run-dir of its own, or --take-over yes`,
    );
    expect(existsSync(socket)).toBe(true);
    other.close();
  });

  test('but not where it is longer than the system allows', async () => {
    const long = join(folder, 'x'.repeat(120));
    await expect(claimSocket(long, { replace: false })).rejects.toThrow(
      `${long}.${process.pid}: the path of a socket must not exceed 107 bytes; choose a shorter --run-dir`,
    );
  });
});

describe('the health of the processor', () => {
  test('is not serving before it is said to be', async () => {
    const server = await open();
    expect(await check()).toEqual({ status: 'NOT_SERVING' });
    server.setServing(true);
    expect(await check()).toEqual({ status: 'SERVING' });
  });

  test('is told to watchers at once and at each change, and a watcher that is gone does no harm', async () => {
    const server = await open();
    const [stays, leaves] = [watch(), watch()];
    await vi.waitFor(() => expect([stays.said, leaves.said]).toEqual([['NOT_SERVING'], ['NOT_SERVING']]));
    leaves.cancel();
    await leaves.ended;
    server.setServing(true);
    await vi.waitFor(() => expect(stays.said).toEqual(['NOT_SERVING', 'SERVING']));
    expect(await check()).toEqual({ status: 'SERVING' });
  });
});

describe('closing', () => {
  test('tells watchers and ends their streams', async () => {
    const server = await open();
    server.setServing(true);
    const watcher = watch();
    await vi.waitFor(() => expect(watcher.said).toEqual(['SERVING']));
    await server.close(10_000);
    expect(await watcher.ended).toBe('ended');
    expect(watcher.said).toEqual(['SERVING', 'NOT_SERVING']);
  });

  test('waits for open conversations, which are still answered', async () => {
    const server = await open();
    const { call, replies, ended } = converse();
    call.write(headers);
    await vi.waitFor(() => expect(replies).toHaveLength(1));
    let closed = false;
    const closing = server.close(10_000).then(() => {
      closed = true;
    });
    call.write({ responseHeaders: {} });
    await vi.waitFor(() => expect(replies).toHaveLength(2));
    expect(closed).toBe(false);
    call.end();
    expect(await ended).toBe('ended');
    await closing;
  });

  test('does not wait longer than it may', async () => {
    const server = await open();
    const { call, replies, ended } = converse();
    call.write(headers);
    await vi.waitFor(() => expect(replies).toHaveLength(1));
    const begun = performance.now();
    await server.close(100);
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(await ended).toMatch(/^Error: /);
  });
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** A gRPC frame of a message. */
function frame(message: ProcessingRequest): Buffer {
  const bytes = methodOf(externalProcessor, 'Process').requestSerialize(message);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

describe('an Envoy that resets every stream', () => {
  let session: http2.ClientHttp2Session;
  const seen: string[] = [];
  beforeEach(async () => {
    seen.length = 0;
    await open();
    session = http2.connect('http://processor', { createConnection: () => connectTo(socket) });
    for (const event of ['goaway', 'close', 'error']) session.on(event, () => seen.push(event));
  });
  afterEach(() => session.destroy());

  /** One conversation; resolves to the size of the answer, after a reset where `reset`. */
  function ask({ reset }: { reset: boolean }): Promise<number> {
    const { path } = methodOf(externalProcessor, 'Process');
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    return new Promise((resolve, reject) => {
      let size = 0;
      stream.on('error', reject);
      stream.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (reset) stream.close(http2.constants.NGHTTP2_CANCEL);
      });
      stream.once('close', () => resolve(size));
      stream.write(frame(headers));
      if (!reset) stream.end();
    });
  }

  async function resets(count: number): Promise<void> {
    for (let done = 0; done < count; done += 50)
      await Promise.all(Array.from({ length: 50 }, () => ask({ reset: true })));
  }

  test('keeps its one connection for 5,000 of them, the next one is answered, and memory does not grow with them', async () => {
    const heap = () => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    await resets(1_000);
    const before = heap();
    await resets(5_000);
    expect(seen).toEqual([]);
    expect(await ask({ reset: false })).toBeGreaterThan(5);
    // A leak of a stream would be tens of kilobytes for each of them.
    const grown = (heap() - before) / 5_000;
    expect(grown).toBeLessThan(1_024);
  });
});

test.each([
  ['has said nothing', ''],
  ['has begun to speak HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'],
])('a peer that %s and never closes its end does not keep the server open', async (_, said) => {
  const server = await open();
  const peer = connectTo({ path: socket, allowHalfOpen: true }).on('error', () => undefined);
  await new Promise((resolve) => peer.write(said, 'latin1', resolve));
  try {
    const closed = server.close(100).then(() => 'closed');
    expect(await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 3_000, 'still open'))])).toBe(
      'closed',
    );
  } finally {
    peer.destroy();
  }
});
