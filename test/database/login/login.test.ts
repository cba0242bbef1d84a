import { connect } from 'node:net';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { capability } from '../../../src/database/handshake/capabilities.ts';
import { login } from '../../../src/database/login/login.ts';
import type { TlsOptions } from '../../../src/database/options.ts';
import type { LoginOptions } from '../../../src/database/upstream/instances.ts';
import { makeCertificates } from '../certificates.ts';
import { isMysql, type Server, startServer } from '../server.ts';
import { startMysql8 } from './server.ts';

const usual = capability.protocol41 | capability.secureConnection | capability.sessionTrack | capability.deprecateEof;

async function enter(
  port: number,
  given: Partial<Pick<LoginOptions, 'user' | 'password' | 'database' | 'capabilities' | 'extensions' | 'tls'>>,
) {
  const { user = 'me', password = '', database = 'app', capabilities = usual, extensions = 0 } = given;
  const { tls = { mode: 'strip' } } = given;
  const socket = connect({ host: '127.0.0.1', port });
  const outcome = await login({ socket, user, password, database, capabilities, extensions, charset: 45, tls });
  // Without it, for what is compared.
  return { outcome: outcome.ok ? { ok: true } : outcome, socket: outcome.ok ? outcome.socket : socket };
}

describe('a login to the server', () => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer();
    const root = await createConnection({ host: '127.0.0.1', port: server.port, user: 'root' });
    await root.query('create database app');
    await root.query("create user 'native' identified by 'pässword'");
    await root.query("grant all on app.* to 'native'");
    await root.query("create user 'me' identified by ''");
    await root.query("grant all on app.* to 'me'");
    await root.query("create user 'all' identified by 'x'");
    await root.query("grant all on *.* to 'all'");
    await root.end();
  });
  afterAll(() => server?.remove());

  test('proves a password, and leaves the socket to the caller', async () => {
    const { outcome, socket } = await enter(server.port, { user: 'native', password: 'pässword' });
    expect(outcome).toEqual({ ok: true });
    expect([socket.listenerCount('data'), socket.listenerCount('error'), socket.listenerCount('close')]).toEqual([
      0, 0, 0,
    ]);
    const answered = new Promise<Buffer>((resolve) => socket.once('data', resolve));
    socket.resume();
    socket.write(Buffer.from('\x11\0\0\0\x03select database()', 'latin1').fill(18, 0, 1));
    expect((await answered).toString('latin1')).toContain('app');
    socket.destroy();
  });

  test('without a password sends none', async () => {
    const { outcome, socket } = await enter(server.port, {});
    expect(outcome).toEqual({ ok: true });
    socket.destroy();
  });

  test.each([
    ['a wrong password', { user: 'native', password: 'x' }, /^Access denied for user 'native'/],
    [
      'an unknown database',
      { user: 'native', password: 'pässword', database: 'b' },
      /^Access denied .* to database 'b'/,
    ],
  ])("says the server's own words of %s", async (_, given, why) => {
    const { outcome, socket } = await enter(server.port, given);
    expect(outcome).toEqual({ ok: false, why: expect.stringMatching(why) });
    socket.destroy();
  });

  // A MySQL lacks none of those that we know.
  test.skipIf(isMysql)('says what the server lacks', async () => {
    const { outcome, socket } = await enter(server.port, { capabilities: usual | capability.queryAttributes });
    expect(outcome).toEqual({ ok: false, why: expect.stringMatching(/^it lacks query attributes, which/) });
    socket.destroy();
  });

  test('says what plugin a user has that cannot be answered', async (context) => {
    const root = await createConnection({ host: '127.0.0.1', port: server.port, user: 'root' });
    const installed = await root.query("install soname 'auth_ed25519'").then(
      () => true,
      () => false,
    );
    if (!installed) context.skip('this server has no auth_ed25519');
    await root.query("create user 'ed' identified via ed25519 using password('x')");
    await root.end();
    const { outcome, socket } = await enter(server.port, { user: 'ed', password: 'x' });
    expect(outcome).toEqual({
      ok: false,
      why: expect.stringMatching(/^its user is known by client_ed25519, expected/),
    });
    socket.destroy();
  });
});

