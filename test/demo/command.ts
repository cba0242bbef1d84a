// The demo as a person starts it: a process whose output is read.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../src/demo/topology.ts';
import { call } from '../envoy/application.ts';

export type Command = {
  readonly port: number;
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly exited: Promise<number | string | null>;
  /** What the chain answers to these headers. */
  chain(headers?: Record<string, string>): Promise<string>;
};

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Resolves when the demo says that it is ready; rejects with its output where it ends before. */
export async function startCommand(
  args: readonly string[],
  port?: number,
  env: NodeJS.ProcessEnv = {},
): Promise<Command> {
  const [free = 0] = await freePorts(1);
  const gateway = port ?? free;
  const child = spawn(process.execPath, [main, 'demo', '--port', String(gateway), ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const exited = new Promise<number | string | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal)),
  );
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk;
      if (output.includes('Ctrl-C ends it')) resolve();
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    void exited.then((how) => reject(new Error(`the demo ended (${how}):\n${output}`)));
  });
  return {
    port: gateway,
    child,
    output: () => output,
    exited,
    chain: async (headers = {}) => (await call(gateway, { path: '/a', headers })).body.trim(),
  };
}

/** Ctrl-C. */
export async function interrupt({ child, exited }: Command): Promise<number | string | null> {
  child.kill('SIGINT');
  return exited;
}

export const folderOf = (port: number) => join(tmpdir(), `lanekeeper-demo-${userInfo().uid}-${port}`);

/** Processes that belong to a demo: all of them name its folder, or were started with its port. */
export function processesOf(port: number): string[] {
  const all = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  return all.filter((line) => line.includes(folderOf(port)) || line.includes(`demo --port ${port}`));
}
