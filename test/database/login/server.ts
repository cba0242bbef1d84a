// The server's part of caching_sha2_password, as MySQL 8 has it: no such server is at hand, so by its documents.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html
import { constants, createHash, generateKeyPairSync, privateDecrypt } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';
import { capability } from '../../../src/database/handshake/capabilities.ts';
import { complaint } from '../../../src/database/packets/answers.ts';
import { frame } from '../../../src/database/packets/frames.ts';
import { openSide } from '../../../src/database/packets/side.ts';

const ok = Buffer.from([0, 0, 0, 2, 0, 0, 0]);
const nonce = Buffer.from('abcdefghijklmnopqrst', 'latin1');
const sha = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest();

export type Server = { readonly port: number; readonly seen: string[]; close(): void };

/** `isKnown`: the password is in its cache, so that the proof is enough. */
export async function startMysql8(password: string, { isKnown }: { readonly isKnown: boolean }): Promise<Server> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const seen: string[] = [];
  const server = createServer(async (socket) => {
    const side = openSide(socket);
    socket.on('error', () => {});
    socket.write(frame(greeting(), 0));
    const response = await side.packet();
    if (response === undefined) return;
    const plugin = 'caching_sha2_password';
    const at = response.payload.indexOf(0, 32) + 1;
    const proof = response.payload.subarray(at + 1, at + 1 + (response.payload[at] ?? 0));
    seen.push(response.payload.toString('latin1').endsWith(`${plugin}\0`) ? 'proof' : 'another plugin');
    const once = sha(Buffer.from(password));
    const wanted = once.map((byte, index) => byte ^ (sha(sha(once), nonce)[index] ?? 0));
    let sequence = response.sequence;
    if (isKnown && proof.equals(Buffer.from(wanted))) {
      socket.write(Buffer.concat([frame(Buffer.from([1, 3]), sequence + 1), frame(ok, sequence + 2)]));
      return;
    }
    socket.write(frame(Buffer.from([1, 4]), sequence + 1));
    const asked = await side.packet();
    seen.push(asked?.payload.equals(Buffer.from([2])) ? 'key' : 'something else');
    sequence = asked?.sequence ?? 0;
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    socket.write(frame(Buffer.from(`\x01${pem}`, 'latin1'), sequence + 1));
    const sealed = await side.packet();
    if (sealed === undefined) return;
    const clear = privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING }, sealed.payload);
    const text = Buffer.from(clear.map((byte, index) => byte ^ (nonce[index % nonce.length] ?? 0))).toString();
    seen.push(text === `${password}\0` ? 'password' : 'wrong password');
    const denied = { code: 1045, state: '28000', message: 'Access denied', sequence: sealed.sequence + 1 };
    socket.write(text === `${password}\0` ? frame(ok, sealed.sequence + 1) : complaint(denied));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, seen, close: () => server.close() };
}

function greeting(): Buffer {
  const { protocol41, secureConnection, connectWithDatabase, sessionTrack, deprecateEof } = capability;
  const pluginAuth = 1 << 19;
  const capabilities =
    (protocol41 | secureConnection | connectWithDatabase | sessionTrack | deprecateEof | pluginAuth) >>> 0;
  const numbers = Buffer.alloc(2 + 1 + 2 + 2 + 1 + 10);
  numbers.writeUInt16LE(capabilities & 0xffff, 0);
  numbers[2] = 45;
  numbers.writeUInt16LE(2, 3);
  numbers.writeUInt16LE(capabilities >>> 16, 5);
  numbers[7] = 21;
  return Buffer.concat([
    Buffer.from([10]),
    Buffer.from('8.0.36\0\x01\0\0\0', 'latin1'),
    nonce.subarray(0, 8),
    Buffer.from([0]),
    numbers,
    nonce.subarray(8),
    Buffer.from('\0caching_sha2_password\0', 'latin1'),
  ]);
}
