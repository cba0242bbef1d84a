// A real Nacos on free ports of this machine: started, stopped, started again with what it knew or without.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Installed } from '../../src/demo/nacos/install.ts';
import { nacosCommand } from '../../src/demo/nacos/launch.ts';
import { freeBase } from '../../src/demo/nacos/registry.ts';
import { type NacosClient, nacosClient } from './client.ts';

export type NacosServer = {
  readonly kind: Installed['kind'];
  /** Of HTTP. */
  readonly port: number;
  readonly client: NacosClient;
  readonly process: ChildProcess;
  /** As a crash does it. */
  kill(): Promise<void>;
  /** On the same ports. `keep`: with the data it had. */
  start(data: 'keep' | 'empty'): Promise<void>;
  /** Ends it and removes all that it wrote. */
  close(): Promise<void>;
};

export type NacosServerOptions = {
  readonly installed: Installed;
  /** Only for who logs in with these. */
  readonly user?: { readonly name: string; readonly password: string };
  /** False: only its ports are chosen yet. */
  readonly started?: boolean;
};

export async function openNacosServer({ installed, user, started = true }: NacosServerOptions): Promise<NacosServer> {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-nacos-'));
  const port = await freeBase();
  const client = nacosClient(port, user);
  let child: ChildProcess | undefined;
  process.once('exit', () => child?.kill('SIGKILL'));
  const server: NacosServer = {
    kind: installed.kind,
    port,
    client,
    get process() {
      if (child === undefined) throw new Error('it does not run');
      return child;
    },
    kill,
    start,
    async close() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  if (started) await start('empty').catch((error: unknown) => server.close().then(() => Promise.reject(error)));
  return server;

  async function kill(): Promise<void> {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise((settle) => running.once('exit', settle));
    running.kill('SIGKILL');
    await gone;
  }

  async function start(data: 'keep' | 'empty'): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await kill();
      if (data === 'empty') rmSync(join(folder, 'home'), { recursive: true, force: true });
      mkdirSync(join(folder, 'home'), { recursive: true });
      await launch();
      if (await isComplete(data)) return;
      if (attempt === 10) throw new Error(`${installed.kind} has no configurations, ten times`);
    }
  }

  async function launch(): Promise<void> {
    const logFile = join(folder, 'log');
    const log = openSync(logFile, 'w');
    const { file, args, env } = nacosCommand(installed, { port, home: join(folder, 'home'), user });
    const one = spawn(file, args, {
      cwd: join(folder, 'home'),
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    child = one;
    const failure = new Promise<string>((settle) => one.once('error', (error) => settle(String(error))));
    const end = (why: string) => new Error(`${installed.kind}: ${why}\n${readFileSync(logFile, 'utf8').slice(-3_000)}`);
    for (const until = performance.now() + 180_000; ; ) {
      if (await client.isReady()) return;
      if (performance.now() > until) throw end('is not ready after three minutes');
      if (one.exitCode !== null) throw end(`ended with code ${one.exitCode}`);
      const why = await Promise.race([failure, sleep(25)]);
      if (why !== undefined) throw end(why);
    }
  }

  /** r-nacos 0.8.8 loses a race with itself at every second start on an empty folder, and then keeps no configuration. */
  async function isComplete(data: 'keep' | 'empty'): Promise<boolean> {
    if (installed.kind === 'nacos') return true;
    if (data === 'keep') return client.eventuallyKeepsConfigurations(10_000);
    return client.eventuallyKeepsConfigurations(1_000);
  }
}
