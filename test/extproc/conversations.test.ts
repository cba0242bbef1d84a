// Every file of test/conversations is a promise: messages in, replies out, over a real gRPC stream on a Unix socket.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, type ClientDuplexStream, credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createDecider } from '../../src/decision/decide.ts';
import {
  externalProcessor,
  type Header,
  type ProcessingRequest,
  type ProcessingResponse,
} from '../../src/extproc/protocol.ts';
import { openServer, type ProcessorServer } from '../../src/extproc/server.ts';
import { createAssembler } from '../../src/mesh/assemble.ts';
import type { Workload } from '../../src/mesh/workload.ts';
import { createMemory } from '../../src/propagation/memory.ts';
import type { TraceId } from '../../src/propagation/trace.ts';
import type { Label } from '../../src/traffic/label.ts';

type Fixture = {
  readonly promise: string;
  readonly direction: string | null;
  readonly metadata?: Record<string, string>;
  /** What is remembered before, and must be remembered after. */
  readonly memory?: Record<string, string>;
  readonly remembered?: Record<string, string>;
  readonly messages: readonly Record<string, unknown>[];
  readonly replies: readonly unknown[];
};

const folder = fileURLToPath(new URL('../conversations', import.meta.url));
const fixtures = readdirSync(folder).map((file): [string, Fixture] => {
  const fixture = parse(readFileSync(join(folder, file), 'utf8')) as Fixture;
  return [fixture.promise, fixture];
});

const workload: Workload = {
  name: 'test',
  namespace: 'default',
  labels: { app: 'spring-cloud-zuul' },
  propagation: 'trace',
  edgeTrace: 'strip',
  inbound: [],
  outbound: [],
};
const rulesFile = fileURLToPath(new URL('../../src/demo/rules/traffic-label-rule.yaml', import.meta.url));
const { mesh } = createAssembler()([{ file: rulesFile, text: readFileSync(rulesFile, 'utf8') }]);

let run: string;
beforeAll(() => {
  run = mkdtempSync(join(tmpdir(), 'lanekeeper-conversations-'));
});
afterAll(() => rmSync(run, { recursive: true, force: true }));

test.each(fixtures)('%s', async (_, fixture) => {
  const memory = createMemory({ maxEntries: 10, maxBytes: 10_000, ttlMs: 60_000, now: Date.now });
  for (const [id, label] of Object.entries(fixture.memory ?? {})) memory.remember([id as TraceId], label as Label);
  const decider = createDecider({ workload, memory, random: (bytes) => new Uint8Array(bytes).fill(1) });
  decider.use(mesh);
  const socket = join(run, 'extproc.sock');
  const failures: unknown[] = [];
  const server = await openServer({
    socket,
    decide: (question) => ({ decision: decider.decide(question) }),
    onFailure: (error) => failures.push(error),
  });
  try {
    expect(await converse(socket, fixture)).toEqual(fixture.replies);
    expect(failures).toEqual([]);
    for (const [id, label] of Object.entries(fixture.remembered ?? {}))
      expect(memory.recall([id as TraceId])).toMatchObject({ outcome: 'label', label });
  } finally {
    await close(server);
  }
});

test('an exception while deciding lets the request go on unchanged, and is reported', async () => {
  const socket = join(run, 'extproc.sock');
  const failures: unknown[] = [];
  const decide = () => {
    throw new Error('a mistake of ours');
  };
  const server = await openServer({ socket, decide, onFailure: (error) => failures.push(error) });
  try {
    const messages = [{ requestHeaders: { headers: { headers: [{ key: ':path', rawValue: '/' }] } } }];
    expect(await converse(socket, { promise: '', direction: 'inbound', messages, replies: [] })).toEqual([
      { requestHeaders: {} },
    ]);
    expect(failures).toEqual([new Error('a mistake of ours')]);
  } finally {
    await close(server);
  }
});

const close = (server: ProcessorServer) => server.close(1_000);

async function converse(socket: string, { direction, metadata, messages }: Fixture): Promise<unknown[]> {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = externalProcessor['Process'] as NonNullable<
    (typeof externalProcessor)[string]
  >;
  const sent = new Metadata();
  if (direction !== null) sent.set('lanekeeper-direction', direction);
  for (const [key, value] of Object.entries(metadata ?? {})) sent.set(key, value);
  const call: ClientDuplexStream<ProcessingRequest, ProcessingResponse> = client.makeBidiStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    sent,
  );
  const replies: unknown[] = [];
  const ended = new Promise((resolve, reject) => call.on('end', resolve).on('error', reject));
  call.on('data', (reply: ProcessingResponse) => replies.push(readable(reply)));
  for (const message of messages) call.write(withBytes(message) as ProcessingRequest);
  call.end();
  await ended;
  client.close();
  return replies;
}

/** Fixtures hold texts where messages hold bytes. */
function withBytes(value: unknown, key = ''): unknown {
  if (typeof value === 'string') return key === 'rawValue' || key === 'body' ? Buffer.from(value, 'latin1') : value;
  if (Array.isArray(value)) return value.map((item) => withBytes(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withBytes(inner, name)]));
}

/** A reply as fixtures write it: headers as `name: value`, metadata of our namespace as plain fields. */
function readable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== 'object' || value === null) return value;
  if ('header' in value) {
    const { key = '', rawValue } = value.header as Header;
    return { [key]: rawValue?.toString('latin1') };
  }
  const entries = Object.entries(value).filter(([name, inner]) => inner !== undefined && !isMark(name, value));
  return Object.fromEntries(
    entries.map(([name, inner]) => [name, name === 'dynamicMetadata' ? metadataOf(inner) : readable(inner)]),
  );
}

/** proto-loader says which part of a oneof is set in a field of its own: `response: 'requestHeaders'`. */
function isMark(name: string, owner: object): boolean {
  const value = (owner as Record<string, unknown>)[name];
  return typeof value === 'string' && value in owner;
}

function metadataOf(value: unknown): unknown {
  const { fields } = value as {
    fields: { lanekeeper: { structValue: { fields: Record<string, { stringValue: string }> } } };
  };
  return Object.fromEntries(
    Object.entries(fields.lanekeeper.structValue.fields).map(([name, { stringValue }]) => [name, stringValue]),
  );
}
