// `npm run bench:database`: what a proxy costs, beside a plain pipe and no middle at all, on one MariaDB in one run.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createConnection } from 'mysql2/promise';
import { findMariadb } from '../../src/demo/mariadb/install.ts';
import { launchMariadb } from '../../src/demo/mariadb/launch.ts';
import { type Client, openClient } from './database/client.ts';

const rows = 50_000;
const [warmMs, runMs] = [1_000, 3_000];
const middles = ['direct', 'pipe', 'base', 'gray'] as const;
type Middle = (typeof middles)[number];

const any = () => 1 + Math.floor(Math.random() * rows);
const point = 'SELECT name FROM orders WHERE id = ';

/** One turn of a client: how many queries it made. */
type Work = { readonly name: string; readonly clients: number; start(client: Client): Promise<() => Promise<number>> };
const text = async (client: Client) => async () => {
  await client.query(`${point}${any()}`);
  return 1;
};
const prepared = async (client: Client) => {
  const id = await client.prepare(`${point}?`);
  return async () => {
    await client.execute(id, any());
    return 1;
  };
};
const transaction = async (client: Client) => async () => {
  await client.query('BEGIN');
  for (let times = 0; times < 4; times += 1) await client.query(`${point}${any()}`);
  await client.query(`UPDATE orders SET name = 'n${any()}' WHERE id = ${any()}`);
  await client.query('COMMIT');
  return 7;
};
const works: readonly Work[] = [
  { name: 'point select, text', clients: 1, start: text },
  { name: 'point select, text', clients: 8, start: text },
  { name: 'point select, prepared', clients: 1, start: prepared },
  { name: 'point select, prepared', clients: 8, start: prepared },
  { name: 'transaction of 7, text', clients: 8, start: transaction },
];

type Figures = {
  readonly perSecond: number;
  readonly averageMs: number;
  readonly p95Ms: number;
  readonly cpuUs: number;
};

async function measure(work: Work, port: number, child: ChildProcess | undefined): Promise<Figures> {
  const clients = await Promise.all(Array.from({ length: work.clients }, () => openClient(port)));
  const turns = await Promise.all(clients.map(work.start));
  const load = async (ms: number) => {
    const until = performance.now() + ms;
    const times: number[] = [];
    let queries = 0;
    await Promise.all(
      turns.map(async (turn) => {
        for (let now = performance.now(); now < until; ) {
          const made = await turn();
          const after = performance.now();
          times.push((after - now) / made);
          queries += made;
          now = after;
        }
      }),
    );
    return { times, queries };
  };
  await load(warmMs);
  const before = await cpuOf(child);
  const { times, queries } = await load(runMs);
  const cpuUs = ((await cpuOf(child)) - before) / queries;
  for (const client of clients) client.close();
  times.sort((a, b) => a - b);
  const averageMs = times.reduce((sum, each) => sum + each, 0) / times.length;
  return { perSecond: queries / (runMs / 1000), averageMs, p95Ms: times[Math.floor(times.length * 0.95)] ?? 0, cpuUs };
}

/** User and system, in microseconds, of the process in the middle. */
async function cpuOf(child: ChildProcess | undefined): Promise<number> {
  if (child === undefined) return 0;
  const answer = new Promise<{ cpu: NodeJS.CpuUsage }>((resolve) =>
    child.once('message', (said) => resolve(said as never)),
  );
  child.send('cpu');
  const { cpu } = await answer;
  return cpu.user + cpu.system;
}

async function through<T>(
  middle: Middle,
  port: number,
  use: (port: number, child?: ChildProcess) => Promise<T>,
): Promise<T> {
  if (middle === 'direct') return use(port);
  const child = fork(fileURLToPath(new URL('../database/middle.ts', import.meta.url)), [middle, String(port)]);
  try {
    const ready = await new Promise<{ port: number }>((resolve) =>
      child.once('message', (said) => resolve(said as never)),
    );
    return await use(ready.port, child);
  } finally {
    child.kill('SIGKILL');
  }
}

const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-bench-'));
const server = await launchMariadb(await findMariadb(), { folder });
try {
  const root = await createConnection({ host: '127.0.0.1', port: server.port, user: 'root' });
  await root.query('CREATE DATABASE app');
  for (const table of ['orders', 'orders_gray']) {
    await root.query(`CREATE TABLE app.${table} (id INT PRIMARY KEY, name VARCHAR(200))`);
    await root
      .query(`INSERT INTO app.${table} SELECT seq, CONCAT('name', seq) FROM seq.seq_1_to_${rows}`)
      .catch(async () => {
        for (let from = 1; from <= rows; from += 1000)
          await root.query(
            `INSERT INTO app.${table} VALUES ${Array.from({ length: 1000 }, (_, at) => `(${from + at}, 'name${from + at}')`).join()}`,
          );
      });
  }
  await root.end();
  const all = new Map<string, Figures[]>();
  const key = (work: Work, middle: Middle) => `${work.name} ${work.clients} ${middle}`;
  for (const order of [middles, [...middles].reverse()])
    for (const work of works)
      for (const middle of order) {
        const figures = await through(middle, server.port, (port, child) => measure(work, port, child));
        all.set(key(work, middle), [...(all.get(key(work, middle)) ?? []), figures]);
        process.stderr.write('.');
      }
  process.stderr.write('\n');
  // The better of two rounds: what disturbs a run only makes it slower.
  const best = (work: Work, middle: Middle, of: (figures: Figures) => number) =>
    Math.min(...(all.get(key(work, middle)) ?? []).map(of));
  if (/--format[= ]json/.test(process.argv.join(' '))) console.log(JSON.stringify([...all], null, 1));
  else {
    console.log(
      '| queries, connections | through | queries/s | average, p95 | CPU of the middle a query | of the pipe |',
    );
    console.log('|---|---|---|---|---|---|');
    for (const work of works)
      for (const middle of middles) {
        const pipeUs = best(work, 'pipe', ({ cpuUs }) => cpuUs);
        const us = best(work, middle, ({ cpuUs }) => cpuUs);
        const rate = -best(work, middle, ({ perSecond }) => -perSecond);
        const [average, p95] = [best(work, middle, (f) => f.averageMs), best(work, middle, (f) => f.p95Ms)];
        const cpu = middle === 'direct' ? ['', ''] : [`${us.toFixed(1)} µs`, (us / pipeUs).toFixed(2)];
        const cells = [
          `${work.name}, ${work.clients}`,
          middle,
          rate.toFixed(0),
          `${average.toFixed(2)}, ${p95.toFixed(2)} ms`,
          ...cpu,
        ];
        console.log(`| ${cells.join(' | ')} |`);
      }
  }
} finally {
  await server.kill();
  rmSync(folder, { recursive: true, force: true });
}
