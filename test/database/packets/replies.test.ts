import { describe, expect, test } from 'vitest';
import { frame } from '../../../src/database/packets/frames.ts';
import type { Shape } from '../../../src/database/packets/grammar.ts';
import { createReplies, type Expectation, type Reply } from '../../../src/database/packets/replies.ts';
import { definition, eof, error, feedOnce, ok, okBehindRows, packets, preparedOk } from './given.ts';

const more = 8;
const cursor = 0x40;
const long = Buffer.concat([Buffer.from([0xfe]), Buffer.alloc((1 << 24) + 5, 'x')]);

/** One reply each; what follows in the stream is always another. */
const replies: readonly [string, Shape, boolean, Buffer][] = [
  ['an OK', 'query', false, packets(ok())],
  ['an error', 'query', true, packets(error)],
  ['rows', 'query', false, packets([2], definition, definition, eof(), '\x01a\x01b', '\x01c\xfb', eof())],
  ['rows, EOF deprecated', 'query', true, packets([2], definition, definition, '\x01a\x01b', okBehindRows())],
  [
    'rows that end with words',
    'query',
    true,
    packets([1], definition, '\x01a', [...okBehindRows(), 4, 100, 111, 110, 101]),
  ],
  ['no rows', 'query', false, packets([1], definition, eof(), eof())],
  ['an error behind rows', 'query', true, packets([1], definition, '\x01a', error)],
  ['several results', 'query', true, packets(ok(more), [1], definition, '\x01a', okBehindRows(more), ok())],
  ['several results, old', 'query', false, packets([1], definition, eof(), '\x01a', eof(more), error)],
  ['a cursor', 'query', false, packets([1], definition, eof(cursor))],
  ['a cursor, EOF deprecated', 'query', true, packets([1], definition, okBehindRows(cursor))],
  ['rows that begin with 0xFE', 'query', true, packets([1], definition, long, '\xfbx', okBehindRows())],
  ['rows that begin with 0xFE, old', 'query', false, packets([1], definition, eof(), '\xfe\0\0\0\0\0\0\0\0', eof())],
  ['a row of exactly 16 MB', 'query', true, packets([1], definition, Buffer.alloc(0xffffff, 'x'), okBehindRows())],
  ['many columns', 'query', true, packets('\xfc\x2c\x01', ...Array(300).fill(definition), okBehindRows())],
  ['a statement', 'prepare', true, packets(preparedOk(1, 2), definition, definition, definition)],
  ['a statement, old', 'prepare', false, packets(preparedOk(1, 2), definition, definition, eof(), definition, eof())],
  ['a statement with nothing', 'prepare', false, packets(preparedOk(0, 0))],
  ['a statement without columns', 'prepare', false, packets(preparedOk(0, 1), definition, eof())],
  ['a statement without parameters', 'prepare', true, packets(preparedOk(2, 0), definition, definition)],
  ['a statement that fails', 'prepare', true, packets(error)],
  ['fetched rows', 'fetch', false, packets('\0\0a', '\0\0b', eof(0x80))],
  ['fetched rows, EOF deprecated', 'fetch', true, packets('\0\0a', okBehindRows(0x80))],
  ['a list of fields', 'fields', false, packets(definition, definition, eof())],
  ['statistics', 'one', true, packets('Uptime: 3')],
  ['a login', 'login', true, packets('\xfemysql_native_password\0abc\0', '\x01\x03', ok())],
  ['a login that fails', 'login', true, packets('\x01\x04', error)],
];

type Read = { readonly passed: Buffer; readonly ended: readonly { shape: Shape; reply: Reply }[] };

/** Reads a stream in pieces of these sizes, the last for all that is left. */
function read(stream: Buffer, shapes: readonly Shape[], hasNoEof: boolean, pieces: readonly number[]): Read {
  const passed: Buffer[] = [];
  const ended: { shape: Shape; reply: Reply }[] = [];
  const queue = shapes.map((shape): Expectation => ({ shape, done: (reply) => ended.push({ shape, reply }) }));
  const reader = createReplies({
    deprecatesEof: hasNoEof,
    hasTracking: false,
    expected: () => queue[0],
    arrived: () => queue.shift(),
    pass: (bytes) => passed.push(Buffer.from(bytes)),
    fileAsked: () => {},
  });
  let at = 0;
  for (const size of pieces) {
    feedOnce(reader, stream.subarray(at, at + size));
    at += size;
  }
  feedOnce(reader, stream.subarray(at));
  expect(reader.isMidway).toBe(false);
  return { passed: Buffer.concat(passed), ended };
}

