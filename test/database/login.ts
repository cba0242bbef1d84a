// The shortest login there is: for a server that lets this user in without a password.
import { frame } from '../../src/database/packets/frames.ts';
import type { Login } from '../../src/database/session/instances.ts';

export const loginWithoutPassword: Login = ({ socket, user, database, capabilities, extensions, charset }) =>
  new Promise((resolve) => {
    let isGreeted = false;
    const onData = (chunk: Buffer) => {
      if (!isGreeted && chunk[4] !== 0xff) {
        isGreeted = true;
        const head = Buffer.alloc(32);
        head.writeUInt32LE((capabilities | 8) >>> 0, 0);
        head[8] = charset;
        head.writeUInt32LE(extensions, 28);
        const rest = Buffer.from(`${user}\0\0${database}\0mysql_native_password\0`, 'latin1');
        socket.write(frame(Buffer.concat([head, rest, Buffer.from([0])]), 1));
        return;
      }
      socket.off('data', onData);
      resolve(chunk[4] === 0 ? { ok: true } : { ok: false, why: chunk.toString('latin1', 13) });
    };
    socket.on('data', onData).on('error', ({ message }) => resolve({ ok: false, why: message }));
  });
