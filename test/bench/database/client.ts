// The smallest client of the protocol: what it costs must not hide what is in the middle.
import { connect, type Socket } from 'node:net';
import { frame } from '../../../src/database/packets/frames.ts';

export type Client = {
  /** Resolves when the reply is here. */
  query(sql: string): Promise<void>;
  prepare(sql: string): Promise<number>;
  execute(id: number, value: number): Promise<void>;
  close(): void;
};

// Protocol 4.1, secure, plugin, with a database, transactions, replies without EOF.
const capabilities = 0x0108_a208 | 0x0000_2000 | 1;

export async function openClient(port: number): Promise<Client> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const replies = readReplies(socket);
  await replies.next('one');
  const head = Buffer.alloc(32);
  head.writeUInt32LE(capabilities, 0);
  head[8] = 45;
  const rest = Buffer.from('root\0\0app\0mysql_native_password\0', 'latin1');
  socket.write(frame(Buffer.concat([head, rest]), 1));
  await replies.next('one');
  return {
    async query(sql) {
      socket.write(frame(Buffer.from(`\x03${sql}`, 'latin1'), 0));
      await replies.next('rows');
    },
    async prepare(sql) {
      socket.write(frame(Buffer.from(`\x16${sql}`, 'latin1'), 0));
      const first = await replies.next('prepared');
      return first.readUInt32LE(1);
    },
    async execute(id, value) {
      const payload = Buffer.alloc(10 + 1 + 1 + 2 + 8);
      payload[0] = 0x17;
      payload.writeUInt32LE(id, 1);
      payload.writeUInt32LE(1, 6);
      payload[11] = 1;
      payload[12] = 8; // a number of eight bytes
      payload.writeBigInt64LE(BigInt(value), 14);
      socket.write(frame(payload, 0));
      await replies.next('rows');
    },
    close: () => socket.destroy(),
  };
}

type Shape = 'one' | 'rows' | 'prepared';

/** Counts packets of one reply at a time. */
function readReplies(socket: Socket) {
  let bytes = Buffer.alloc(0);
  let waiting: { shape: Shape; left: number; first: Buffer | undefined; done: (first: Buffer) => void } | undefined;
  socket.on('data', (chunk) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    while (bytes.length >= 4) {
      const end = 4 + bytes.readUIntLE(0, 3);
      if (bytes.length < end) return;
      const payload = bytes.subarray(4, end);
      bytes = bytes.subarray(end);
      packet(payload);
    }
  });
  return {
    next: (shape: Shape) =>
      new Promise<Buffer>((done) => {
        waiting = { shape, left: -1, first: undefined, done };
      }),
  };

  function packet(payload: Buffer): void {
    if (waiting === undefined) return;
    const { shape, first = payload, done } = waiting;
    const mark = payload[0] ?? 0;
    if (waiting.first === undefined && mark === 0xff) throw new Error(payload.toString('latin1', 9));
    if (waiting.first === undefined) {
      waiting.first = first;
      // A head, then columns and rows to a final OK; or parameters and columns behind a prepared statement.
      if (shape === 'rows' && mark !== 0) waiting.left = -1;
      else waiting.left = shape === 'prepared' ? payload.readUInt16LE(5) + payload.readUInt16LE(7) : 0;
    } else if (waiting.left < 0) waiting.left = mark === 0xfe && payload.length < 64 ? 0 : -1;
    else waiting.left -= 1;
    if (waiting.left !== 0) return;
    waiting = undefined;
    done(first);
  }
}
