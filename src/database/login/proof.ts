// How a client shows that it knows the password: by the server's nonce, so that it is never seen on the wire.

import { constants, createHash, publicEncrypt } from 'node:crypto';

/** The plugins that can be answered, the first where the server's own cannot. */
export const plugins = ['mysql_native_password', 'caching_sha2_password', 'sha256_password'] as const;
export type Plugin = (typeof plugins)[number];

export const isPlugin = (name: string): name is Plugin => plugins.some((known) => known === name);

/** The first answer to a plugin; `more` says that the password itself is asked for, under the server's key. */
export function firstProof(plugin: Plugin, password: string, nonce: Buffer): Buffer {
  if (password === '') return Buffer.alloc(plugin === 'sha256_password' ? 1 : 0);
  switch (plugin) {
    case 'mysql_native_password':
      return native(password, nonce);
    case 'caching_sha2_password':
      return cachingSha2(password, nonce);
    case 'sha256_password':
      return Buffer.from([1]); // asks for the key
  }
}

/** SHA1(password) XOR SHA1(nonce + SHA1(SHA1(password))). */
function native(password: string, nonce: Buffer): Buffer {
  const once = hash('sha1', Buffer.from(password, 'utf8'));
  return xor(once, hash('sha1', nonce, hash('sha1', once)));
}

/** SHA256(password) XOR SHA256(SHA256(SHA256(password)) + nonce). */
function cachingSha2(password: string, nonce: Buffer): Buffer {
  const once = hash('sha256', Buffer.from(password, 'utf8'));
  return xor(once, hash('sha256', hash('sha256', once), nonce));
}

/** The password under the server's key; undefined where that is none. The server's padding is OAEP with SHA-1. */
export function sealed(password: string, nonce: Buffer, key: Buffer): Buffer | undefined {
  const clear = xor(Buffer.from(`${password}\0`, 'utf8'), nonce);
  try {
    return publicEncrypt({ key: key.toString('latin1'), padding: constants.RSA_PKCS1_OAEP_PADDING }, clear);
  } catch {
    return undefined;
  }
}

function hash(algorithm: string, ...parts: readonly Buffer[]): Buffer {
  const digest = createHash(algorithm);
  for (const part of parts) digest.update(part);
  return digest.digest();
}

/** The second, again and again, over the first. */
function xor(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, index) => byte ^ (other[index % other.length] ?? 0)));
}
