// Two real servers of one shop: on one there is app.orders, on the other only its shadow.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir as systemTmpdir } from 'node:os';
import { join } from 'node:path';
import mysql2, { type Connection } from 'mysql2/promise';
import { launchMariadb, type Mariadb } from '../../src/demo/mariadb/launch.ts';
import { readable } from './given.ts';

// The one place that knows where a MariaDB is.
const installed = { mariadbd: '/usr/sbin/mariadbd', share: '/usr/share/mysql' };

export type Server = { readonly connection: Connection; close(): Promise<void> };

export async function startServer(flags: readonly string[] = []): Promise<Server> {
  const folder = mkdtempSync(join(systemTmpdir(), 'lanekeeper-sql-'));
  // One that starts removes temporary tables of others from a folder that they share.
  const tmpdir = join(folder, 'tmp');
  mkdirSync(tmpdir);
  const server: Mariadb = await launchMariadb(installed, { folder, flags: [`--tmpdir=${tmpdir}`, ...flags] });
  const connection = await mysql2.createConnection({
    host: server.address,
    port: server.port,
    user: 'root',
    charset: 'utf8mb4',
    rowsAsArray: true,
    multipleStatements: true,
  });
  return {
    connection,
    async close() {
      connection.destroy();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The shop, whose orders are in a table of this name. */
export function shop(orders: string): string {
  return `
    UNLOCK TABLES;
    SET sql_mode = DEFAULT;
    DROP DATABASE IF EXISTS app;
    DROP DATABASE IF EXISTS other;
    CREATE DATABASE app;
    CREATE DATABASE other;
    USE app;
    CREATE TABLE ${orders} (id INT PRIMARY KEY AUTO_INCREMENT, qty INT, name VARCHAR(40), orders VARCHAR(40), dt DATE, j TEXT);
    CREATE TABLE items (id INT PRIMARY KEY, oid INT);
    CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(40));
    CREATE TABLE other.orders (id INT PRIMARY KEY, note VARCHAR(40));
    INSERT INTO ${orders} VALUES (1, 2, 'n1', 'x1x', '2020-01-01', '{"a": 1}'), (2, 5, 'n2', 'x2', '2021-02-02', '{"a": 2}'), (99, 7, 'from orders', '', NULL, '{}');
    INSERT INTO items VALUES (1, 1), (2, 2), (77, 1);
    INSERT INTO customers VALUES (1, 'c1'), (2, 'c2');
    INSERT INTO other.orders VALUES (1, 'other')`;
}

export type Outcome = {
  readonly error?: number;
  readonly message?: string;
  readonly rows?: unknown;
  readonly fields?: readonly { readonly name: string; readonly table: string; readonly column: string }[];
  readonly changed?: { readonly affected: number; readonly id: number; readonly info: string };
};

type Header = { readonly affectedRows: number; readonly insertId: number; readonly info: string };

/** What a client sees of one statement, given as bytes. */
export async function outcomeOf({ connection }: Server, sql: string): Promise<Outcome> {
  try {
    const [rows, fields] = await connection.query(readable(sql));
    if (fields === undefined) {
      const { affectedRows, insertId, info } = rows as unknown as Header;
      return { changed: { affected: affectedRows, id: insertId, info } };
    }
    return {
      rows,
      fields: (fields as unknown as { name: string; table: string; orgName: string }[]).map(
        ({ name, table, orgName }) => ({ name, table, column: orgName }),
      ),
    };
  } catch (error) {
    const { errno, message } = error as { errno?: number; message: string };
    return { error: errno ?? -1, message };
  }
}
