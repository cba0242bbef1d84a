import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { envoyAdmin } from '../../src/supervisor/admin.ts';
import { big, createSignals, startHttp } from './protocol-applications.ts';
import { startWorld, type World } from './world.ts';

const trace = () => ({ traceparent: `00-${crypto.randomUUID().replaceAll('-', '')}-00f067aa0ba902b7-01` });

/** Through the gateway a rule labels; the client's application sends the label itself. Each to base and to the lane. */
const ways: [way: string, member: string, port: (world: World) => number, headers: () => Record<string, string>][] = [
  ['through the gateway, to base', 'b-base', (world) => world.gatewayPort, () => ({})],
  ['through the gateway, to the lane', 'b-gray', (world) => world.gatewayPort, () => ({ location: 'cn-shenzhen' })],
  ['from a client, to base', 'b-base', (world) => world.outboundPorts.get('a') ?? 0, trace],
  [
    'from a client, to the lane',
    'b-gray',
    (world) => world.outboundPorts.get('a') ?? 0,
    () => ({ ...trace(), 'x-opensergo-traffic': 'gray' }),
  ],
];

const rules = `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: header }
spec: { selector: { app: gateway }, trafficLabel: gray, match: [{ condition: "==", type: header, key: location, value: cn-shenzhen }] }`;

type Sent = {
  readonly port: number;
  readonly method?: string;
  readonly path?: string;
  readonly headers: Record<string, string>;
  readonly body?: Iterable<Buffer> | AsyncIterable<Buffer>;
  readonly trailers?: Record<string, string>;
  readonly agent?: Agent;
};

type Got = {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly trailers: Record<string, unknown>;
  readonly body: Buffer;
  readonly continued: boolean;
};

async function send({ port, method = 'POST', path = '/a', headers, body = [], trailers, agent }: Sent): Promise<Got> {
  const outgoing = request({ host: '127.0.0.1', port, method, path, headers, ...(agent && { agent }) });
  let continued = false;
  const answered = new Promise<Got>((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.on('response', async (incoming) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const { statusCode = 0, headers: given, trailers: last } = incoming;
      resolve({ status: statusCode, headers: given, trailers: last, body: Buffer.concat(chunks), continued });
    });
  });
  if (headers['expect'] !== undefined) {
    outgoing.flushHeaders();
    await new Promise<void>((resolve) => outgoing.once('continue', resolve));
    continued = true;
  }
  for await (const chunk of body) {
    // Who answers early may read no more.
    if (!outgoing.write(chunk))
      await Promise.race([answered, new Promise((resolve) => outgoing.once('drain', resolve))]);
  }
  if (trailers) outgoing.addTrailers(trailers);
  outgoing.end();
  return answered;
}

const json = ({ body }: Got) => JSON.parse(body.toString());

function* bytes(total: number): Generator<Buffer> {
  for (let sent = 0; sent < total; sent += 65_536) yield Buffer.alloc(Math.min(65_536, total - sent), sent % 251);
}

function digest(total: number): string {
  const hash = createHash('sha256');
  for (const chunk of bytes(total)) hash.update(chunk);
  return hash.digest('hex');
}

