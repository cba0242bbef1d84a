// The PROXY header with which a connection begins that was not meant for us: where it was going.
// https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt

export type Destination = { readonly host: string; readonly port: number };

export type ProxyHeader =
  | { readonly state: 'more' }
  | { readonly state: 'invalid' }
  | { readonly state: 'read'; readonly destination: Destination; readonly bytes: number };

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const longestText = 107;
const more: ProxyHeader = { state: 'more' };
const invalid: ProxyHeader = { state: 'invalid' };

/** Version 1 or 2 at the beginning of these bytes; one that names no destination is invalid. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  const known = Math.min(bytes.length, signature.length);
  if (bytes.compare(signature, 0, known, 0, known) === 0) return bytes.length < 16 ? more : readBinary(bytes);
  return readText(bytes);
}

function readBinary(bytes: Buffer): ProxyHeader {
  const [command, family] = [bytes[12], bytes[13]];
  const end = 16 + bytes.readUInt16BE(14);
  if (command !== 0x21 || (family !== 0x11 && family !== 0x21)) return invalid;
  if (end < 16 + (family === 0x11 ? 12 : 36)) return invalid;
  if (bytes.length < end) return more;
  if (family === 0x11) {
    const host = [...bytes.subarray(20, 24)].join('.');
    return { state: 'read', destination: { host, port: bytes.readUInt16BE(26) }, bytes: end };
  }
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(32 + 2 * index).toString(16));
  return { state: 'read', destination: { host: groups.join(':'), port: bytes.readUInt16BE(50) }, bytes: end };
}

function readText(bytes: Buffer): ProxyHeader {
  const end = bytes.indexOf('\r\n', 0, 'latin1');
  const text = bytes.toString('latin1', 0, end < 0 ? longestText : end);
  if (!'PROXY TCP'.startsWith(text.slice(0, 9))) return invalid;
  if (end < 0) return bytes.length >= longestText ? invalid : more;
  const found = /^PROXY TCP[46] [0-9a-fA-F.:]+ ([0-9a-fA-F.:]+) \d{1,5} (\d{1,5})$/.exec(text);
  const port = Number(found?.[2]);
  if (found === null || port > 65_535 || end + 2 > longestText) return invalid;
  return { state: 'read', destination: { host: found[1] ?? '', port }, bytes: end + 2 };
}

/** Version 1. Whose the connection is nobody asks; the form wants an address of one family. */
export function writeProxyHeader({ host, port }: Destination): string {
  return host.includes(':') ? `PROXY TCP6 ::1 ${host} 1 ${port}\r\n` : `PROXY TCP4 127.0.0.1 ${host} 1 ${port}\r\n`;
}
