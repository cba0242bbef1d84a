// Two real servers of one shop: on one there is app.orders, on the other only its shadow.
import mysql2, { type Connection } from 'mysql2/promise';
import { type Mode, plainMode, serverOf } from '../../src/sql/mode.ts';
import { startServer as start } from '../database/server.ts';
import { readable } from './given.ts';

export type Server = {
  /** How it reads SQL. */
  readonly mode: Mode;
  readonly connection: Connection;
  readonly port: number;
  close(): Promise<void>;
};

/** A fresh one, with a connection that takes several statements at once. */
export async function startServer(): Promise<Server> {
  const server = await start();
  const { address: host, port } = server;
  const connection = await mysql2.createConnection({
    ...{ host, port, user: 'root', charset: 'utf8mb4' },
    ...{ rowsAsArray: true, multipleStatements: true },
  });
  const [[row]] = (await connection.query('SELECT VERSION()')) as unknown as [[[string]]];
  return {
    mode: { ...plainMode, server: serverOf(row[0]) },
    connection,
    port,
    async close() {
      connection.destroy();
      await server.remove();
    },
  };
}

/** The shop, whose orders are in a table of this name. */
export function shop(orders: string): string {
  return `
    UNLOCK TABLES;
    DROP TEMPORARY TABLE IF EXISTS app.orders, app.t1;
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