describe('HTTP/1, two hops of which the first forwards its trace only,', () => {
  let world: World;
  let signals = createSignals();
  beforeAll(async () => {
    world = await startWorld({
      members: [
        { service: 'a', sidecar: true, calls: 'b' },
        { service: 'b', sidecar: true },
        { service: 'b', label: 'gray', sidecar: true },
      ],
      gateway: { app: 'gateway' },
      client: {},
      rules,
      application: (options) => startHttp(options, () => signals),
      processes: ['gateway', 'a-base'], // a processor that shares a busy process is late
    });
  });
  afterAll(() => world?.close());

  describe.each(ways)('%s:', (_, member, portOf, headers) => {
    afterEach(() => world.fallbacksAgree());

    test.each([0, 1, 1_048_576, 3_000_000])('a body of %i bytes', async (total) => {
      const sent = { ...headers(), 'content-length': String(total) };
      const got = await send({ port: portOf(world), headers: sent, body: bytes(total) });
      expect(got.status).toBe(200);
      expect(json(got)).toMatchObject({ member, method: 'POST', bytes: total, sha256: digest(total) });
    });

    test('a body in chunks of unknown length', async () => {
      const got = await send({ port: portOf(world), headers: headers(), body: bytes(300_000) });
      expect(json(got)).toMatchObject({ member, bytes: 300_000, sha256: digest(300_000) });
    });

    test('a body that waits for 100 (Continue)', async () => {
      const sent = { ...headers(), expect: '100-continue', 'content-length': '5' };
      const got = await send({ port: portOf(world), headers: sent, body: [Buffer.from('hello')] });
      expect(got.continued).toBe(true);
      expect(json(got)).toMatchObject({ member, bytes: 5 });
    });

    test('HEAD', async () => {
      const got = await send({ port: portOf(world), method: 'HEAD', headers: headers() });
      expect(got).toMatchObject({ status: 200, headers: { 'x-member': member } });
      expect(Number(got.headers['content-length'])).toBeGreaterThan(0);
      expect(got.body.length).toBe(0);
    });

    test('OPTIONS', async () => {
      const got = await send({ port: portOf(world), method: 'OPTIONS', headers: headers() });
      expect(json(got)).toMatchObject({ member, method: 'OPTIONS' });
    });

    test('trailers, both ways', async () => {
      const got = await send({
        port: portOf(world),
        path: '/a/trailers',
        headers: { ...headers(), trailer: 'x-sum', te: 'trailers' },
        body: bytes(10),
        trailers: { 'x-sum': 'from-client' },
      });
      expect(json(got)).toMatchObject({ member, bytes: 10, trailers: { 'x-sum': 'from-client' } });
      expect(got.trailers).toEqual({ 'x-checksum': 'from-b' });
    });

    test('a response of 20 MB', async () => {
      const got = await send({ port: portOf(world), method: 'GET', path: '/a/big', headers: headers() });
      expect(got).toMatchObject({ status: 200, headers: { 'x-member': member } });
      expect(got.body.length).toBe(big);
    });

    test('server-sent events arrive while the response goes on', async () => {
      signals = createSignals();
      const events = await new Promise<string[]>((resolve, reject) => {
        const outgoing = request({ host: '127.0.0.1', port: portOf(world), path: '/a/events', headers: headers() });
        outgoing.on('error', reject).on('response', (incoming) => {
          const all: string[] = [];
          incoming.setEncoding('utf8').on('data', (text: string) => {
            all.push(text.trim());
            signals.release(); // b waits for it: without the first event there is no end
          });
          incoming.on('end', () => resolve(all));
        });
        outgoing.end();
      });
      expect(events).toEqual([`data: ${member}`, 'data: last']);
    });

    test('a WebSocket keeps its lane for life', async () => {
      const outgoing = request({
        host: '127.0.0.1',
        port: portOf(world),
        path: '/a',
        headers: { ...headers(), connection: 'Upgrade', upgrade: 'websocket' },
      });
      const [status, socket] = await new Promise<[number, Socket]>((resolve, reject) => {
        outgoing.on('error', reject).on('response', ({ statusCode = 0 }) => reject(new Error(`${statusCode}`)));
        outgoing.on('upgrade', (incoming, far) => resolve([incoming.statusCode ?? 0, far as Socket]));
        outgoing.end();
      });
      expect(status).toBe(101);
      for (const text of ['one', 'two', 'three']) {
        const echoed = new Promise((resolve) => socket.once('data', (data) => resolve(String(data))));
        socket.write(text);
        expect(await echoed).toBe(`${member}:${text}`);
        await send({ port: portOf(world), headers: {} });
      }
      socket.destroy();
    });

    test.each([
      ['with Host', 'host: a\r\n'],
      ['without Host', ''],
    ])('HTTP/1.0 %s', async (_name, host) => {
      const lines = Object.entries(headers()).map((pair) => `${pair.join(': ')}\r\n`);
      const answer = await raw(portOf(world), `GET /a HTTP/1.0\r\n${host}${lines.join('')}\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.[01] 200 OK\r\n/);
      expect(answer).toContain(`"member":"${member}"`);
    });

    test('CONNECT is refused: nobody tunnels through an Envoy that stands beside an application', async () => {
      const lines = Object.entries(headers()).map((pair) => `${pair.join(': ')}\r\n`);
      const answer = await raw(portOf(world), `CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n${lines.join('')}\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 501 Not Implemented\r\n/);
      expect(answer).toContain('x-lanekeeper-reason: CONNECT is not served\r\n');
    });

    test('a client that goes away in the middle of its request is gone at the end of the chain too, and harms nobody', async () => {
      signals = createSignals();
      const before = world.seen.filter((seen) => seen.member === member).length;
      const outgoing = request({
        host: '127.0.0.1',
        port: portOf(world),
        path: '/a',
        method: 'POST',
        headers: headers(),
      });
      outgoing.on('error', () => undefined);
      outgoing.write('half');
      await vi.waitFor(() =>
        expect(world.seen.filter((seen) => seen.member === member).length).toBeGreaterThan(before),
      );
      outgoing.destroy();
      await vi.waitFor(() => expect(signals.aborted).toBe(1));
      expect(json(await send({ port: portOf(world), headers: headers() }))).toMatchObject({ member });
    });
  });
});

