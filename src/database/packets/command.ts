// The commands of the protocol, and the payloads of those that we send ourselves.

export const command = {
  ...{ quit: 0x01, initDatabase: 0x02, query: 0x03, fieldList: 0x04, statistics: 0x09, processInfo: 0x0a },
  ...{ changeUser: 0x11, binlogDump: 0x12, prepare: 0x16, execute: 0x17, longData: 0x18, close: 0x19, reset: 0x1a },
  ...{ setOption: 0x1b, fetch: 0x1c, binlogDumpGtid: 0x1e, resetConnection: 0x1f, ping: 0x0e, debug: 0x0d, kill: 0x0c },
} as const;

/** A command that is a text: a database, a statement. */
export function worded(code: number, text: string): Buffer {
  const payload = Buffer.allocUnsafe(1 + text.length);
  payload[0] = code;
  payload.write(text, 1, 'latin1');
  return payload;
}
