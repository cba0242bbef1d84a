import http2 from 'node:http2';
import { join } from 'node:path';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { envoyAdmin } from '../../src/supervisor/admin.ts';
import { echoService, startGrpc, startHttp2 } from './http2-applications.ts';
import { startWorld, type World } from './world.ts';

const traceparent = () => `00-${crypto.randomUUID().replaceAll('-', '')}-00f067aa0ba902b7-01`;

/** Through the gateway a rule labels; the client's application sends the label itself. Each to base and to the lane. */
const ways: [way: string, member: string, port: (world: World) => number, headers: () => Record<string, string>][] = [
  ['through the gateway, to base', 'b-base', (world) => world.gatewayPort, () => ({})],
  ['through the gateway, to the lane', 'b-gray', (world) => world.gatewayPort, () => ({ location: 'cn-shenzhen' })],
  ['from a client, to base', 'b-base', portOfClient, () => ({ traceparent: traceparent() })],
  [
    'from a client, to the lane',
    'b-gray',
    portOfClient,
    () => ({ traceparent: traceparent(), 'x-opensergo-traffic': 'gray' }),
  ],
];

/** Labels that alternate on one connection; `blue` has no lane. */
const alternating: [label: string | undefined, member: string][] = [
  ['gray', 'b-gray'],
  [undefined, 'b-base'],
  ['blue', 'b-base'],
];

const world = {
  members: [
    { service: 'a', sidecar: true, calls: 'b' },
    { service: 'b', sidecar: true },
    { service: 'b', label: 'gray', sidecar: true },
  ],
  gateway: { app: 'gateway' },
  processes: ['gateway', 'a-base'], // a processor that shares a busy process is late
  client: {},
  rules: `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: header }
spec: { selector: { app: gateway }, trafficLabel: gray, match: [{ condition: "==", type: header, key: location, value: cn-shenzhen }] }`,
};

function portOfClient({ outboundPorts }: World): number {
  return outboundPorts.get('a') ?? 0;
}

const connectionsOfClient = async (running: World) => {
  const stats = await envoyAdmin(join(running.find('client').folder, 'admin.sock')).get(
    '/stats?filter=^http.outbound.downstream_cx_total$',
  );
  return Number(stats.split(': ')[1]);
};

describe('gRPC, two hops of which the first forwards its trace only', () => {
  let running: World;
  beforeAll(async () => {
    running = await startWorld({ ...world, application: startGrpc, protocols: { a: 'grpc', b: 'grpc' } });
  });
  afterAll(() => running?.close());
  afterEach(() => running.fallbacksAgree());

  const open = (port: number) => new Client(`127.0.0.1:${port}`, credentials.createInsecure());

  test.each(ways)('a call and its answer, %s', async (_, member, port, headers) => {
    const client = open(port(running));
    expect(await unary(client, headers(), 'hello')).toBe(`${member}:hello`);
    expect(await unary(client, headers(), 'x'.repeat(1_000_000))).toHaveLength(member.length + 1 + 1_000_000);
    client.close();
  });

  test.each(ways)('an error keeps its code and its words, %s', async (_, member, port, headers) => {
    const client = open(port(running));
    const error = await unary(client, headers(), 'fail').catch((thrown: ServiceError) => thrown);
    expect(error).toMatchObject({ code: status.NOT_FOUND, details: `${member} has none` });
    client.close();
  });

  test.each(ways)('a stream in both directions, message by message, %s', async (_, member, port, headers) => {
    const client = open(port(running));
    const { path, requestSerialize, responseDeserialize } = echoService.Chat;
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadataOf(headers()));
    for (const text of ['one', 'two', 'three']) {
      const echoed = new Promise((resolve, reject) => call.once('data', resolve).once('error', reject));
      call.write(Buffer.from(text));
      expect(String(await echoed), 'each answer comes before the next message').toBe(`${member}:${text}`);
    }
    const ended = new Promise((resolve) => call.on('status', resolve));
    call.end();
    expect(await ended).toMatchObject({ code: status.OK });
    client.close();
  });

  test('calls with different labels on one connection, each to its own lane', async () => {
    const before = await connectionsOfClient(running);
    const client = open(portOfClient(running));
    const calls = Array.from({ length: 150 }, async (_, index) => {
      const [label, member] = alternating[index % alternating.length] ?? [];
      const headers = { traceparent: traceparent(), ...(label !== undefined && { 'x-opensergo-traffic': label }) };
      expect(await unary(client, headers, `${index}`)).toBe(`${member}:${index}`);
    });
    await Promise.all(calls);
    expect(await connectionsOfClient(running)).toBe(before + 1);
    client.close();
  });

  test('streams with different labels, open at once on one connection, each in its own lane', async () => {
    const client = open(portOfClient(running));
    const { path, requestSerialize, responseDeserialize } = echoService.Chat;
    const chats = alternating.map(([label, member]) => {
      const headers = { traceparent: traceparent(), ...(label !== undefined && { 'x-opensergo-traffic': label }) };
      const metadata = metadataOf(headers);
      return { member, call: client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata) };
    });
    for (let round = 0; round < 5; round += 1) {
      for (const { member, call } of chats) {
        const echoed = new Promise((resolve, reject) => call.once('data', resolve).once('error', reject));
        call.write(Buffer.from(`${round}`));
        expect(String(await echoed)).toBe(`${member}:${round}`);
      }
    }
    for (const { call } of chats) call.end();
    client.close();
  });
});

