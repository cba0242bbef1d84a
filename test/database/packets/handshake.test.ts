import { describe, expect, test } from 'vitest';
import { capability } from '../../../src/database/handshake/capabilities.ts';
import { readGreeting } from '../../../src/database/handshake/greeting.ts';
import { readProxyHeader } from '../../../src/database/handshake/proxy-header.ts';
import { readResponse } from '../../../src/database/handshake/response.ts';

const everything = 0xffff_ffff;

function greeting(capabilities: number, extensions: number): Buffer {
  const low = Buffer.alloc(2);
  const high = Buffer.alloc(2);
  low.writeUInt16LE(capabilities & 0xffff);
  high.writeUInt16LE(capabilities >>> 16);
  const more = Buffer.alloc(4);
  more.writeUInt32LE(extensions);
  const [head, rest] = ['\x0a11.4.2-MariaDB\0\x01\0\0\0abcdefgh\0', 'ijklmnopqrst\0mysql_native_password\0'];
  const parts = [
    Buffer.from(head),
    low,
    Buffer.from('\x2d\x02\0', 'latin1'),
    high,
    Buffer.from('\x15\0\0\0\0\0\0'),
    more,
  ];
  return Buffer.concat([...parts, Buffer.from(rest)]);
}

describe('a greeting', () => {
  test('offers nothing that we cannot see through, and query attributes always', () => {
    const told = readGreeting(greeting(everything & ~capability.mysql & ~capability.queryAttributes, everything), {
      tls: false,
    });
    const at = '\x0a11.4.2-MariaDB\0'.length + 4 + 8 + 1;
    const payload = told?.payload ?? Buffer.alloc(0);
    const bits = payload.readUInt16LE(at) | (payload.readUInt16LE(at + 5) << 16);
    for (const name of ['compress', 'tls', 'zstd', 'optionalMetadata', 'progress'] as const)
      expect(bits & capability[name], name).toBe(0);
    for (const name of ['queryAttributes', 'deprecateEof', 'sessionTrack', 'connectWithDatabase'] as const)
      expect(bits & capability[name], name).not.toBe(0);
    // Of MariaDB's own: the type of JSON and the like stays, reports of progress and bulk statements go.
    expect(payload.readUInt32LE(at + 14) & 0xff).toBe(0b1100_1000);
  });

  test('offers TLS where it is terminated, and only if the server has it', () => {
    const lowAt = '\x0a11.4.2-MariaDB\0'.length + 4 + 8 + 1;
    const bits = (capabilities: number) =>
      readGreeting(greeting(capabilities, 0), { tls: true })?.payload.readUInt16LE(lowAt) ?? 0;
    expect(bits(everything) & capability.tls).toBe(capability.tls);
    expect(bits(everything & ~capability.tls) & capability.tls).toBe(0);
  });

  test('keeps the nonce and the plugin', () => {
    const before = greeting(everything, 0);
    const after = readGreeting(before, { tls: false })?.payload;
    expect(after?.subarray(-35)).toEqual(before.subarray(-35));
    expect(after?.length).toBe(before.length);
  });

  test.each(['', '\x09', '\x0a', '\x0a5.5\0', '\xff\x10\x04no'])('is none: %j', (text) => {
    expect(readGreeting(Buffer.from(text, 'latin1'), { tls: false })).toBeUndefined();
  });
});

function response(capabilities: number, rest: string): Buffer {
  const head = Buffer.alloc(32);
  head.writeUInt32LE(capabilities >>> 0);
  head[8] = 45;
  head.writeUInt32LE(0xff, 28);
  return Buffer.concat([head, Buffer.from(rest, 'latin1')]);
}

describe('the first word of a client', () => {
  const { protocol41, connectWithDatabase, secureConnection, authLength, queryAttributes, mysql } = capability;

  test.each([
    ['a proof with its length in one byte', protocol41 | secureConnection | connectWithDatabase, 'me\0\x03abcapp\0'],
    [
      'a proof with a longer length',
      protocol41 | authLength | connectWithDatabase,
      `me\0\xfc\x2c\x01${'x'.repeat(300)}app\0`,
    ],
    ['an old proof', protocol41 | connectWithDatabase, 'me\0abc\0app\0'],
  ])('names its database behind %s', (_, capabilities, rest) => {
    expect(readResponse(response(capabilities, rest), everything)).toMatchObject({ database: 'app', collation: 45 });
  });

  test('takes query attributes of us, of which a server without them hears nothing', () => {
    const said = readResponse(response(protocol41 | queryAttributes | mysql, 'me\0\0'), everything & ~queryAttributes);
    expect((said?.capabilities ?? 0) & queryAttributes).toBe(queryAttributes);
    expect((said?.payload.readUInt32LE(0) ?? 0) & queryAttributes).toBe(0);
  });

  test('has MariaDB’s bytes only where it speaks as MariaDB', () => {
    expect(readResponse(response(protocol41, 'me\0\0'), everything)?.extensions).toBe(0xc8);
    expect(readResponse(response(protocol41 | mysql, 'me\0\0'), everything)?.extensions).toBe(0);
  });

  test.each([
    ['of the protocol before 4.1', Buffer.from('\x05\0\0\0\0me\0')],
    ['that ends in its name', response(protocol41, 'me')],
    ['that ends in its proof', response(protocol41 | secureConnection, 'me\0\x09ab')],
  ])('is none %s', (_, payload) => {
    expect(readResponse(payload, everything)).toBeUndefined();
  });
});

describe('a PROXY header', () => {
  test('of six groups or four names its destination, not its source', () => {
    const text = Buffer.from('PROXY TCP6 ::1 2001:db8::2 1 3306\r\nrest');
    expect(readProxyHeader(text)).toEqual({
      state: 'read',
      destination: { host: '2001:db8::2', port: 3306 },
      bytes: 35,
    });
    const head = Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24', 'latin1');
    const addresses = Buffer.alloc(36);
    addresses[15] = 1;
    addresses.set([0x20, 0x01, 0x0d, 0xb8], 16);
    addresses.writeUInt16BE(3306, 34);
    expect(readProxyHeader(Buffer.concat([head, addresses]))).toEqual({
      ...{ state: 'read', destination: { host: '2001:db8:0:0:0:0:0:0', port: 3306 }, bytes: 52 },
    });
  });

  test('is waited for, byte by byte', () => {
    const text = Buffer.from('PROXY TCP4 1.1.1.1 2.2.2.2 1 3306\r\n');
    for (let end = 0; end < text.length; end += 1) expect(readProxyHeader(text.subarray(0, end)).state).toBe('more');
  });
});
