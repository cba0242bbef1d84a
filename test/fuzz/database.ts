import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { pino } from 'pino';
import { frame } from '../../src/database/packets/frames.ts';
import { createReplies, type Expectation } from '../../src/database/packets/replies.ts';
import { type DatabaseProxy, openProxy } from '../../src/database/proxy.ts';
import { compileShadows } from '../../src/shadow/compile.ts';
import { definition, eof, error, feedOnce, ok, okBehindRows, preparedOk } from '../database/packets/given.ts';
import { shadowTable } from '../database/stage.ts';
import { rulesOf } from '../rules/fixture.ts';
import type { Target } from './targets.ts';

const bytesOf = (given: string | readonly number[]): Buffer =>
  typeof given === 'string' ? Buffer.from(given, 'latin1') : Buffer.from(given);

/** Some byte of it is another, or it ends early. */
const spoilt = (arbitrary: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc.oneof(
    { weight: 3, arbitrary },
    {
      weight: 1,
      arbitrary: fc.tuple(arbitrary, fc.nat(), fc.nat(255)).map(([bytes, at, value]) => {
        const copy = Buffer.from(bytes);
        if (copy.length > 0) copy[at % copy.length] = value;
        return copy;
      }),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(arbitrary, fc.nat()).map(([bytes, at]) => bytes.subarray(0, at % (bytes.length + 1))),
    },
  );

const junk = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));

const answer = spoilt(
  fc
    .oneof(
      fc
        .constantFrom<string | number[]>(
          ok(),
          ok(8),
          ok(0x4000),
          eof(),
          eof(8),
          okBehindRows(),
          error,
          definition,
          [1],
          [2],
        )
        .map(bytesOf),
      fc
        .constantFrom<string | number[]>(preparedOk(1, 1), preparedOk(0, 2), '\x01a', '\xfbx', '\xfe\0', '', '\0\0')
        .map(bytesOf),
      junk,
    )
    .map((payload) => frame(payload, 1)),
);

const texts = [
  'SELECT 1',
  'INSERT INTO orders VALUES (1)',
  'USE app',
  'SET sql_mode = @a',
  "SET @baggage='x'",
  'CALL a()',
  '/*',
  "'",
];
const execution = (id: number) =>
  Buffer.concat([bytesOf([0x17, id, 0, 0, 0, 8, 1, 0, 0, 0, 1, 0, 1, 0xfd, 0, 0]), bytesOf('\x01a')]);
const command = spoilt(
  fc
    .oneof(
      fc.constantFrom(...texts).map((text) => bytesOf(`\x03\0\x01${text}`)),
      fc.constantFrom(...texts).map((text) => bytesOf(`\x16${text}`)),
      fc.constantFrom(7, 8, 255).map(execution),
      fc
        .constantFrom(1, 2, 4, 9, 0x0e, 0x11, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1e, 0x1f, 0x99)
        .map((code) => bytesOf([code, 7, 0, 0, 0, 0, 0, 1])),
      junk,
    )
    .map((payload) => frame(payload, 0)),
);

/** All capabilities but TLS, compression and what else is hidden; MariaDB's greeting. */
const greeting = frame(
  Buffer.concat([
    bytesOf(
      '\x0a5.5.5-10.11.4-MariaDB\0\x01\0\0\0abcdefgh\0\xfe\xf7\x2d\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0abcdefghijkl\0mysql_native_password\0',
    ),
  ]),
  0,
);
const response = frame(
  bytesOf(`\x0d\xa2\xbf\x09\0\0\0\x01\x2d${'\0'.repeat(23)}root\0\0app\0mysql_native_password\0`),
  1,
);

/** What both sides of one connection say, and whether it is of a labelled workload. */
const talks = fc.record({
  greeting: fc.oneof(
    { weight: 5, arbitrary: fc.constant(greeting) },
    { weight: 1, arbitrary: spoilt(fc.constant(greeting)) },
  ),
  response: fc.oneof(
    { weight: 5, arbitrary: fc.constant(response) },
    { weight: 1, arbitrary: spoilt(fc.constant(response)) },
  ),
  answers: fc.array(answer, { maxLength: 12 }),
  commands: fc.array(command, { maxLength: 10 }),
  isLabelled: fc.boolean(),
});

/** A server that says what it is told to, and a proxy of each kind before it. */
type Lane = {
  script: readonly Buffer[];
  readonly server: Server;
  readonly proxies: readonly DatabaseProxy[];
};

/** A server that says nothing more is waited for: most runs are nothing else, and go side by side. */
const laneCount = 32;
let lanes: readonly Lane[] = [];
const mistakes: string[] = [];

