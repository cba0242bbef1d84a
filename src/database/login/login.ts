// The client's part of a login: for the servers of labels, on which nobody has shown who he is before us.

import { capability } from '../handshake/capabilities.ts';
import { readError } from '../packets/answers.ts';
import { attempt, takeBytes, takeNumber, takeTerminated } from '../packets/bytes.ts';
import { frame, type Packet } from '../packets/frames.ts';
import { openSide, type Side } from '../packets/side.ts';
import type { Login, LoginOptions } from '../upstream/instances.ts';
import { firstProof, isPlugin, plugins, sealed } from './proof.ts';

/** What changes the form of replies: the client reads them as those of its own server. */
const forms = {
  'the protocol of 4.1': capability.protocol41,
  'session tracking': capability.sessionTrack,
  'replies without EOF': capability.deprecateEof,
  'query attributes': capability.queryAttributes,
} as const;
const pluginAuth = 1 << 19;
const multiFactor = 1 << 28;

type Entered = Awaited<ReturnType<Login>>;

/**
 * Logs in with the capabilities that are given, no fewer where replies would have another form. Passwords are proved, or
 * sent under the server's RSA key; never in clear. The socket is the
 * caller's again when it resolves, and paused; never rejects.
 */
export const login: Login = async (options) => {
  const side = openSide(options.socket);
  try {
    return await converse(side, options);
  } finally {
    side.release();
  }
};

async function converse(side: Side, options: LoginOptions): Promise<Entered> {
  const first = await side.packet();
  if (first === undefined) return no(side.why() ?? 'it closed the connection, or does not greet');
  if (first.payload[0] === 0xff) return no(readError(first.payload).message);
  const greeting = readServer(first.payload);
  if (greeting === undefined) return no('it speaks no protocol of version 10');
  const missing = Object.entries(forms).filter(
    ([, bit]) => (options.capabilities & bit) !== 0 && (greeting.capabilities & bit) === 0,
  );
  if (missing.length > 0)
    return no(`it lacks ${missing.map(([name]) => name).join(', ')}, which the client's own server has`);
  if ((options.extensions & ~greeting.extensions) !== 0)
    return no(
      "it lacks extensions of MariaDB that the client's own server has; expected a server of its kind and version",
    );
  let { plugin, nonce } = greeting;
  // A user may have another plugin than the server's default: the server says so then, and is answered.
  const offered = isPlugin(plugin) ? plugin : plugins[0];
  const proof = firstProof(offered, options.password, nonce);
  side.socket.write(frame(response(options, greeting.capabilities, { plugin: offered, proof }), first.sequence + 1));
  plugin = offered;
  for (;;) {
    const packet = await side.packet();
    if (packet === undefined) return no(side.why() ?? 'it closed the connection');
    const [mark, detail] = packet.payload;
    if (mark === 0) return { ok: true };
    if (mark === 0xff) return no(readError(packet.payload).message);
    let answer: Buffer | string;
    if (mark === 0xfe) {
      const asked = readSwitch(packet);
      if (asked === undefined) return no('it asks for a password of before 4.1');
      if (!isPlugin(asked.plugin))
        return no(`its user is known by ${asked.plugin}, expected one that is known by ${plugins.join(', ')}`);
      ({ plugin, nonce } = asked);
      answer = firstProof(asked.plugin, options.password, nonce);
    } else if (mark === 1 && plugin === 'caching_sha2_password' && detail === 3)
      continue; // known: an OK follows
    else if (mark === 1 && plugin === 'caching_sha2_password' && detail === 4)
      answer = Buffer.from([2]); // asks for the key
    else if (mark === 1) answer = sealed(options.password, nonce, packet.payload.subarray(1)) ?? 'it sends no RSA key';
    else return no(`it says something unknown (${mark})`);
    if (typeof answer === 'string') return no(answer);
    side.socket.write(frame(answer, packet.sequence + 1));
  }
}

type Server = {
  readonly capabilities: number;
  /** MariaDB's four bytes more. */
  readonly extensions: number;
  readonly plugin: string;
  readonly nonce: Buffer;
};

function readServer(payload: Buffer): Server | undefined {
  return attempt(() => {
    const cursor = { bytes: payload, at: 0 };
    if (takeNumber(cursor, 1) !== 10) return undefined;
    takeTerminated(cursor);
    takeBytes(cursor, 4);
    const start = takeBytes(cursor, 8);
    takeBytes(cursor, 1);
    const low = takeNumber(cursor, 2);
    takeBytes(cursor, 3);
    const capabilities = (low | (takeNumber(cursor, 2) << 16)) >>> 0;
    const length = takeNumber(cursor, 1);
    takeBytes(cursor, 6);
    const more = takeNumber(cursor, 4);
    const extensions = (capabilities & capability.mysql) === 0 ? more : 0;
    const rest = takeBytes(cursor, Math.max(13, length - 8)).subarray(0, 12); // the 13th is a zero
    const plugin = (capabilities & pluginAuth) === 0 ? plugins[0] : takeTerminated(cursor);
    return { capabilities, extensions, plugin, nonce: Buffer.concat([start, rest]) };
  });
}

function readSwitch({ payload }: Packet): { plugin: string; nonce: Buffer } | undefined {
  return attempt(() => {
    const cursor = { bytes: payload, at: 1 };
    if (payload.length === 1) return undefined;
    const plugin = takeTerminated(cursor);
    const nonce = payload.subarray(cursor.at);
    return { plugin, nonce: nonce.at(-1) === 0 ? nonce.subarray(0, -1) : nonce };
  });
}

function response(
  { capabilities, extensions, charset, user, database }: LoginOptions,
  has: number,
  { plugin, proof }: { readonly plugin: string; readonly proof: Buffer },
): Buffer {
  const wanted = capability.protocol41 | capability.secureConnection | capability.connectWithDatabase | pluginAuth;
  const unwanted = capability.tls | capability.authLength | connectAttributes | multiFactor;
  const head = Buffer.alloc(32);
  head.writeUInt32LE((((capabilities & ~unwanted) | wanted) & (has | capability.connectWithDatabase)) >>> 0, 0);
  head.writeUInt32LE(1 << 30, 4);
  head[8] = charset;
  head.writeUInt32LE(extensions, 28);
  return Buffer.concat([
    head,
    Buffer.from(`${user}\0`, 'utf8'),
    Buffer.from([proof.length]),
    proof,
    Buffer.from(`${database}\0`, 'latin1'),
    Buffer.from(`${plugin}\0`, 'latin1'),
  ]);
}

const connectAttributes = 1 << 20;

function no(why: string): Entered {
  return { ok: false, why };
}
