// One server and two workloads before it, base and gray, for the suite of a driver; and what every driver must hand through.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest';
import type { Recollection } from '../../../src/propagation/recollection.ts';
import { type Server, startServer } from '../server.ts';
import { label, type Stage, type StageOptions, startStage } from '../stage.ts';

export type Lane = {
  readonly name: 'base' | 'gray';
  readonly stage: Stage;
  /** The table that statements on `orders` must reach. */
  readonly own: string;
  /** Rejects unless these are the ids of its own table, and the other lane has none. */
  holds(ids: readonly number[]): Promise<void>;
};

const columns = `(
  id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(200), note VARCHAR(200), body LONGBLOB, day DATE, at DATETIME(6),
  price DECIMAL(20, 6), small TINYINT, big BIGINT, ratio DOUBLE
) DEFAULT CHARSET utf8mb4`;

export const tables = [
  'DROP DATABASE IF EXISTS app',
  'CREATE DATABASE app',
  `CREATE TABLE app.orders ${columns}`,
  'CREATE TABLE app.orders_gray LIKE app.orders',
  'CREATE TABLE app.items (id INT PRIMARY KEY, name VARCHAR(200))',
];

export const trace = '4bf92f3577b34da6a3ce929d0e0e4736';

/** What a base workload in traffic remembers: one gray trace. */
export const remembering: StageOptions = {
  unattributed: { writes: 'base', reads: 'base' },
  isRemembering: () => true,
  recall: (ids): Promise<Recollection> =>
    Promise.resolve(
      ids.some((id) => id === `w3c:${trace}`) ? { outcome: 'label', label: label('gray') } : { outcome: 'none' },
    ),
};

const usual = ['--max-allowed-packet=64M', '--local-infile=1'];

/** The suite of a driver, once a lane; tables are fresh before each test. */
export function inEachLane(
  promises: (lane: () => Lane, name: Lane['name']) => void,
  { flags = [], ...options }: StageOptions & { readonly flags?: readonly string[] } = {},
): void {
  let server: Server;
  beforeAll(async () => {
    server = await startServer([...usual, ...flags]);
  });
  afterAll(() => server?.remove());

  describe.each(['base', 'gray'] as const)('on a workload of %s', (name) => {
    let lane: Lane;
    beforeAll(async () => {
      const labels = name === 'gray' ? ['gray'] : [];
      lane = laneOf(name, await startStage({ maxStatementBytes: 40 << 20, sql: tables, ...options, server, labels }));
    });
    afterAll(() => lane?.stage.close());
    beforeEach(async () => {
      const root = await lane.stage.direct();
      for (const each of tables) await root.query(each);
      root.destroy();
    });
    promises(() => lane, name);
  });
}

function laneOf(name: 'base' | 'gray', stage: Stage): Lane {
  const [own, other] = name === 'gray' ? ['orders_gray', 'orders'] : ['orders', 'orders_gray'];
  const ids = (table: string) => stage.column(`SELECT id FROM app.${table} ORDER BY id`);
  return {
    name,
    stage,
    own,
    async holds(expected) {
      expect({ own: await ids(own), other: await ids(other) }).toEqual({ own: expected, other: [] });
    },
  };
}

/** One statement for each column, and NULL in the second row. */
export const insertRow = `INSERT INTO orders (id, name, note, body, day, at, price, small, big, ratio) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const blob = Buffer.from(Uint8Array.from({ length: 1 << 20 }, (_, at) => (at * 31 + (at >> 8)) & 0xff));

export const rows: readonly (readonly unknown[])[] = [
  [
    ...[1, 'Zoë 🚀 \'orders\' \\ "orders" 灰度', '', blob, '2024-02-29', '2024-02-29 23:59:59.123456'],
    ...['-12345678901234.567891', -128, '-9223372036854775808', -1.5e-300],
  ],
  [2, ...Array(9).fill(null)],
];

/** Rows with a digest in place of each blob: comparing megabytes byte by byte takes seconds. */
export const digested = (found: unknown) =>
  (found as unknown[][]).map((row) => row.map((value) => (Buffer.isBuffer(value) ? digest(value) : value)));
export const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Statements, the number of the server's own error. */
export const errors: readonly (readonly [sql: string, errno: number])[] = [
  ["INSERT INTO orders (id, name) VALUES (1, 'again')", 1062],
  ['SELECT nothing FROM orders', 1054],
  ['SELECT * FROM absent', 1146],
  ['SELECT id FROM orders WHERE', 1064],
  ["INSERT INTO orders (id, small) VALUES (9, 'x')", 1366],
];

/** What a gray lane may not do: write where base would see it, or do what cannot be told. */
export const refused = ["INSERT INTO items VALUES (1, 'x')", 'DROP TABLE orders', 'CALL anything()'];
export const refusal = /^(.*\s)?lanekeeper: /;
