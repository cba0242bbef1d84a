// The client's part of a login: for the servers of labels, on which nobody has shown who he is before us.

import { capability, has } from '../handshake/capabilities.ts';
import { readError } from '../packets/answers.ts';
import { attempt, takeBytes, takeNumber, takeTerminated } from '../packets/bytes.ts';
import { frame, type Packet } from '../packets/frames.ts';
import { openSide, type Side } from '../packets/side.ts';
import type { Login, LoginOptions } from '../upstream/instances.ts';
import { originate } from '../upstream/secure.ts';
import { firstProof, isPlugin, type Plugin, plugins, sealed } from './proof.ts';

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
 * sent under the server's RSA key; in clear only within TLS, which is spoken where it is terminated for clients and the
 * server has it. The socket is the caller's again when it resolves, and paused; never rejects.
 */
export const login: Login = async (options) => {
  const sides = [openSide(options.socket)];
  try {
    return await converse(sides, options);
  } finally {
    sides.at(-1)?.release();
  }
};

/** The last of the sides is the one that is spoken on. */
async function converse(sides: Side[], options: LoginOptions): Promise<Entered> {
  let [side] = sides as [Side];
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
  const { tls, password } = options;
  const isSecret = tls.mode === 'terminate' && has(greeting.capabilities, capability.tls);
  if (tls.mode === 'terminate' && tls.authority !== undefined && !isSecret)
    return no('it offers no TLS, expected a server that --database-authority vouches for');
  let { sequence } = first;
  if (isSecret) {
    sequence += 1;
    side.socket.write(frame(head(options, { offered: greeting.capabilities, isSecret }), sequence));
    side = openSide(originate(side.release(), tls));
    sides.push(side);
  }
  let { plugin, nonce } = greeting;
  const proofOf = (by: Plugin): Buffer =>
    isSecret && by === 'sha256_password' ? Buffer.from(`${password}\0`, 'utf8') : firstProof(by, password, nonce);
  // A user may have another plugin than the server's default: the server says so then, and is answered.
  const offered = isPlugin(plugin) ? plugin : plugins[0];
  const said = response(options, { plugin: offered, proof: proofOf(offered) });
  side.socket.write(
    frame(Buffer.concat([head(options, { offered: greeting.capabilities, isSecret }), said]), sequence + 1),
  );
  plugin = offered;
  for (;;) {
    const packet = await side.packet();
    if (packet === undefined) return no(side.why() ?? 'it closed the connection');
    const [mark, detail] = packet.payload;
    if (mark === 0) return { ok: true, socket: side.socket };
    if (mark === 0xff) return no(readError(packet.payload).message);
    let answer: Buffer | string;
    if (mark === 0xfe) {
      const asked = readSwitch(packet);
      if (asked === undefined) return no('it asks for a password of before 4.1');
      if (!isPlugin(asked.plugin))
        return no(`its user is known by ${asked.plugin}, expected one that is known by ${plugins.join(', ')}`);
      ({ plugin, nonce } = asked);
      answer = proofOf(asked.plugin);
    } else if (mark === 1 && plugin === 'caching_sha2_password' && detail === 3)
      continue; // known: an OK follows
    else if (mark === 1 && plugin === 'caching_sha2_password' && detail === 4)
      answer = isSecret ? Buffer.from(`${password}\0`, 'utf8') : Buffer.from([2]); // the password, or a question for the key
    else if (mark === 1) answer = sealed(password, nonce, packet.payload.subarray(1)) ?? 'it sends no RSA key';
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

/** By itself it asks for TLS; before all else that is said it stands in any case. */
function head(
  { capabilities, extensions, charset }: LoginOptions,
  { offered, isSecret }: { readonly offered: number; readonly isSecret: boolean },
): Buffer {
  const always = capability.protocol41 | capability.secureConnection | capability.connectWithDatabase | pluginAuth;
  const wanted = isSecret ? always | capability.tls : always;
  const unwanted = capability.tls | capability.authLength | connectAttributes | multiFactor;
  const bytes = Buffer.alloc(32);
  bytes.writeUInt32LE((((capabilities & ~unwanted) | wanted) & (offered | capability.connectWithDatabase)) >>> 0, 0);
  bytes.writeUInt32LE(1 << 30, 4);
  bytes[8] = charset;
  bytes.writeUInt32LE(extensions, 28);
  return bytes;
}

function response(
  { user, database }: LoginOptions,
  { plugin, proof }: { readonly plugin: string; readonly proof: Buffer },
): Buffer {
  return Buffer.concat([
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