describe('a login in secret', () => {
  const { path, text, remove } = makeCertificates(['server', 'other']);
  const terminating = (authority: string | undefined): TlsOptions => ({
    ...{ mode: 'terminate', certificate: text('other.crt'), key: text('other.key') },
    authority: authority && text(authority),
  });
  let server: Server;
  let open: Server;
  beforeAll(async () => {
    const own = [`--ssl-cert=${path('server.crt')}`, `--ssl-key=${path('server.key')}`];
    [server, open] = await Promise.all([
      startServer(isMysql ? [...own, `--ssl-ca=${path('server.crt')}`] : own),
      startServer(isMysql ? ['--tls-version='] : []),
    ]);
    for (const { port } of [server, open]) {
      const root = await createConnection({ host: '127.0.0.1', port, user: 'root' });
      const user = `create user me identified by 'secret'${port === server.port ? ' require ssl' : ''}`;
      for (const sql of ['create database app', user, 'grant all on app.* to me']) await root.query(sql);
      await root.end();
    }
  });
  afterAll(async () => {
    await Promise.all([server?.remove(), open?.remove()]);
    remove();
  });

  test.each([
    ['server.crt', { ok: true }],
    [undefined, { ok: true }],
    ['other.crt', { ok: false, why: expect.stringMatching(/certificate/) }],
  ])('goes where the authority is %s', async (authority, expected) => {
    const given = { password: 'secret', tls: terminating(authority) };
    const { outcome, socket } = await enter(server.port, given);
    expect(outcome).toEqual(expected);
    socket.destroy();
  });

  test('is no clear one to a server without TLS, where an authority must vouch for it', async () => {
    const { outcome, socket } = await enter(open.port, { password: 'secret', tls: terminating('server.crt') });
    expect(outcome).toEqual({ ok: false, why: expect.stringMatching(/^it offers no TLS, expected/) });
    socket.destroy();
    const other = await enter(open.port, { password: 'secret', tls: terminating(undefined) });
    expect(other.outcome).toEqual({ ok: true });
    other.socket.destroy();
  });
});

describe('a login to MySQL 8', () => {
  test('proves a password that the server has in its cache', async () => {
    const server = await startMysql8('secret', { isKnown: true });
    const { outcome, socket } = await enter(server.port, { password: 'secret' });
    expect([outcome, server.seen]).toEqual([{ ok: true }, ['proof']]);
    socket.destroy();
    server.close();
  });

  test("sends one that it has not under the server's key", async () => {
    const server = await startMysql8('secret', { isKnown: false });
    const { outcome, socket } = await enter(server.port, { password: 'secret' });
    expect([outcome, server.seen]).toEqual([{ ok: true }, ['proof', 'key', 'password']]);
    socket.destroy();
    server.close();
  });

  test('is not tried where replies would have another form', async () => {
    const server = await startMysql8('secret', { isKnown: true });
    const { outcome, socket } = await enter(server.port, { password: 'secret', extensions: 8 });
    expect(outcome).toEqual({ ok: false, why: expect.stringMatching(/^it lacks extensions of MariaDB/) });
    socket.destroy();
    server.close();
  });

  test('says that it is denied', async () => {
    const server = await startMysql8('secret', { isKnown: true });
    const { outcome, socket } = await enter(server.port, { password: 'wrong' });
    expect([outcome, server.seen.at(-1)]).toEqual([{ ok: false, why: 'Access denied' }, 'wrong password']);
    socket.destroy();
    server.close();
  });
});

test('nobody there, or somebody else, is said', async () => {
  const { outcome } = await enter(1, {});
  expect(outcome).toEqual({ ok: false, why: expect.stringContaining('ECONNREFUSED') });
});
