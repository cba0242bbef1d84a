import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { envoyAdmin } from '../../src/supervisor/admin.ts';
import { findPrevious, forget, type Previous, record, replace } from '../../src/supervisor/previous.ts';

const folder = tmpdir();
const socket = join(folder, `lanekeeper-previous-${process.pid}.sock`);
const bootstrapFile = join(folder, `lanekeeper-previous-${process.pid}.json`);

/** Stands for an Envoy's admin: accepts, and never says a word. */
let server: Server;
let connections: Socket[];
beforeEach(async () => {
  connections = [];
  server = createServer((connection) => connections.push(connection.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
});
afterEach(() => {
  end();
  forget(bootstrapFile);
  rmSync(socket, { force: true });
});

function end(): void {
  server.close();
  for (const connection of connections.splice(0)) connection.destroy();
}

test('an Envoy that closes an idle connection and listens on has not ended; it has when nobody listens', async () => {
  const { instance } = (await findPrevious(socket, bootstrapFile)) as Previous;
  let ended = false;
  void instance.exited.then(() => {
    ended = true;
  });
  for (const times of [1, 2, 3]) {
    await vi.waitFor(() => expect(connections.filter((connection) => !connection.destroyed)).toHaveLength(1));
    for (const connection of connections.splice(0)) connection.destroy();
    await vi.waitFor(() => expect(connections.length).toBeGreaterThan(0));
    expect(ended, `closed ${times} times`).toBe(false);
  }
  end();
  expect(await instance.exited).toBe('ended');
});

test('a process that has the number of one that is long gone is not killed', async () => {
  record(bootstrapFile, { pid: process.pid, command: ['envoy'] });
  const { instance, command } = (await findPrevious(socket, bootstrapFile)) as Previous;
  expect(command).toEqual(['envoy']);
  expect(instance.pid).toBeUndefined();
  instance.kill('SIGKILL');
});

test('one that stays whatever it is told is a reason not to start another', async () => {
  const { instance } = (await findPrevious(socket, bootstrapFile)) as Previous;
  await expect(replace(instance, envoyAdmin(socket, 50), 100)).rejects.toThrow(
    'an Envoy runs here already and does not end; end it, then start again',
  );
});
