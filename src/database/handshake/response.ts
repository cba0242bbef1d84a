// The first word of a client: what it takes of what was offered, and where it wants to go.

import { attempt, takeBytes, takeCounted, takeNumber, takeTerminated } from '../packets/bytes.ts';
import { capability, has, seeable, seeableExtensions } from './capabilities.ts';

export type Response = {
  /** It asks for TLS first, and will say the rest in it. */
  readonly isTlsRequest: boolean;
  /** As the client has taken them. */
  readonly capabilities: number;
  /** Of MariaDB's four bytes more; 0 where the client speaks as MySQL. */
  readonly extensions: number;
  /** Id of a collation: one byte. */
  readonly collation: number;
  readonly database: string | undefined;
  /** What the server is sent: without query attributes where it does not know them. */
  readonly payload: Buffer;
};

const fixedBytes = 32;

/** undefined where it is none of protocol 4.1. */
export function readResponse(payload: Buffer, serverCapabilities: number): Response | undefined {
  return attempt(() => {
    const cursor = { bytes: payload, at: 0 };
    const said = takeNumber(cursor, 4);
    if (!has(said, capability.protocol41)) return undefined;
    takeBytes(cursor, 4);
    const collation = takeNumber(cursor, 1);
    takeBytes(cursor, fixedBytes - 9);
    const isTlsRequest = has(said, capability.tls) && payload.length === fixedBytes;
    const capabilities = seeable(said, { tls: true });
    const patched = Buffer.from(payload);
    const known = has(serverCapabilities, capability.queryAttributes)
      ? capabilities
      : capabilities & ~capability.queryAttributes;
    patched.writeUInt32LE(known >>> 0, 0);
    const extensions = has(said, capability.mysql) ? 0 : seeableExtensions(payload.readUInt32LE(28));
    if (!has(said, capability.mysql)) patched.writeUInt32LE(extensions, 28);
    const first = { isTlsRequest, capabilities, extensions, collation, payload: patched };
    if (isTlsRequest) return { ...first, database: undefined };
    takeTerminated(cursor);
    if (has(said, capability.authLength)) takeCounted(cursor);
    else if (has(said, capability.secureConnection)) takeBytes(cursor, takeNumber(cursor, 1));
    else takeTerminated(cursor);
    const database = has(said, capability.connectWithDatabase) ? takeTerminated(cursor) : '';
    return { ...first, database: database || undefined };
  });
}
