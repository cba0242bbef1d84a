// A client that sends packets as they are given, however many at once, and tells what came back, packet by packet.
import { once } from 'node:events';
import { connect } from 'node:net';
import { command, worded } from '../../../src/database/packets/command.ts';
import { frame } from '../../../src/database/packets/frames.ts';
import { addressed } from '../../../src/database/statements/prepared.ts';
import { handshake } from '../client.ts';

export type Speaker = {
  send(...packets: readonly Buffer[]): void;
  /** The next reply: an error as its code and text, rows as their bytes, the head of a preparation as its id. */
  reply(kind?: 'prepared'): Promise<string | number>;
  close(): void;
};

export const ping: Buffer = frame(Buffer.from([command.ping]), 0);
export const prepare = (sql: string): Buffer => frame(worded(command.prepare, sql), 0);
export const reset = (id: number): Buffer => frame(addressed(command.reset, id), 0);
export const close = (id: number): Buffer => frame(addressed(command.close, id), 0);
export const fetch = (id: number): Buffer => frame(addressed(command.fetch, id, Buffer.from([1, 0, 0, 0])), 0);

/** With values that are texts; those that are undefined were sent before. */
export function execute(id: number, ...values: readonly (string | undefined)[]): Buffer {
  const head = Buffer.from([0, 1, 0, 0, 0, ...values.slice(0, Math.ceil(values.length / 8)).map(() => 0)]);
  const types = values.length === 0 ? [] : [1, ...values.flatMap(() => [253, 0])];
  const texts = values.flatMap((value) => (value === undefined ? [] : [value.length, ...Buffer.from(value)]));
  return frame(addressed(command.execute, id, Buffer.concat([head, Buffer.from([...types, ...texts])])), 0);
}

export function longData(id: number, parameter: number, text: string): Buffer {
  return frame(addressed(command.longData, id, Buffer.from([parameter, 0, ...Buffer.from(text)])), 0);
}

export async function openSpeaker(port: number): Promise<Speaker> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const packets: Buffer[] = [];
  let bytes = Buffer.alloc(0);
  let wake = () => {};
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUIntLE(0, 3)) {
      const end = 4 + bytes.readUIntLE(0, 3);
      packets.push(bytes.subarray(4, end));
      bytes = bytes.subarray(end);
    }
    wake();
  });
  socket.on('error', () => {}).on('close', () => wake());
  await once(socket, 'connect');
  await packet();
  socket.write(handshake());
  await packet();
  return {
    send: (...all) => void socket.write(Buffer.concat(all)),
    reply,
    close: () => void socket.destroy(),
  };

  async function packet(): Promise<Buffer> {
    for (;;) {
      const next = packets.shift();
      if (next !== undefined) return next;
      if (socket.destroyed) throw new Error('the connection was closed');
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  async function reply(kind?: 'prepared'): Promise<string | number> {
    const first = await packet();
    if (first[0] === 0xff) return `${first.readUInt16LE(1)} ${first.toString('latin1', 9)}`;
    if (kind === 'prepared') {
      for (let left = first.readUInt16LE(5) + first.readUInt16LE(7); left > 0; left -= 1) await packet();
      return first.readUInt32LE(1);
    }
    if (first[0] === 0) return 'ok';
    for (let left = first[0] ?? 0; left > 0; left -= 1) await packet();
    const rows: string[] = [];
    for (let row = await packet(); row[0] !== 0xfe; row = await packet()) {
      if (row[0] === 0xff) return `${row.readUInt16LE(1)} ${row.toString('latin1', 9)}`;
      rows.push(row.toString('latin1').replaceAll(/[^\x20-\x7e]/g, ''));
    }
    return rows.join();
  }
}
