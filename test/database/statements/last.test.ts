// "The last that was prepared", as MariaDB's connectors say it before they have heard its number.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { command } from '../../../src/database/packets/command.ts';
import { lastId } from '../../../src/database/payloads/execute.ts';
import { query } from '../client.ts';
import { type Server, startServer } from '../server.ts';
import { type Stage, startStage, tables } from '../stage.ts';
import { close, execute, fetch, longData, openSpeaker, ping, prepare, reset, type Speaker } from './speaker.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.remove());

const insert = 'INSERT INTO orders VALUES (?, ?)';
const refused = 'CREATE USER someone';
const good = [prepare(insert)];
const bad = [prepare('INSERT INTO nothing VALUES (?)')];
const select = [prepare('SELECT 1')];
const long = [longData(lastId, 1, 'a'), longData(lastId, 1, 'b'), execute(lastId, '2', undefined)];
const rows = (stage: Stage, table: string) => stage.column(`SELECT CONCAT(id, name) FROM app.${table} ORDER BY id`);

const isAnswered = ([, , , , code]: Buffer) => code !== command.longData && code !== command.close;
const kindOf = ([, , , , code]: Buffer) => (code === command.prepare ? 'prepared' : undefined);
/** The server names the number that it was given, which is the statement's own through the proxy. */
const unnumbered = (reply: string | number) =>
  typeof reply === 'number' ? 'prepared' : reply.replace(/\(\d+\)/, '(number)');

describe('on a gray workload', () => {
  let stage: Stage;
  let speaker: Speaker;
  beforeEach(async () => {
    stage = await startStage({ server, labels: ['gray'] });
    speaker = await openSpeaker(stage.port);
  });
  afterEach(async () => {
    speaker.close();
    await stage.close();
  });

  test('is none behind a preparation that is refused, whatever was prepared before', async () => {
    speaker.send(prepare(insert), execute(lastId, '1', 'one'), prepare(refused), execute(lastId, '2', 'two'));
    expect(await speaker.reply('prepared')).toEqual(expect.any(Number));
    expect(await speaker.reply()).toBe('ok');
    expect(await speaker.reply('prepared')).toMatch(/^1235 lanekeeper: server: /);
    expect(await speaker.reply()).toMatch(/^1243 /);
    expect(await rows(stage, 'orders_gray')).toEqual(['1one']);
  });

  test('is none where the refused one was sent before the reply to the one before', async () => {
    speaker.send(prepare(insert), prepare(refused), execute(lastId, '2', 'two'));
    expect(await speaker.reply('prepared')).toEqual(expect.any(Number));
    expect(await speaker.reply('prepared')).toMatch(/^1235 lanekeeper: server: /);
    expect(await speaker.reply()).toMatch(/^1243 /);
    expect(await rows(stage, 'orders_gray')).toEqual([]);
  });

  test('is none behind one that is too long to be read', async () => {
    const short = await startStage({ server, labels: ['gray'], maxStatementBytes: 1 << 16 });
    const client = await openSpeaker(short.port);
    client.send(prepare(insert), prepare(insert + ' '.repeat(1 << 17)), execute(lastId, '2', 'two'));
    expect(await client.reply('prepared')).toEqual(expect.any(Number));
    expect(await client.reply('prepared')).toMatch(/^1235 lanekeeper: too-long: /);
    expect(await client.reply()).toMatch(/^1243 /);
    expect(await rows(short, 'orders_gray')).toEqual([]);
    client.close();
    await short.close();
  });
});

describe('on a base workload', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage({ server });
  });
  beforeEach(async () => {
    const root = await stage.direct();
    for (const sql of tables) await root.query(sql);
  });
  afterAll(() => stage.close());

  test('is none of those that were prepared for a label', async () => {
    const speaker = await openSpeaker(stage.port);
    speaker.send(prepare(insert), prepare('SELECT 1'));
    const [first, second] = [Number(await speaker.reply('prepared')), Number(await speaker.reply('prepared'))];
    speaker.send(
      query("SET @baggage = 'OpenSergo-Label=gray'"),
      execute(first, '1', 'gray'),
      query('SET @baggage = NULL'),
    );
    for (let left = 3; left > 0; left -= 1) expect(await speaker.reply()).toBe('ok');
    speaker.send(close(second), execute(lastId, '2', 'base'), ping);
    expect(await speaker.reply()).toMatch(/^1243 /);
    expect(await speaker.reply()).toBe('ok');
    expect(await rows(stage, 'orders_gray')).toEqual(['1gray']);
    expect(await rows(stage, 'orders')).toEqual([]);
    speaker.close();
  });

  test('has its long values, of more bytes than are read whole, and no statement before has them', async () => {
    const short = await startStage({ server, maxStatementBytes: 1 << 16 });
    const speaker = await openSpeaker(short.port);
    speaker.send(prepare(insert));
    const before = Number(await speaker.reply('prepared'));
    const text = 'x'.repeat(1 << 17);
    speaker.send(prepare('SELECT CONCAT(?, LENGTH(?))'), longData(lastId, 1, text), execute(lastId, '1', undefined));
    await speaker.reply('prepared');
    expect(await speaker.reply()).toContain(`1${text.length}`);
    speaker.send(execute(before, '2', 'before'));
    expect(await speaker.reply()).toBe('ok');
    expect(await rows(stage, 'orders')).toEqual(['2before']);
    speaker.close();
    await short.close();
  });

  test.each<readonly [string, readonly Buffer[]]>([
    ['nothing was prepared', [execute(lastId), reset(lastId), fetch(lastId), longData(lastId, 0, 'x'), close(lastId)]],
    ['the last one failed', [...good, ...bad, execute(lastId, '1', 'one')]],
    ['the last one was closed', [...good, ...good, close(lastId), execute(lastId, '1', 'one')]],
    ['it has long values', [...good, execute(lastId, '1', 'one'), ...good, ...long]],
    ['it is reset', [...good, longData(lastId, 1, 'x'), reset(lastId), execute(lastId, '1', 'one')]],
    ['it is fetched from', [...select, fetch(lastId), ...good, fetch(lastId)]],
  ])('is what it is to the server itself, where %s', async (_, packets) => {
    const told = async (port: number) => {
      const root = await stage.direct();
      await root.query('DELETE FROM app.orders');
      const speaker = await openSpeaker(port);
      speaker.send(...packets, ping);
      const replies: string[] = [];
      for (const packet of [...packets.filter(isAnswered), ping])
        replies.push(unnumbered(await speaker.reply(kindOf(packet))));
      speaker.close();
      return { replies, rows: await rows(stage, 'orders') };
    };
    expect(await told(stage.port)).toEqual(await told(server.port));
  });
});
