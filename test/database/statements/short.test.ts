// An execution that ends before all of its values are there.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { frame } from '../../../src/database/packets/frames.ts';
import { query } from '../client.ts';
import { type Server, startServer } from '../server.ts';
import { noRules, type Stage, type StageOptions, startStage } from '../stage.ts';
import { execute, longData, openSpeaker, ping, prepare } from './speaker.ts';

let server: Server;
let stage: Stage;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.remove());
afterEach(() => stage.close());

const open = async (options: StageOptions = {}) => {
  stage = await startStage({ server, ...options });
};
const insert = 'INSERT INTO orders VALUES (?, ?)';
const malformed = /^1235 lanekeeper: malformed: /;

/** Of one execution, cut off behind each of its bytes, and of a whole one behind it. */
async function heard(port: number, before: readonly Buffer[] = []) {
  const speaker = await openSpeaker(port);
  speaker.send(prepare(insert), ...before);
  const id = Number(await speaker.reply('prepared'));
  for (const _ of before) expect(await speaker.reply()).toBe('ok');
  const whole = execute(id, '1', 'name').subarray(4);
  const replies: string[] = [];
  const hear = async (...packets: readonly Buffer[]) => {
    speaker.send(...packets);
    replies.push(`${await speaker.reply()}`);
  };
  for (let end = 1; end < whole.length; end += 1) await hear(frame(whole.subarray(0, end), 0));
  await hear(longData(id, 1, 'long'), frame(whole.subarray(0, 11), 0));
  await hear(execute(id, '1', 'name'));
  await hear(ping);
  speaker.close();
  const root = await stage.direct();
  const [rows] = await root.query('SELECT id, name FROM app.orders UNION ALL SELECT id, name FROM app.orders_gray');
  await root.query('DELETE FROM app.orders');
  return { replies: replies.map((reply) => reply.replace(/\(\d+\)/, '(number)')), rows };
}

test.each([
  ['with rules', {}],
  ['without rules', { rules: noRules }],
])('of base is for the server to refuse, %s', async (_, options) => {
  await open(options);
  const direct = await heard(server.port);
  expect(await heard(stage.port)).toEqual(direct);
  expect(direct.replies.filter((reply) => /^1210 /.test(reply)).length).toBeGreaterThan(5);
});

test.each<readonly [string, StageOptions, readonly Buffer[]]>([
  ['of a gray workload', { labels: ['gray'] }, []],
  ['behind a variable that may be a label', {}, [query("SET @baggage = 'OpenSergo-Label=gray'")]],
  ['while requests with labels are served', { isRemembering: () => true }, []],
])('%s is refused, as nothing says whose it is', async (_, options, before) => {
  await open(options);
  const { replies } = await heard(stage.port, before);
  // Shorter than its head, and than its types.
  expect(replies.filter((reply) => malformed.test(reply)).length).toBeGreaterThan(10);
  expect(replies.filter((reply) => reply === 'ok')).toHaveLength(options.isRemembering ? 1 : 2);
});
