import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Stage, startStage } from '../stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await startStage({ labels: ['gray'] });
});
afterEach(() => stage.close());

/** Resolves when nobody but us is connected to the server. */
async function isAlone(): Promise<boolean> {
  const until = Date.now() + 5_000;
  while (Date.now() < until) {
    const others = await stage.column(
      "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'root' AND DB = 'app'",
    );
    if (others.length === 0) return true;
  }
  return false;
}

test('a client that vanishes in a transaction takes it along', async () => {
  const client = await stage.connect();
  await client.query('BEGIN');
  await client.query("INSERT INTO orders VALUES (1, 'x')");
  client.destroy();
  expect(await isAlone()).toBe(true);
  expect(await stage.column('SELECT id FROM app.orders_gray FOR UPDATE')).toEqual([]);
  expect(stage.proxy.connections).toBe(0);
});

test('a client that vanishes while it waits leaves nobody waiting', async () => {
  const client = await stage.connect();
  client.query('SELECT SLEEP(0.5)').catch(() => {});
  client.query("INSERT INTO orders VALUES (1, 'x')").catch(() => {});
  await once(await observed(), 'ready');
  client.destroy();
  expect(await isAlone()).toBe(true);
});

/** When the server sleeps. */
async function observed() {
  const { EventEmitter } = await import('node:events');
  const emitter = new EventEmitter();
  void (async () => {
    for (;;) {
      const found = await stage.column("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%'");
      if (found.length > 0) break;
    }
    emitter.emit('ready');
  })();
  return emitter;
}

test('a server that dies ends its clients, and none of their statements is sent again', async () => {
  const client = await stage.connect();
  const idle = await stage.connect();
  const ended = once((idle as unknown as { connection: { stream: Socket } }).connection.stream, 'close');
  const waiting = expect(client.query('SELECT SLEEP(10)')).rejects.toThrow(/Connection lost|closed/);
  await once(await observed(), 'ready');
  await stage.server.kill();
  await waiting;
  await ended;
});

test('a server that is not there is named to the client', async () => {
  await stage.server.kill();
  await expect(stage.connect()).rejects.toThrow(
    /^lanekeeper: cannot reach the database server at 127\.0\.0\.1:\d+: .*ECONNREFUSED/,
  );
});

test('a client that is cut off in a packet has sent nothing', async () => {
  const client = await stage.connect();
  await client.query("INSERT INTO orders VALUES (1, 'x')");
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.end(Buffer.from('\x30\0\0\0\x03INSERT INTO orders', 'latin1'));
  await once(stream, 'close');
  expect(await isAlone()).toBe(true);
  expect(await stage.column('SELECT id FROM app.orders_gray')).toEqual([1]);
});

test('closing ends idle clients at once, and lets busy ones have their reply', async () => {
  const [idle, busy] = [await stage.connect(), await stage.connect()];
  const ended = once((idle as unknown as { connection: { stream: Socket } }).connection.stream, 'close');
  const slow = busy.query('SELECT SLEEP(0.5) AS slept');
  await once(await observed(), 'ready');
  const closed = stage.proxy.close();
  await ended;
  expect((await slow)[0]).toEqual([{ slept: 0 }]);
  await closed;
  expect(stage.proxy.connections).toBe(0);
});
