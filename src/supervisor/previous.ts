// An Envoy that outlived the lanekeeper which started it: found by its admin socket, known by what was written down.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EnvoyAdmin } from './admin.ts';
import { answers } from './socket.ts';

/** A running Envoy, our child or not. */
export type Instance = {
  readonly pid: number | undefined;
  /** Resolves to what happened. */
  readonly exited: Promise<string>;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
};

export type Previous = {
  readonly instance: Instance;
  /** Empty where nothing was written down. */
  readonly command: readonly string[];
  readonly bootstrap: string;
};

type Written = { readonly pid: number; readonly command: readonly string[] };

/** Writes down, beside the bootstrap, which process was started by which command line. */
export function record(bootstrapFile: string, written: Written): void {
  writeFileSync(fileOf(bootstrapFile), JSON.stringify(written), { mode: 0o600 });
}

export function forget(bootstrapFile: string): void {
  rmSync(fileOf(bootstrapFile), { force: true });
}

/** Also one that does not answer: it may start, drain, or hang. */
export async function findPrevious(adminSocket: string, bootstrapFile: string): Promise<Previous | undefined> {
  if (!(await answers(adminSocket))) return undefined;
  const { pid, command } = written(bootstrapFile);
  const isOurs = pid !== undefined && commandOf(pid).includes(bootstrapFile);
  const instance: Instance = {
    pid: isOurs ? pid : undefined,
    exited: socketEnd(adminSocket),
    kill: (signal) => isOurs && send(pid, signal),
  };
  return { instance, command, bootstrap: textOf(bootstrapFile) };
}

export function keepable({ command }: Previous, wanted: readonly string[]): boolean {
  return JSON.stringify(command) === JSON.stringify(wanted);
}

/** Ends it, by force after `graceMs`. Rejects where it stays: two Envoys must not share ports and files. */
export async function replace({ exited, kill }: Instance, admin: EnvoyAdmin, graceMs: number): Promise<void> {
  const timer = setTimeout(() => kill('SIGKILL'), graceMs);
  await admin.post('/quitquitquit').catch(() => '');
  const outcome = await Promise.race([exited, sleep(2 * graceMs, 'stays', { ref: false })]);
  clearTimeout(timer);
  if (outcome === 'stays') throw new Error('an Envoy runs here already and does not end; end it, then start again');
}

/**
 * The end of a process that is not our child: an idle connection to its socket closes with it. Whatever else closes the
 * connection, a process that still listens has not ended.
 */
async function socketEnd(socket: string): Promise<string> {
  do {
    await connectionEnd(socket);
    await sleep(20); // an Envoy that refuses connections (too many) is not asked in a busy loop
  } while (await answers(socket));
  return 'ended';
}

function connectionEnd(socket: string): Promise<void> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.on('error', () => {});
    connection.once('close', () => resolve());
  });
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

function written(bootstrapFile: string): Partial<Written> & { readonly command: readonly string[] } {
  try {
    const { pid, command } = JSON.parse(textOf(fileOf(bootstrapFile))) as Written;
    return { pid, command };
  } catch {
    return { command: [] };
  }
}

/** Empty where the process is gone, or the system has no /proc: a number alone may be somebody else's by now. */
function commandOf(pid: number): string[] {
  return textOf(`/proc/${pid}/cmdline`).split('\0');
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

const fileOf = (bootstrapFile: string): string => `${bootstrapFile}.process`;
