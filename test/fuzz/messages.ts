import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceDefinition } from '@grpc/grpc-js';
import fc from 'fast-check';
import { externalProcessor, health, type ProcessingRequest } from '../../src/extproc/protocol.ts';
import { openServer, type ProcessorServer } from '../../src/extproc/server.ts';
import { directions } from '../../src/traffic/agreement.ts';
import { headerValue } from './arbitrary.ts';
import { fuzzedDecider, headerList } from './headers.ts';
import type { Target } from './targets.ts';

const Process = methodOf(externalProcessor, 'Process');
const Check = methodOf(health, 'Check');

const trailers = fc.record({ trailers: fc.record({ headers: headerList }) });
const body = fc.record({
  body: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
  endOfStream: fc.boolean(),
});
const known: fc.Arbitrary<ProcessingRequest> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ requestHeaders: fc.record({ headers: fc.record({ headers: headerList }) }) }) },
  fc.record({ responseHeaders: fc.record({ headers: fc.record({ headers: headerList }) }) }),
  fc.record({ requestBody: body }),
  fc.record({ responseBody: body }),
  fc.record({ requestTrailers: trailers }),
  fc.record({ responseTrailers: trailers }),
);

/** A frame of gRPC: a flag, a length and a message; any of them wrong. */
const broken = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => frame(Buffer.from(bytes))),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  fc
    .tuple(known, fc.nat(200), fc.integer({ min: 1, max: 255 }))
    .map(([message, at, bit]) => flipped(frame(Process.requestSerialize(message)), at, bit)),
  fc.tuple(known, fc.nat(60)).map(([message, cut]) => frame(Process.requestSerialize(message)).subarray(0, cut)),
  fc.constantFrom(0x7fffffff, 0xffffffff, 4 * 1024 * 1024 + 1).map((length) => frame(Buffer.alloc(0), { length })),
  known.map((message) => frame(Process.requestSerialize(message), { flag: 1 })),
);

type Conversation = {
  readonly direction: string;
  readonly traceparent: string;
  readonly messages: readonly ProcessingRequest[];
  /** Sent after the messages; the stream is of no use from then on. */
  readonly rubbish: Buffer | undefined;
  /** Where the bytes are parted into frames of HTTP/2. */
  readonly cut: number;
  readonly end: 'end' | 'reset';
};

const conversation: fc.Arbitrary<Conversation> = fc.record({
  direction: fc.constantFrom(...directions, 'nowhere', ''),
  // More than 64 kB of headers end a stream of HTTP/2 before anybody of ours sees it.
  traceparent: headerValue.map((value) => value.replace(/[^!-~]/g, '').slice(0, 1000)),
  messages: fc.array(known, { maxLength: 5 }),
  rubbish: fc.option(broken, { nil: undefined }),
  cut: fc.integer({ min: 1, max: 400 }),
  end: fc.constantFrom('end', 'end', 'end', 'reset'),
});

/** Bytes that are no HTTP/2 at all, or stop being it. */
const noise = fc.oneof(
  fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
  fc
    .uint8Array({ maxLength: 80 })
    .map((bytes) => Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from(bytes)])),
);

let folder = '';
let server: ProcessorServer;
let session: http2.ClientHttp2Session | undefined;
const failures: unknown[] = [];

export const messagesTarget: Target = {
  promise: 'every known message has exactly one reply of its kind, and no bytes end the server',
  weight: 2,
  async open() {
    const { decider } = fuzzedDecider();
    folder = mkdtempSync(join(tmpdir(), 'lanekeeper-fuzz-'));
    server = await openServer({
      socket: join(folder, 'extproc.sock'),
      decide: (question) => ({ decision: decider.decide(question) }),
      onFailure: (error) => failures.push(error),
    });
    server.setServing(true);
  },
  async close() {
    session?.destroy();
    await server.close(1_000);
    rmSync(folder, { recursive: true });
  },
  property: fc.asyncProperty(
    fc.array(conversation, { minLength: 1, maxLength: 4 }),
    fc.option(noise, { nil: undefined, freq: 1 }),
    async (all, raw) => {
      renewSession();
      if (raw !== undefined) await send(raw);
      for (const [index, { replies, code }] of (await Promise.all(all.map(converse))).entries()) {
        const { messages, rubbish, end } = all[index] as Conversation;
        const expected = messages.map(kindOf);
        const got = replies.map(kindOf);
        // What was said before the rubbish may be answered before or after it is seen; nothing is answered twice.
        if (rubbish === undefined && end === 'end') {
          assert.deepEqual({ got, code }, { got: expected, code: '0' });
        } else {
          assert.deepEqual(got.slice(0, expected.length), expected.slice(0, got.length));
          assert.ok(got.length <= expected.length + 1, 'rubbish may happen to be a message, of one reply');
        }
      }
      assert.deepEqual(failures, []);
      assert.equal(await isServing(), true);
    },
  ) as Target['property'],
};

