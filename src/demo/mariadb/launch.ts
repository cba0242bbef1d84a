// A MariaDB of one's own: a fresh data folder, a port that is free, ended with the process that started it.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { endWithUs } from '../child.ts';
import { freePorts } from '../topology.ts';
import type { Installed } from './install.ts';

export type MariadbPlace = {
  /** Of data, socket and log; made where it is not there, kept where it is. */
  readonly folder: string;
  /** A free one where absent. */
  readonly port?: number;
  readonly address?: string;
  /** More of its own flags: `--lower-case-table-names=1`. */
  readonly flags?: readonly string[];
  /** SQL that runs before anybody can connect, once: each line one statement. */
  readonly init?: readonly string[];
};

export type Mariadb = {
  readonly address: string;
  readonly port: number;
  readonly socket: string;
  readonly process: ChildProcess;
  /** SIGTERM, and waits. */
  stop(): Promise<void>;
  /** SIGKILL, and waits. */
  kill(): Promise<void>;
};

const readyWithinMs = 60_000;

/** Starts it with `root` and no password; resolves when it takes connections, rejects with the end of its log. */
export async function launchMariadb(installed: Installed, place: MariadbPlace): Promise<Mariadb> {
  const { mariadbd, share, libraries } = installed;
  const env = libraries === undefined ? process.env : { ...process.env, LD_LIBRARY_PATH: libraries };
  const { folder } = place;
  const data = join(folder, 'data');
  mkdirSync(folder, { recursive: true });
  // A server that is root must be told so. Durability is nobody's wish here, and costs most of the time.
  const common = [
    '--no-defaults',
    `--user=${userInfo().username}`,
    `--datadir=${data}`,
    `--lc-messages-dir=${share}`,
    `--character-sets-dir=${join(share, 'charsets')}`,
    `--tmpdir=${folder}`, // servers that start at once would clean up each other's temporary tables
    '--innodb-flush-log-at-trx-commit=0',
    '--innodb-log-file-size=16M',
    '--loose-innodb-flush-method=nosync',
    '--skip-name-resolve',
    ...(place.flags ?? []),
  ];
  if (!existsSync(join(data, 'mysql'))) await createData(installed, [...common], { env, data, init: place.init ?? [] });
  return runServer({ argv: [mariadbd, ...common], env }, place);
}

/** A server whose data are there, by the words that start it; resolves when it takes connections. */
export async function runServer(
  { argv, env }: { readonly argv: readonly string[]; readonly env: NodeJS.ProcessEnv },
  { folder, port: asked, address = '127.0.0.1' }: MariadbPlace,
): Promise<Mariadb> {
  const [free = 0] = asked === undefined ? await freePorts(1) : [];
  const port = asked ?? free;
  const [socket, logFile] = [join(folder, 'mariadb.sock'), join(folder, 'log')];
  const own = [`--socket=${socket}`, `--port=${port}`, `--bind-address=${address}`, '--max-connections=2000'];
  const [program = '', ...words] = [...argv, ...own];
  const log = openSync(logFile, 'a');
  const child = spawn(program, words, { stdio: ['ignore', log, log], env, detached: true });
  closeSync(log);
  const killer = endWithUs('kill -KILL "$1"', String(child.pid));
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ? `ended by ${signal}` : `ended with code ${code}`));
  });
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await ended;
    killer.kill('SIGKILL');
  };
  const outcome = await Promise.race([ended, greets({ address, port })]);
  if (outcome === true)
    return { address, port, socket, process: child, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
  await end('SIGKILL');
  const why = outcome === false ? `does not answer within ${readyWithinMs / 1000} s` : outcome;
  throw new Error(`${program} ${why}\n${readFileSync(logFile, 'utf8').slice(-3_000)}`);
}

/** What mariadb-install-db does, without what only a whole installation has. */
async function createData(
  { mariadbd, share }: Installed,
  flags: readonly string[],
  { env, data, init }: { readonly env: NodeJS.ProcessEnv; readonly data: string; readonly init: readonly string[] },
): Promise<void> {
  mkdirSync(data, { recursive: true });
  const files = ['mysql_system_tables.sql', 'mysql_performance_tables.sql', 'mysql_system_tables_data.sql'];
  const sql = [
    'create database mysql;',
    'use mysql;',
    'set @auth_root_socket=NULL;',
    ...files.map((name) => readFileSync(join(share, name), 'utf8')),
    "delete from global_priv where user='';", // anybody, who would come before those with a name
    ...init,
  ].join('\n');
  await new Promise<void>((resolve, reject) => {
    const child = execFile(mariadbd, [...flags, '--bootstrap', '--skip-grant-tables'], { env }, (error, _, stderr) =>
      error ? reject(new Error(`mariadbd could not make its tables\n${stderr.slice(-3_000)}`)) : resolve(),
    );
    child.stdin?.end(`${sql}\n`);
  });
}

/** True when it has greeted, false where it has not in time. */
async function greets(place: { readonly address: string; readonly port: number }): Promise<boolean> {
  const until = Date.now() + readyWithinMs;
  while (Date.now() < until) {
    if (await greeting(place)) return true;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return false;
}

function greeting({ address, port }: { readonly address: string; readonly port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: address, port });
    socket.once('data', () => resolve(true) ?? socket.destroy());
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
