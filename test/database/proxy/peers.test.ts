// Clients that do what no driver does: they cost themselves, and nobody else.
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { frame } from '../../../src/database/packets/frames.ts';
import { changeUser, handshake, openClient, query } from '../client.ts';
import { type Server, startServer } from '../server.ts';
import { type Stage, type StageOptions, startStage, tables } from '../stage.ts';

let server: Server;
let stage: Stage;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.remove());
afterEach(() => stage.close());

async function open(options: StageOptions = {}): Promise<void> {
  stage = await startStage({ server, ...options });
}

const insert = (id: number) => query(`INSERT INTO orders VALUES (${id}, 'a')`);
const ids = (table: string) => stage.column(`SELECT id FROM app.${table} ORDER BY id`);
const carrier = "/* baggage='OpenSergo-Label%3Dgray' */";

describe('on a labelled workload', () => {
  test('a statement right behind the login waits for its end, and goes to the shadow', async () => {
    await open({ labels: ['gray'] });
    const client = await openClient(stage.port);
    client.send(handshake(), insert(1), insert(2));
    await client.hears(3);
    expect(client.heard).toEqual(['OK', 'OK', 'OK']);
    expect([await ids('orders'), await ids('orders_gray')]).toEqual([[], [1, 2]]);
    client.socket.destroy();
  });

  test('and so does one behind the dialogue of a changed user', async () => {
    await open({ labels: ['gray'] });
    const client = await openClient(stage.port);
    client.send(handshake());
    await client.hears(1);
    client.send(changeUser());
    await client.hears(2);
    expect(client.heard).toEqual(['OK', 'OTHER']); // the server asks for a proof
    client.send(frame(Buffer.alloc(0), 2), insert(1), insert(2));
    await client.hears(5);
    expect(client.heard.slice(2)).toEqual(['OK', 'OK', 'OK']);
    expect([await ids('orders'), await ids('orders_gray')]).toEqual([[], [1, 2]]);
    client.socket.destroy();
  });
});

test('whoever may not have the binary log goes on, and is read as before', async () => {
  await open({ sql: [...tables, "CREATE USER reader@'%'", "GRANT ALL ON app.* TO reader@'%'"] });
  const client = await openClient(stage.port);
  const asReader = Buffer.from(handshake());
  asReader.set(Buffer.from('user'), 36); // as long as root
  await stage.direct().then((root) => root.query("RENAME USER reader@'%' TO user@'%'"));
  client.send(asReader);
  await client.hears(1);
  client.send(frame(Buffer.from([0x12, 4, 0, 0, 0, 0, 0, 9, 0, 0, 0]), 0));
  await client.hears(2);
  client.send(query(`INSERT INTO orders VALUES (1, 'a') ${carrier}`));
  await client.hears(3);
  expect(client.heard).toEqual(['OK', 'ERR 1227', 'OK']);
  expect([await ids('orders'), await ids('orders_gray')]).toEqual([[], [1]]);
  client.socket.destroy();
  await stage.direct().then((root) => root.query("DROP USER user@'%'"));
});

test('who ends its side behind its statements is told all replies, also where one had to wait', async () => {
  await open();
  const client = await openClient(stage.port);
  client.send(handshake());
  await client.hears(1);
  const ended = once(client.socket, 'end');
  client.send(query("SET sql_mode = CONCAT('', '')"), insert(1), query('DELETE FROM items'), insert(2));
  client.socket.end();
  await ended;
  expect(client.heard.slice(0, 5)).toEqual(['OK', 'OK', 'OK', 'OK', 'OK']); // a MySQL says goodbye as well
  expect(await ids('orders')).toEqual([1, 2]);
});

test('who does not read what is refused is asked no more, and told all of it when it reads', async () => {
  await open({ labels: ['gray'] });
  const client = await openClient(stage.port);
  client.send(handshake());
  await client.hears(1);
  client.socket.pause();
  const refusals = () => stage.events.filter(({ what }) => what === 'refusal').length;
  const total = 200_000;
  const all = Buffer.concat(Array.from({ length: total }, () => query('CREATE DATABASE x')));
  client.socket.write(all);
  let before = -1;
  await vi.waitFor(
    () => {
      const now = refusals();
      const isStill = now > 0 && now === before;
      before = now;
      expect(isStill).toBe(true);
    },
    { timeout: 20_000, interval: 200 },
  );
  expect(before).toBeLessThan(total);
  client.socket.resume();
  await client.hears(total + 1);
  expect(new Set(client.heard.slice(1))).toEqual(new Set(['ERR 1235']));
  client.socket.destroy();
});

describe('who is told no before it has logged in', () => {
  test.each([
    ['sends what is no PROXY header', 'GET / HTTP/1.1\r\n\r\n'],
    ['names a port that there is not', 'PROXY TCP4 1.1.1.1 127.0.0.1 1 99999\r\n'],
  ])('because it %s: it is told so, and others are served', async (_, text) => {
    await open({ upstream: 'proxy-protocol' });
    const head = `PROXY TCP4 127.0.0.1 ${server.address} 1 ${server.port}\r\n`;
    const good = connect({ port: stage.port, host: '127.0.0.1' });
    good.write(head);
    const [greeting] = await once(good, 'data');
    expect((greeting as Buffer)[4]).toBe(10);
    const bad = connect({ port: stage.port, host: '127.0.0.1' });
    const told: Buffer[] = [];
    bad.on('data', (chunk) => told.push(chunk as Buffer));
    bad.write(text);
    await once(bad, 'end');
    expect(Buffer.concat(told).toString('latin1', 7)).toMatch(/^lanekeeper: found no PROXY header, expected one /);
    good.write(handshake());
    const [said] = await once(good, 'data');
    expect((said as Buffer)[4]).toBe(0);
    good.destroy();
  });

  test('is read on, so that it can be seen to leave, and nothing of it is kept', async () => {
    await open();
    const client = await openClient(stage.port);
    const ended = once(client.socket, 'end');
    client.send(frame(Buffer.alloc(1 << 17), 1));
    await ended;
    expect(client.heard).toEqual(['ERR 1043']);
    // More than sockets hold.
    await new Promise<unknown>((resolve) => client.socket.write(Buffer.alloc(32 << 20), resolve));
    client.socket.end();
    await vi.waitFor(() => expect(stage.proxy.connections).toBe(0));
  });
});
