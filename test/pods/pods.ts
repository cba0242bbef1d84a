// What the tests of pods share: is this machine up to it, programs inside a pod, the rules laid by the real command.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';
import type { Network } from '../../src/demo/pods/network.ts';
import { environment, type Kind, networkSupport, unshareWords } from '../../src/demo/pods/support.ts';
import { isInstalled } from '../../src/redirect/backend.ts';
import { type Backend, backends } from '../../src/redirect/redirect.ts';

export const applicationUid = 1000;
export const envoyUid = 1337;
/** By what Envoy is known where all processes are one user. */
export const envoyMark = 0x539;

const support = networkSupport();
export const kind: Kind = 'kind' in support ? support.kind : 'root';
const lacks = 'lacks' in support ? support.lacks : undefined;
if (lacks === undefined) console.log(`pods: ${kind}`);
else console.error(`SKIPPED: tests of pods need ${lacks}`);

/** Skipped where the machine lacks something, and says what. */
export const describePods = lacks === undefined ? describe : describe.skip;

// Who is no root may not write where iptables-legacy has its lock.
const locks = kind === 'root' ? undefined : mkdtempSync(join(tmpdir(), 'lanekeeper-locks-'));
process.on('exit', () => locks && rmSync(locks, { recursive: true, force: true }));
export const lockFile: NodeJS.ProcessEnv = locks === undefined ? {} : { XTABLES_LOCKFILE: join(locks, 'xtables.lock') };

/** Those whose programs are here, and that this kernel can lay a rule with; all of them where everything is skipped. */
export const installedBackends: Backend[] = backends.filter((backend) => {
  const why = lacks === undefined ? whyNot(backend) : undefined;
  if (why !== undefined) console.error(`SKIPPED: tests of ${backend}: ${why}`);
  return why === undefined;
});

function whyNot(backend: Backend): string | undefined {
  if (!isInstalled(backend)) return 'its programs are not here (Debian: packages nftables, iptables)';
  if (backend === 'nft') return undefined; // without it there is no network of pods
  const [program = '', ...args] = [...unshareWords(kind), '--', `${backend}-restore`];
  const input = '*nat\n-A OUTPUT -p tcp -j REDIRECT --to-ports 1\nCOMMIT\n';
  const { status, stderr } = spawnSync(program, args, {
    input,
    encoding: 'utf8',
    env: { ...environment(), ...lockFile },
  });
  return status === 0 ? undefined : stderr.trim();
}

export type Ended = { readonly code: number; readonly out: string; readonly err: string };

/** Runs a program in a pod to its end. */
export function runIn(
  network: Network,
  pod: string,
  uid: number,
  argv: readonly string[],
  env: NodeJS.ProcessEnv = {},
) {
  const [program = '', ...args] = network.pod(pod).command(uid, argv);
  return new Promise<Ended>((resolve) => {
    const child = execFile(program, args, { env: { ...environment(), ...env }, timeout: 20_000 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err }),
    );
    child.stdin?.end();
  });
}

export const lanekeeper = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** `lanekeeper redirect` in a pod; the application and Envoy are told apart as this network can. */
export function redirect(network: Network, pod: string, flags: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const identity = network.kind === 'single user' && !flags.includes('--mark') ? ['--mark', `${envoyMark}`] : [];
  const argv = [process.execPath, lanekeeper, 'redirect', ...identity, ...flags];
  return runIn(network, pod, 0, argv, { ...lockFile, ...env });
}

const tcp = fileURLToPath(new URL('tcp.py', import.meta.url));

export type Caller = {
  readonly pod: string;
  /** Known by its user, or where all are one, by its mark. */
  readonly envoy?: boolean;
  /** By its mark in any case, which needs root. */
  readonly marked?: boolean;
  readonly source?: string;
};

/** The words that connect from a pod, as its application or its Envoy. */
function connecting(
  network: Network,
  { pod, envoy, marked, source = '' }: Caller,
  address: string,
  port: number,
): string[] {
  const mark = marked || (envoy && network.kind === 'single user') ? `${envoyMark}` : '0';
  const argv = ['/usr/bin/env', 'python3', tcp, 'connect', address, `${port}`, mark, source];
  return network.pod(pod).command(marked ? 0 : envoy ? envoyUid : applicationUid, argv);
}

/** What a listener of `listen` answers at once: `PORT of ADDRESS:PORT by CALLER`; else why not. */
export async function call(network: Network, caller: Caller, address: string, port: number): Promise<string> {
  const conversation = await converse(network, caller, address, port);
  conversation.end();
  return conversation.greeting;
}

/** A connection that stays. */
export async function converse(network: Network, caller: Caller, address: string, port: number) {
  const [program = '', ...args] = connecting(network, caller, address, port);
  const child = spawn(program, args, { env: environment(), stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => ((await lines.next()).value as string | undefined) ?? 'ended';
  child.stdin.on('error', () => {});
  return {
    greeting: await next(),
    async say(text: string): Promise<string> {
      child.stdin.write(`${text}\n`);
      return next();
    },
    end: () => child.stdin.end(),
  };
}

/** Listens at `ADDRESS/PORT`; resolves when it does. */
export async function listen(
  network: Network,
  pod: string,
  uid: number,
  places: readonly string[],
): Promise<ChildProcess> {
  return startIn(network, pod, uid, ['/usr/bin/env', 'python3', tcp, 'listen', ...places], 'listening');
}

/** Resolves when the program has said `ready`, on either output; rejects with what it said where it ends before. */
export async function startIn(
  network: Network,
  pod: string,
  uid: number,
  argv: readonly string[],
  ready: string,
): Promise<ChildProcess> {
  const [program = '', ...args] = network.pod(pod).command(uid, argv);
  const child = spawn(program, args, { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => {
        said = (said + data).slice(-4_000);
        if (said.includes(ready)) resolve(child);
      });
    child.once('error', reject).once('exit', (code) => reject(new Error(`${argv[0]} in ${pod}: ${code}\n${said}`)));
  });
}

/** Those in the network namespace, as `net:[…]`. */
export function processesIn(namespace: string): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/ns/net`) === namespace && alive(name);
    } catch {
      return false;
    }
  });
}

function alive(pid: string): boolean {
  return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}
