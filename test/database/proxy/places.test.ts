import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Server, startServer } from '../server.ts';
import { type Stage, startStage } from '../stage.ts';

let server: Server;
let stage: Stage | undefined;
let folder: string;
const file = (name: string) => readFileSync(join(folder, name), 'utf8');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lanekeeper-tls-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  for (const name of ['server', 'proxy'])
    openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'],
      ...['-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.crt`],
    );
  const path = (name: string) => join(folder, name);
  server = await startServer([`--ssl-cert=${path('server.crt')}`, `--ssl-key=${path('server.key')}`]);
});
afterEach(() => stage?.close());
afterAll(() => server.remove());

const cipher = async (client: { query: (sql: string) => Promise<unknown[]> }) => {
  const [rows] = await client.query("SHOW STATUS LIKE 'Ssl_cipher'");
  return (rows as { Value: string }[])[0]?.Value;
};

describe('TLS', () => {
  const tls = () => ({
    mode: 'terminate' as const,
    certificate: file('proxy.crt'),
    key: file('proxy.key'),
    authority: file('server.crt'),
  });

  test('is not offered where it is stripped', async () => {
    stage = await startStage({ server, labels: ['gray'] });
    await expect(stage.connect({ ssl: {} })).rejects.toThrow(/does not support secure connection/);
    const client = await stage.connect();
    expect(await cipher(client)).toBe('');
  });

  test('is ended and begun again where it is terminated, for clients who take it', async () => {
    stage = await startStage({ server, labels: ['gray'], tls: tls() });
    const secret = await stage.connect({ ssl: { ca: file('proxy.crt'), verifyIdentity: false } });
    expect(await cipher(secret)).not.toBe('');
    await secret.query("INSERT INTO orders VALUES (1, 'x')");
    const clear = await stage.connect();
    expect(await cipher(clear)).toBe('');
    await clear.execute('INSERT INTO orders VALUES (?, ?)', [2, 'x']);
    expect(await stage.column('SELECT id FROM app.orders_gray')).toEqual([1, 2]);
  });

  test('ends where the server is not who it should be', async () => {
    stage = await startStage({ server, tls: { ...tls(), authority: file('proxy.crt') } });
    await expect(stage.connect({ ssl: { rejectUnauthorized: false } })).rejects.toThrow();
    expect(stage.events.filter(({ what }) => what === 'statement')).toEqual([]);
  });
});

describe('a PROXY header', () => {
  /** What an interception does: a header before the first byte. */
  const through = async (header: (port: number) => Buffer, pieces = false) => {
    stage = await startStage({ server, labels: ['gray'], upstream: 'proxy-protocol' });
    const { port } = stage;
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const bytes = header(server.port);
    if (pieces) for (const byte of bytes) socket.write(Buffer.from([byte]));
    else socket.write(bytes);
    return socket;
  };
  const version1 = (port: number) => Buffer.from(`PROXY TCP4 10.0.0.1 127.0.0.1 4000 ${port}\r\n`);
  const version2 = (port: number) => {
    const head = Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\x01\x7f\0\0\x01\x0f\xa0\0\0', 'latin1');
    head.writeUInt16BE(port, 26);
    return head;
  };

  test.each([
    ['version 1', version1, false],
    ['version 1, byte by byte', version1, true],
    ['version 2', version2, false],
    ['version 2, byte by byte', version2, true],
  ])('of %s names the server', async (_, header, pieces) => {
    const stream = await through(header, pieces);
    const client = await createConnection({ stream, user: 'root', database: 'app' });
    await client.query("INSERT INTO orders VALUES (1, 'x')");
    expect(await stage?.column('SELECT id FROM app.orders_gray')).toEqual([1]);
    client.destroy();
  });

  test.each(['GET / HTTP/1.1\r\n\r\n', 'PROXY UNKNOWN\r\n', `PROXY TCP4 ${'1'.repeat(200)}`])(
    'is no header: %j',
    async (text) => {
      const socket = await through(() => Buffer.from(text));
      socket.resume();
      await once(socket, 'end');
      socket.destroy();
    },
  );
});

/** A relay that cuts what passes into pieces of one byte, or at one place. */
async function cutter(port: number): Promise<{ port: number; close(): void }> {
  const bytewise = (from: Socket, to: Socket) =>
    from.on('data', (chunk: Buffer) => {
      for (const byte of chunk) to.write(Buffer.from([byte]));
    });
  const relay = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port, host: '127.0.0.1', noDelay: true });
    bytewise(client, upstream);
    bytewise(upstream, client);
    for (const socket of [client, upstream])
      socket.on('error', () => {}).on('close', () => [client, upstream].map((each) => each.destroy()));
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const address = relay.address();
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, close: () => relay.close() };
}

test('client and server may both speak byte by byte', async () => {
  const slow = await cutter(server.port);
  stage = await startStage({ server, upstream: { host: '127.0.0.1', port: slow.port }, labels: ['gray'] });
  const slower = await cutter(stage.port);
  const client = await createConnection({ host: '127.0.0.1', port: slower.port, user: 'root', database: 'app' });
  await client.query("INSERT INTO orders VALUES (1, 'x')");
  for (const id of [2, 3]) await client.execute('INSERT INTO orders VALUES (?, ?)', [id, 'x']);
  expect((await client.execute('SELECT id FROM orders WHERE id > ?', [1]))[0]).toEqual([{ id: 2 }, { id: 3 }]);
  expect(await stage.column('SELECT id FROM app.orders_gray')).toEqual([1, 2, 3]);
  client.destroy();
  slow.close();
  slower.close();
});