describe.each(replies)('the reply %s', (_, shape, hasNoEof, bytes) => {
  const stream = Buffer.concat([bytes, packets(ok(1)), bytes]);
  const shapes: Shape[] = [shape, 'query', shape];

  test('ends where it ends, and passes byte for byte', () => {
    const { passed, ended } = read(stream, shapes, hasNoEof, []);
    expect(passed.equals(stream)).toBe(true);
    expect(ended.map((each) => each.shape)).toEqual(shapes);
    expect(ended[1]?.reply.status).toBe(3);
  });

  test('wherever it is cut', () => {
    const cuts = bytes.length > 4096 ? [1, 3, 4, 5, 60, bytes.length - 12, bytes.length - 1] : [...bytes.keys()];
    for (const cut of cuts) {
      const { passed, ended } = read(stream, shapes, hasNoEof, [cut]);
      expect(passed.equals(stream), `cut at ${cut}`).toBe(true);
      expect(ended.length, `cut at ${cut}`).toBe(3);
      expect(ended[0]?.reply.first, `cut at ${cut}`).toEqual(bytes.subarray(4, 4 + bytes.readUIntLE(0, 3)));
    }
  });

  test('byte by byte', () => {
    if (bytes.length > 4096) return;
    const { passed, ended } = read(stream, shapes, hasNoEof, Array(stream.length).fill(1));
    expect(passed.equals(stream)).toBe(true);
    expect(ended.length).toBe(3);
  });
});

test('a reply to a question of our own is kept, and nothing of it passes', () => {
  const rows = packets([2], definition, definition, '\x01a\x01b', okBehindRows());
  for (let cut = 0; cut <= rows.length; cut += 1) {
    const passed: Buffer[] = [];
    const kept: Reply[] = [];
    const queue: Expectation[] = [
      { shape: 'query' },
      { shape: 'query', isKept: true, done: (reply) => kept.push(reply) },
      { shape: 'query' },
    ];
    const reader = createReplies({
      deprecatesEof: true,
      hasTracking: false,
      expected: () => queue[0],
      arrived: () => queue.shift(),
      pass: (bytes) => passed.push(Buffer.from(bytes)),
      fileAsked: () => {},
    });
    const stream = Buffer.concat([packets(ok()), rows, packets(ok(1))]);
    feedOnce(reader, stream.subarray(0, cut + 10));
    feedOnce(reader, stream.subarray(cut + 10));
    expect(Buffer.concat(passed)).toEqual(Buffer.concat([packets(ok()), packets(ok(1))]));
    expect(kept[0]?.rows.map(String)).toEqual(['\x01a\x01b']);
    expect(Buffer.concat(kept[0]?.raw ?? [])).toEqual(rows);
  }
});

test('nothing is kept of what only passes', () => {
  const reader = createReplies({
    ...{ deprecatesEof: true, hasTracking: false, expected: (): Expectation => ({ shape: 'query' }) },
    ...{ arrived: () => {}, pass: () => {}, fileAsked: () => {} },
  });
  const rows = packets([1], definition, '\x01a', okBehindRows());
  expect(reader.feed(rows)).toBe(true);
  expect(reader.feed(rows.subarray(0, -12))).toBe(true);
});

test('the server says which database is chosen now', () => {
  const tracked = frame(Buffer.from('\0\0\0\x02\x40\0\0\0\x06\x01\x04\x03app', 'latin1'), 1);
  const ended: Reply[] = [];
  const queue: Expectation[] = [{ shape: 'query', done: (reply) => ended.push(reply) }];
  const reader = createReplies({
    ...{ deprecatesEof: true, hasTracking: true, expected: () => queue[0], arrived: () => queue.shift() },
    ...{ pass: () => {}, fileAsked: () => {} },
  });
  reader.feed(tracked);
  expect(ended[0]?.database).toBe('app');
});
