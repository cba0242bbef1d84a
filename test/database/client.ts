// A client of a proxy that says whatever bytes it is told, and hears packets.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, vi } from 'vitest';
import { createInput, frame, type Packet } from '../../src/database/packets/frames.ts';
import { isMysql } from './server.ts';

export type RawClient = {
  readonly socket: Socket;
  /** What it was told, as short words: `OK`, `ERR 1146`, `OTHER` for what is none of both. */
  readonly heard: string[];
  send(...packets: readonly Buffer[]): void;
  /** When it was told so many packets since it has logged in. */
  hears(count: number): Promise<void>;
};

const capabilities = 0x018b_a28d; // of 4.1, with a database, several statements and results, and no EOF behind rows
/** What needs no proof of an account without a password. */
const plugin = isMysql ? 'caching_sha2_password' : 'mysql_native_password';
const noPassword = Buffer.from(`root\0\0app\0${plugin}\0`);

export function handshake(): Buffer {
  const head = Buffer.alloc(32);
  head.writeUInt32LE(capabilities, 0);
  head.writeUInt32LE(1 << 24, 4);
  head[8] = 45;
  return frame(Buffer.concat([head, noPassword]), 1);
}

export const query = (text: string): Buffer => frame(Buffer.from(`\x03${text}`, 'latin1'), 0);

export const changeUser = (): Buffer => frame(Buffer.from(`\x11root\0\0app\0\x2d\0${plugin}\0`, 'latin1'), 0);

/** Connected, and told a greeting; it has not said who it is. */
export async function openClient(port: number): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  const input = createInput();
  const heard: string[] = [];
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    input.push(chunk as Buffer);
    for (;;) {
      const packet = input.next(1 << 24);
      if (packet === undefined || packet === 'long') return;
      heard.push(wordOf(packet));
    }
  });
  await once(socket, 'connect');
  const client: RawClient = {
    socket,
    heard,
    send: (...packets) => void socket.write(Buffer.concat(packets)),
    hears: (count) => vi.waitFor(() => expect(heard.length).toBe(count), { timeout: 20_000, interval: 5 }),
  };
  await client.hears(1);
  heard.length = 0;
  return client;
}

function wordOf({ payload }: Packet): string {
  if (payload[0] === 0xff) return `ERR ${payload.readUInt16LE(1)}`;
  return payload[0] === 0 ? 'OK' : 'OTHER';
}
