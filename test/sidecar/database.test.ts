// A sidecar with a database: real Envoy, real MariaDB; the application hands on nothing but its trace, in a comment.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../../src/demo/topology.ts';
import { type Server, startServer } from '../database/server.ts';
import { call } from '../envoy/application.ts';
import { type Lanekeeper, openStage, type Stage } from './stage.ts';

const trace = (digit: string) => ({ traceparent: `00-${digit.repeat(32)}-b7ad6b7169203331-01` });
const labelled = (label: string, digit: string) => ({ 'x-opensergo-traffic': label, ...trace(digit) });
const rule = {
  apiVersion: 'traffic.opensergo.io/v1alpha1',
  kind: 'WorkloadLabelRule',
  metadata: { name: 'orders' },
  spec: { workloadLabels: ['gray'], selector: { db: 'shop', table: 'orders_gray' } },
};

describe('a base workload that serves labelled requests', () => {
  let stage: Stage;
  let server: Server;
  let lanekeeper: Lanekeeper;
  let port: number;
  let pool: mysql.Pool;
  let direct: mysql.Connection;

  beforeAll(async () => {
    [stage, server] = await Promise.all([openStage(), startServer()]);
    [port = 0] = await freePorts(1);
    direct = await mysql.createConnection({ host: '127.0.0.1', port: server.port, user: 'root' });
    await direct.query('create database shop');
    for (const table of ['orders', 'orders_gray']) await direct.query(`create table shop.${table} (note varchar(20))`);
    writeFileSync(join(stage.folder, 'database.yaml'), JSON.stringify(rule));
    pool = mysql.createPool({ host: '127.0.0.1', port, user: 'root', database: 'shop', connectionLimit: 2 });
    stage.state.respond = async (request) => {
      const comment = `/*traceparent='${request.headers['traceparent']}'*/`;
      const silent = request.url === '/silent';
      const outcome = await pool
        .query(`insert into orders values ('${request.url?.slice(1)}')${silent ? '' : ` ${comment}`}`)
        .then(
          () => 'written',
          (error: Error) => error.message,
        );
      return outcome;
    };
    lanekeeper = await stage.start(['--database', `${port}=127.0.0.1:${server.port}`]);
  }, 60_000);
  afterAll(async () => {
    await pool?.end();
    await direct?.end();
    await stage?.close();
    await server?.stop();
  });

  async function rows(table: string): Promise<string[]> {
    const [found] = await direct.query<mysql.RowDataPacket[]>(`select note from shop.${table} order by note`);
    return found.map(({ note }) => note as string);
  }
  const ask = async (path: string, headers: Record<string, string>) =>
    (await call(stage.inbound, { path, headers })).body;

  test('writes to the shadow what a labelled request asks for, by its trace, and the rest to base', async () => {
    expect(await ask('/before', {})).toBe('written');
    expect(await ask('/gray', labelled('gray', '1'))).toBe('written');
    expect(await ask('/base', trace('2'))).toBe('written');
    expect(await rows('orders')).toEqual(['base', 'before']);
    expect(await rows('orders_gray')).toEqual(['gray']);
  });

  test('refuses to write what says nothing while labels are remembered, and says so', async () => {
    await ask('/gray-2', labelled('gray', '3'));
    expect(await ask('/silent', trace('4'))).toMatch(/^lanekeeper: .*unattributed/);
    expect(await rows('orders')).toEqual(['base', 'before']);
    const metrics = await (await fetch(`http://127.0.0.1:${lanekeeper.adminPort}/metrics`)).text();
    expect(metrics).toMatch(/lanekeeper_database_unattributed_total\{policy="refuse"\} 1/);
    expect(metrics).toMatch(/lanekeeper_database_statements_total\{did="rewritten",by="memory"\} [2-9]/);
    expect(metrics).toMatch(/lanekeeper_database_connections [12]\n/);
  });

  test('warns at the start of what reaches base behind the text, or does not start', async () => {
    await direct.query('create view shop.v as select note from shop.orders');
    const check = ['--database', `${port}=127.0.0.1:${server.port}`, '--database-user', 'root', '--take-over', 'yes'];
    const refused = stage.spawnOne([...check, '--run-dir', `${stage.run}-2`, '--database-check', 'refuse']);
    expect(await refused.exited).toBe(1);
    expect(refused.log()).toMatch(/view: shop\.v: found/);
    const next = await stage.start(check);
    await lanekeeper.exited;
    lanekeeper = next;
    expect(lanekeeper.log()).toMatch(/view: shop\.v: found/);
    await direct.query('drop view shop.v');
  });

  test('has the next lanekeeper take its ports over, and loses no statement', async () => {
    const next = await stage.start(['--database', `${port}=127.0.0.1:${server.port}`, '--take-over', 'yes']);
    await lanekeeper.exited;
    lanekeeper = next;
    expect(await ask('/gray-3', labelled('gray', '5'))).toBe('written');
    expect(await rows('orders_gray')).toContain('gray-3');
  });
});