describe('a body beyond what is kept for a retry (1 MiB)', () => {
  let world: World;
  beforeAll(async () => {
    const members = [{ service: 'b' }, { service: 'b', label: 'gray' }];
    world = await startWorld({ members, client: {}, application: (options) => startHttp(options, createSignals) });
    await world.applications.get('b-gray')?.kill();
  });
  afterAll(() => world?.close());

  const slowly = { timeout: 10_000 };
  const total = 3_000_000;
  const whole = { member: 'b-base', bytes: total, sha256: digest(total) };
  const post = (body: Sent['body'] = bytes(total)) =>
    send({ port: world.outboundPorts.get('b') ?? 0, headers: { 'x-opensergo-traffic': 'gray' }, body });
  const admin = () => envoyAdmin(join(world.find('client').folder, 'admin.sock'));
  const eject = (percent: number) =>
    admin().post(`/runtime_modify?outlier_detection.enforcing_consecutive_local_origin_failure=${percent}`);

  // Base is reached at the third attempt, within 20 ms: what has come by then decides.
  test('is a 503 with a reason while its lane refuses connections, if it comes sooner than base is reached', async () => {
    await eject(0);
    const answers: Got[] = [];
    const isRefused = async () => {
      answers.push(await post());
      expect(answers.at(-1)?.status).toBe(503);
    };
    await vi.waitFor(isRefused, slowly);
    const refused = answers.pop();
    expect(refused?.headers['x-lanekeeper-reason']).toMatch(/^(UF|body too large to be sent again) b\/gray$/);
    for (const got of answers) expect(json(got)).toMatchObject(whole);
  });

  test('is at base, all of it, where base is reached sooner', async () => {
    await eject(0);
    const before = world.seen.length;
    const atBase = () => vi.waitFor(() => expect(world.seen.length).toBeGreaterThan(before), slowly);
    async function* inParts(): AsyncGenerator<Buffer> {
      for (const [index, chunk] of [...bytes(total)].entries()) {
        if (index === 1) await atBase();
        yield chunk;
      }
    }
    expect(json(await post(inParts()))).toMatchObject(whole);
  });

  test('is at base once its lane is ejected', async () => {
    await eject(100);
    await vi.waitFor(async () => {
      await post([Buffer.from('small')]);
      expect(await admin().get('/stats?filter=b.gray.*membership_healthy')).toContain(
        'cluster.b|gray.membership_healthy: 0',
      );
    }, slowly);
    for (let times = 0; times < 5; times += 1) expect(json(await post())).toMatchObject(whole);
  });
});

describe('one connection that is kept, with alternating labels', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members: [
        { service: 'a', sidecar: true, calls: 'b' },
        { service: 'b', sidecar: true },
        { service: 'b', label: 'gray', sidecar: true },
      ],
      client: {},
      application: (options) => startHttp(options, createSignals),
      processes: ['client', 'a-base', 'b-gray'],
    });
  });
  afterAll(() => world?.close());

  test('700 requests, 0 in a wrong lane', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const labels = ['gray', undefined, 'blue', 'gray', 'gray', undefined, undefined];
    const wrong: string[] = [];
    for (let index = 0; index < 700; index += 1) {
      const label = labels[index % labels.length];
      const headers = { ...trace(), ...(label !== undefined && { 'x-opensergo-traffic': label }) };
      const { member } = json(await send({ port: world.outboundPorts.get('a') ?? 0, headers, agent }));
      if (member !== (label === 'gray' ? 'b-gray' : 'b-base')) wrong.push(`${index}: ${label} at ${member}`);
    }
    agent.destroy();
    expect(wrong).toEqual([]);
  });

  test('50 MB stream through, and the processors beside them do not grow', async () => {
    const total = 50 * 1024 * 1024;
    const memory = () => ['client', 'a-base', 'b-gray'].map((name) => residentBytes(world.find(name).pid));
    const headers = () => ({ ...trace(), 'x-opensergo-traffic': 'gray' });
    const port = world.outboundPorts.get('a') ?? 0;
    await send({ port, headers: headers(), body: bytes(1000) });
    const before = memory();
    const got = await send({ port, headers: headers(), body: bytes(total) });
    expect(json(got)).toMatchObject({ member: 'b-gray', bytes: total, sha256: digest(total) });
    for (const [index, now] of memory().entries()) expect(now - (before[index] ?? 0)).toBeLessThan(10 * 1024 * 1024);
  });
});

function residentBytes(pid: number): number {
  return 1024 * Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }));
}

/** Sends bytes and reads until the other side ends. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.setEncoding('utf8').on('data', (data) => {
      answer += data;
    });
    socket.setTimeout(3_000, () => socket.destroy());
    socket.on('error', reject).on('close', () => resolve(answer));
  });
}
