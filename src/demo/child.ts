// A process of the demo: started in a group of its own (Ctrl-C is ours alone), ended with us whatever happens.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

export type ChildOptions = {
  readonly name: string;
  /** Node's arguments. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** `message`: ready when it says so over its channel; `output`: when it has printed something. */
  readonly ready: 'message' | 'output';
  /** The words that run a program where it is to run; here, where absent. */
  readonly within?: Within;
  /** A socket that it is given. */
  readonly socket?: Server;
};

export type Within = (argv: readonly string[]) => readonly string[];

export type Child = {
  readonly name: string;
  readonly pid: number;
  /** What the child said when it was ready. */
  readonly message: unknown;
  /** Resolves to what happened. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
};

/** Resolves when the process is ready; rejects with the end of its log where it ends before. */
export async function startChild({ name, args, env, logFile, ready, within, socket }: ChildOptions): Promise<Child> {
  const log = openSync(logFile, 'a', 0o600);
  const argv = [process.execPath, ...args];
  const [program = '', ...words] = within ? within(argv) : argv;
  const child = spawn(program, words, {
    env: { ...process.env, ...env },
    stdio: ['ignore', ready === 'output' ? 'pipe' : log, log, 'ipc'],
    detached: true,
  });
  closeSync(log);
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ? `ended by ${signal}` : `ended with code ${code}`));
  });
  const isReady = new Promise<{ message: unknown }>((resolve) => {
    if (ready === 'message') child.once('message', (message) => resolve({ message }));
    else child.stdout?.once('data', () => resolve({ message: undefined }));
  });
  if (socket) child.send('socket', socket);
  const outcome = await Promise.race([isReady, exited]);
  if (typeof outcome === 'string') throw new Error(`${name} ${outcome}\n${lastLines(logFile)}`);
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  return { name, pid: child.pid ?? 0, message: outcome.message, exited, stop };
}

/** A module of the package as a file, under the ending that this very module has (`.ts` in a checkout, else `.js`). */
export function moduleFile(relative: string): string {
  return fileURLToPath(new URL(`${relative}${extname(import.meta.url)}`, import.meta.url));
}

/** A shell that does something when this process ends, however that happens. */
export function endWithUs(script: string, argument: string): ChildProcess {
  const shell = spawn('sh', ['-c', `cat >/dev/null; ${script}`, 'sh', argument], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  shell.unref();
  return shell;
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-12).join('\n');
}
