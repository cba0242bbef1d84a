// Values that are sent before their execution: kept until it says whose they are, and not without bound.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { query } from '../client.ts';
import { type Server, startServer } from '../server.ts';
import { noRules, type Stage, startStage } from '../stage.ts';
import { close, execute, longData, openSpeaker, prepare, reset, type Speaker } from './speaker.ts';

let server: Server;
let stage: Stage;
let speaker: Speaker;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.remove());
beforeEach(async () => {
  stage = await startStage({ server, maxStatementBytes: 1 << 16 });
  speaker = await openSpeaker(stage.port);
});
afterEach(async () => {
  speaker.close();
  await stage.close();
});

const prepared = async (sql = 'INSERT INTO orders SELECT ?, LENGTH(?)') => {
  speaker.send(prepare(sql));
  return Number(await speaker.reply('prepared'));
};
const said = async (packet: Buffer) => {
  speaker.send(packet);
  return speaker.reply();
};
const toLabel = () => said(query("SET @baggage = 'OpenSergo-Label=gray'"));
const toBase = () => said(query('SET @baggage = NULL'));
const many = (id: number, count: number) => Array.from({ length: count }, () => longData(id, 1, ''));
const rows = (table: string) => stage.column(`SELECT CONCAT(id, ':', name) FROM app.${table} ORDER BY id`);
const part = 'x'.repeat(40 << 10);
const tooLong = /^1235 lanekeeper: too-long: /;

test('pieces without bytes count as well', async () => {
  const id = await prepared();
  await toLabel();
  speaker.send(...many(id, 100));
  expect(await said(execute(id, '1', undefined))).toBe('ok');
  const other = await prepared();
  speaker.send(...many(other, 1000));
  expect(await said(execute(other, '2', undefined))).toMatch(tooLong);
  expect(await rows('orders_gray')).toEqual(['1:0']);
});

test('they count together, of however many statements', async () => {
  const [first, second] = [await prepared(), await prepared()];
  await toLabel();
  speaker.send(longData(first, 1, part), longData(second, 1, part));
  expect(await said(execute(second, '2', undefined))).toMatch(tooLong);
  expect(await said(execute(first, '1', undefined))).toBe('ok');
  expect(await rows('orders_gray')).toEqual([`1:${part.length}`]);
});

test('those of base go to the server as they come, if they are too many to be kept', async () => {
  const ids = [await prepared(), await prepared(), await prepared()];
  for (const id of ids) speaker.send(longData(id, 1, part), longData(id, 1, part), ...many(id, 500));
  for (const id of ids) expect(await said(execute(id, `${id}`, undefined))).toBe('ok');
  expect(await rows('orders')).toEqual(ids.map((id) => `${id}:${2 * part.length}`));
});

test.each([
  ['executed', async (id: number) => void (await said(execute(id, `${id}`, undefined)))],
  ['reset', async (id: number) => void (await said(reset(id)))],
  ['closed', async (id: number) => speaker.send(close(id))],
  ['forgotten, as the connection is reset', async () => void (await said(Buffer.from([1, 0, 0, 0, 0x1f])))],
])('they count no more when their statement is %s', async (_, done) => {
  for (let round = 0; round < 3; round += 1) {
    const id = await prepared();
    await toLabel();
    speaker.send(longData(id, 1, part));
    await done(id);
  }
  const id = await prepared();
  await toLabel();
  speaker.send(longData(id, 1, part));
  expect(await said(execute(id, '99', undefined))).toBe('ok');
  expect(await rows('orders_gray')).toContain(`99:${part.length}`);
});

test('those of base go to the statement of base, whoever was executed before', async () => {
  const id = await prepared();
  await toLabel();
  expect(await said(execute(id, '1', 'a'))).toBe('ok');
  await toBase();
  speaker.send(longData(id, 1, part), longData(id, 1, part));
  expect(await said(execute(id, '2', undefined))).toBe('ok');
  expect(await rows('orders')).toEqual([`2:${2 * part.length}`]);
});

test('base is not executed without those that went to the statement of a label', async () => {
  const id = await prepared();
  await toLabel();
  expect(await said(execute(id, '1', 'a'))).toBe('ok');
  speaker.send(longData(id, 1, part), longData(id, 1, part));
  await toBase();
  expect(await said(execute(id, '2', undefined))).toMatch(tooLong);
  expect(await said(execute(id, '3', 'a'))).toBe('ok');
  expect(await rows('orders')).toEqual(['3:1']);
});

test('without rules they are of base, whoever was executed before', async () => {
  const id = await prepared();
  await toLabel();
  expect(await said(execute(id, '1', 'a'))).toBe('ok');
  stage.setRules(noRules);
  speaker.send(longData(id, 1, part), longData(id, 1, part));
  expect(await said(execute(id, '2', undefined))).toBe('ok');
  expect(await rows('orders')).toEqual([`2:${2 * part.length}`]);
});