function methodOf(service: ServiceDefinition, name: string) {
  const method = service[name];
  if (method === undefined) throw new Error(`no method ${name}`);
  return method;
}

function kindOf(message: object): string {
  return (
    Object.entries(message).find(
      ([name, value]) => value && /^(request|response)(Headers|Body|Trailers)$/.test(name),
    )?.[0] ?? 'none'
  );
}

function frame(message: Buffer, { flag = 0, length = message.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

function flipped(bytes: Buffer, at: number, bits: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at % copy.length) ^ bits, at % copy.length);
  return copy;
}

/**
 * A connection for some hundred streams: Node's client goes on counting what it wrote to a stream that it reset, and at
 * 10 MB it refuses to open any more (nothing of that reaches the server). Between runs only: it refuses as well what it
 * has not sent yet when it is closed.
 */
function renewSession(): void {
  if (session !== undefined && !session.closed && !session.destroyed && (session.state.nextStreamID ?? 0) < 1000)
    return;
  session?.close();
  session = http2.connect('http://localhost', { createConnection: () => connect(join(folder, 'extproc.sock')) });
  session.on('error', () => undefined);
}

/**
 * Says everything and waits for the end; a stream that does not end is a finding. Behind rubbish it is cut after a while,
 * as Envoy does: grpc-js writes behind its own end where a message before the rubbish is answered late, and never ends.
 */
function converse({ direction, traceparent, messages, rubbish, cut, end }: Conversation) {
  const bytes = Buffer.concat([
    ...messages.map((message) => frame(Process.requestSerialize(message))),
    rubbish ?? Buffer.alloc(0),
  ]);
  return exchange({
    path: Process.path,
    headers: { 'lanekeeper-direction': direction, traceparent },
    chunks: Array.from({ length: Math.ceil(bytes.length / cut) }, (_, index) =>
      bytes.subarray(index * cut, (index + 1) * cut),
    ),
    end: rubbish !== undefined && end === 'end' ? 'wait' : end,
  }).then(({ messages: replies, code }) => ({
    replies: replies.map((reply) => Process.responseDeserialize(reply) as object),
    code,
  }));
}

async function isServing(): Promise<boolean> {
  const request = { path: Check.path, headers: {}, chunks: [frame(Buffer.alloc(0))], end: 'end' } as const;
  const { messages } = await exchange(request);
  return messages[0]?.equals(Buffer.from([8, 1])) === true;
}

type Exchange = {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly chunks: readonly Buffer[];
  readonly end: 'end' | 'wait' | 'reset';
};

function exchange({ path, headers, chunks, end }: Exchange): Promise<{ messages: Buffer[]; code: string }> {
  assert.ok(session, 'renewed at the start of the run');
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('a stream without an end')), 5_000);
    const parts: Buffer[] = [];
    let code = '';
    stream.on('response', ({ 'grpc-status': status }) => {
      code = String(status ?? code);
    });
    stream.on('trailers', ({ 'grpc-status': status }) => {
      code = String(status ?? code);
    });
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', () => undefined);
    stream.on('close', () => {
      clearTimeout(late);
      resolve({ messages: unframed(Buffer.concat(parts)), code: code || `reset ${stream.rstCode}` });
    });
    for (const chunk of chunks) stream.write(chunk);
    const cut = () => stream.close(http2.constants.NGHTTP2_CANCEL);
    if (end === 'reset') setImmediate(cut);
    else stream.end();
    if (end === 'wait') setTimeout(cut, 30).unref();
  });
}

function unframed(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    messages.push(bytes.subarray(at + 5, end));
    at = end;
  }
  return messages;
}

/** On a connection of its own. */
function send(bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(join(folder, 'extproc.sock'), () => socket.end(bytes));
    socket.on('error', () => undefined).on('close', () => resolve());
    socket.resume();
    socket.setTimeout(20, () => socket.destroy());
  });
}