function metadataOf(headers: Record<string, string>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}

function unary(client: Client, headers: Record<string, string>, text: string): Promise<string> {
  const { path, requestSerialize, responseDeserialize } = echoService.Unary;
  return new Promise((resolve, reject) =>
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      Buffer.from(text),
      metadataOf(headers),
      (error: ServiceError | null, value?: Buffer) => (error ? reject(error) : resolve(String(value))),
    ),
  );
}

describe('HTTP/2 without TLS, two hops of which the first forwards its trace only', () => {
  let running: World;
  beforeAll(async () => {
    running = await startWorld({ ...world, application: startHttp2, protocols: { a: 'http2', b: 'http2' } });
  });
  afterAll(() => running?.close());

  test.each(ways)('a body and trailers both ways, %s', async (_, member, port, headers) => {
    const session = http2.connect(`http://127.0.0.1:${port(running)}`);
    for (const total of [0, 1, 2_000_000]) {
      const got = await exchange(session, { ...headers() }, total);
      expect(got).toMatchObject({ status: 200, trailers: { 'x-checksum': 'from-b' } });
      expect(JSON.parse(got.body)).toEqual({ member, bytes: total, trailer: 'from-client' });
    }
    session.close();
  });

  test('streams with different labels on one connection, each to its own lane; one that is cut harms no other', async () => {
    const before = await connectionsOfClient(running);
    const session = http2.connect(`http://127.0.0.1:${portOfClient(running)}`);
    const streams = Array.from({ length: 90 }, async (_, index) => {
      const [label, member] = alternating[index % alternating.length] ?? [];
      const headers = { traceparent: traceparent(), ...(label !== undefined && { 'x-opensergo-traffic': label }) };
      if (index % 10 === 9) {
        const cut = session.request({ ':method': 'POST', ':path': '/a', ...headers });
        cut.on('error', () => undefined);
        cut.write('half');
        cut.close(http2.constants.NGHTTP2_CANCEL);
        return;
      }
      expect(JSON.parse((await exchange(session, headers, 1000)).body)).toMatchObject({ member, bytes: 1000 });
    });
    await Promise.all(streams);
    expect(await connectionsOfClient(running)).toBe(before + 1);
    session.close();
  });
});

/** One POST with a trailer; what came back. */
async function exchange(session: http2.ClientHttp2Session, headers: Record<string, string>, total: number) {
  const stream = session.request({ ':method': 'POST', ':path': '/a', ...headers }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'from-client' }));
  const answered = new Promise<number>((resolve, reject) =>
    stream.on('response', ({ ':status': code }) => resolve(Number(code))).on('error', reject),
  );
  let trailers: Record<string, unknown> = {};
  stream.on('trailers', (given) => {
    trailers = { ...given };
  });
  stream.end(Buffer.alloc(total, 'x'));
  const code = await answered;
  let body = '';
  for await (const chunk of stream) body += chunk;
  return { status: code, trailers, body };
}
