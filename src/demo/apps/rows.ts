// What a service of the demo writes for each call: a row of the article's table, as its driver and its tracing would have it.
import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

const url = process.env['DATABASE_URL'];
// Only with --database: a driver takes a while to load.
const pool = url ? (await import('mysql2/promise')).createPool({ uri: url, connectionLimit: 4 }) : undefined;
const insert = 'INSERT INTO mse_demo_table(location) VALUES(?)';

/** The trace of a request, a new one where it has none: what instrumentation does. */
export function traceOf({ traceparent }: IncomingHttpHeaders): string {
  if (typeof traceparent === 'string') return traceparent;
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
}

/** By a prepared statement, with the trace as a query attribute (MySQL 8; lanekeeper takes it for older servers, too). */
export async function writePrepared(location: string, traceparent: string): Promise<void> {
  await pool?.execute({ sql: insert, values: [location], attributes: { traceparent } });
}

/** By text, with the trace in a comment, as sqlcommenter writes it. */
export async function writeText(location: string, traceparent: string): Promise<void> {
  await pool?.query(`${insert} /*traceparent='${traceparent}'*/`, [location]);
}