export const connectionTarget: Target = {
  promise: 'whatever client and server say, the connection ends when the client has left, and nothing is thrown',
  weight: 0.1,
  async open() {
    lanes = await Promise.all(Array.from({ length: laneCount }, openLane));
  },
  async close() {
    await Promise.all(lanes.flatMap(({ proxies }) => proxies.map((proxy) => proxy.close({ withinMs: 0 }))));
    for (const { server } of lanes) server.close();
  },
  property: fc.asyncProperty(fc.array(talks, { minLength: 1, maxLength: laneCount, size: 'max' }), async (all) => {
    await Promise.all(
      all.map(async ({ greeting: first, response: hello, answers, commands, isLabelled }, index) => {
        const lane = lanes[index] as Lane;
        lane.script = [first, frame(bytesOf(ok()), 2), ...answers];
        const socket = connect(lane.proxies[isLabelled ? 1 : 0]?.port ?? 0, '127.0.0.1');
        await talk(socket, [hello, ...commands]);
      }),
    );
    if (mistakes.length > 0) throw new Error(mistakes.splice(0).join());
  }),
};

async function openLane(): Promise<Lane> {
  const server = createServer((socket) => {
    let next = 0;
    socket
      .on('error', () => {})
      .on('data', () => {
        for (const each of lane.script.slice(next, next + 2)) socket.write(each);
        next += 2;
      });
    socket.write(lane.script[next] ?? greeting);
    next += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const map = compileShadows(rulesOf(shadowTable));
  const [gray] = map.mappings.map(({ label }) => label);
  const proxies = await Promise.all(
    [[], gray === undefined ? [] : [gray]].map((labels) =>
      openProxy({
        listen: { address: '127.0.0.1', port: 0 },
        upstream: { host: '127.0.0.1', port },
        labels: () => labels,
        shadows: () => map,
        isRemembering: () => true,
        recall: () => Promise.resolve({ outcome: 'none' }),
        unattributed: { writes: 'refuse', reads: 'base' },
        definitions: 'refuse',
        maxStatementBytes: 4096,
        tls: { mode: 'strip' },
        count: () => {},
        log: pino({ level: 'error' }, { write: (line: string) => mistakes.push(line) }),
      }),
    ),
  );
  const lane: Lane = { script: [], server, proxies };
  return lane;
}

/** Says one after the other, each when something has been heard or a moment has passed; then leaves. */
function talk(socket: Socket, words: readonly Buffer[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let next = 0;
    const timer = setTimeout(() => reject(new Error('the connection does not end')), 5_000);
    const speak = () => {
      const word = words[next];
      next += 1;
      if (word === undefined) socket.end();
      else socket.write(word);
    };
    const pace = setInterval(speak, 1);
    socket.on('data', () => {}).on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      clearInterval(pace);
      resolve();
    });
  });
}

const shape = fc.constantFrom<Expectation['shape']>('query', 'prepare', 'fetch', 'fields', 'one', 'login');

export const repliesTarget: Target = {
  promise: 'whatever a server says, in whatever pieces, passes byte for byte, and ends at the same places',
  weight: 5,
  property: fc.property(
    fc.array(answer, { maxLength: 15 }),
    fc.array(shape, { minLength: 1, maxLength: 5 }),
    fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 }),
    fc.boolean(),
    (answers, shapes, pieces, deprecatesEof) => {
      const stream = Buffer.concat(answers);
      const whole = readAll(stream, shapes, [], deprecatesEof);
      const cut = readAll(stream, shapes, pieces, deprecatesEof);
      return whole.passed.equals(stream) && cut.passed.equals(stream) && cut.ends === whole.ends;
    },
  ),
};

function readAll(
  stream: Buffer,
  shapes: readonly Expectation['shape'][],
  pieces: readonly number[],
  deprecatesEof: boolean,
) {
  const passed: Buffer[] = [];
  const ends: string[] = [];
  const queue: Expectation[] = shapes.map((each) => ({
    shape: each,
    done: ({ error: failed, status }) => ends.push(`${Buffer.concat(passed).length} ${failed?.code ?? ''} ${status}`),
  }));
  const replies = createReplies({
    ...{ deprecatesEof, hasTracking: true, expected: () => queue[0], arrived: () => queue.shift() },
    ...{ pass: (bytes: Buffer) => passed.push(Buffer.from(bytes)), fileAsked: () => {} },
  });
  let at = 0;
  for (const size of [...pieces, stream.length]) {
    feedOnce(replies, stream.subarray(at, at + size));
    at += size;
  }
  return { passed: Buffer.concat(passed), ends: ends.join() };
}
