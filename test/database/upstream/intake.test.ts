import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { connectTo, takeFrom } from '../../../src/database/upstream/intake.ts';

let close = () => {};
afterEach(() => close());

/** Both ends of a connection, and what is taken at one of them as a whole, once the other has ended. */
async function pair() {
  const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const near = connectTo({ host: '127.0.0.1', port: typeof address === 'object' ? (address?.port ?? 0) : 0 });
  const [far] = (await once(server, 'connection')) as [Socket];
  close = () => {
    for (const socket of [near, far]) socket.destroy();
    server.close();
  };
  return { near, far };
}

test('writes over no chunk that somebody keeps', async () => {
  const { near, far } = await pair();
  const kept: Buffer[] = [];
  takeFrom(near, (chunk) => {
    kept.push(chunk);
    return false;
  });
  near.resume();
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => `${index};`).join(''));
  far.end(bytes);
  await once(near, 'end');
  expect(kept.length).toBeGreaterThan(1);
  expect(Buffer.concat(kept).equals(bytes)).toBe(true);
});

test('uses one buffer where nobody keeps any', async () => {
  const { near, far } = await pair();
  const buffers = new Set<ArrayBufferLike>();
  let chunks = 0;
  takeFrom(near, ({ buffer }) => {
    buffers.add(buffer);
    chunks += 1;
    if (chunks < 100) far.write('again');
    else far.end();
    return true;
  });
  near.resume();
  far.write('once');
  await once(near, 'end');
  expect(chunks).toBe(100);
  expect(buffers.size).toBe(1);
});

test('keeps no whole buffer for a few bytes', async () => {
  const { near, far } = await pair();
  const kept: Buffer[] = [];
  takeFrom(near, (chunk) => {
    kept.push(chunk);
    if (kept.length < 100) far.write(`${kept.length};`);
    else far.end();
    return false;
  });
  near.resume();
  far.write('0;');
  await once(near, 'end');
  expect(kept.map(String)).toEqual(Array.from({ length: 100 }, (_, index) => `${index};`));
  const buffers = new Set(kept.map(({ buffer }) => buffer));
  expect(buffers.size).toBeLessThan(10);
});

test('has a large buffer from the first big reply on, until there were none for a while', async () => {
  const { near, far } = await pair();
  const sizes: number[] = [];
  takeFrom(near, ({ buffer, length }) => {
    sizes.push(buffer.byteLength);
    if (sizes.length === 1) far.write(Buffer.alloc(4096));
    else if (sizes.length < 100) far.write(Buffer.alloc(length === 4096 ? 5000 : 10));
    else far.end();
    return true;
  });
  near.resume();
  far.write('small');
  await once(near, 'end');
  expect(sizes.slice(0, 3)).toEqual([4096, 4096, 65_536]);
  expect(sizes[50]).toBe(65_536);
  expect(sizes.at(-1)).toBe(4096);
});

test('gives first what was read before, and what was given back', async () => {
  const { near, far } = await pair();
  far.write('greeting, ');
  const [greeting] = await once(near, 'data');
  near.pause();
  near.unshift(greeting);
  let taken = '';
  takeFrom(near, (chunk) => {
    taken += chunk.toString();
    return true;
  });
  far.end('and more');
  near.resume();
  await once(near, 'end');
  expect(taken).toBe('greeting, and more');
});
