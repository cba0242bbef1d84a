// A real Nacos on free ports of this machine: started, stopped, started again with what it knew or without.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endWithUs } from '../../src/demo/child.ts';
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
  let killer: ChildProcess | undefined;
  const remover = endWithUs('sleep 1; rm -rf "$1"', folder);
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
      remover.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  if (started) await start('empty').catch((error: unknown) => server.close().then(() => Promise.reject(error)));
  return server;

  async function kill(): Promise<void> {
    const running = child;
    child = undefined;
    killer?.kill('SIGKILL');
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
      const isReady = await launch();
      if (isReady && (installed.kind === 'nacos' || (await client.keepsConfigurations(1_000)))) return;
      if (attempt === (installed.kind === 'nacos' ? 1 : 20))
        throw new Error(`${installed.kind} did not become ready: tried ${attempt} times`);
    }
  }

  /**
   * False where it is not ready in time. r-nacos 0.8.8 loses a race with itself at every second start on an empty folder,
   * and then keeps neither users nor configurations.
   */
  async function launch(): Promise<boolean> {
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
    killer = endWithUs('kill -KILL "$1"', String(one.pid));
    const failure = new Promise<string>((settle) => one.once('error', (error) => settle(String(error))));
    const end = (why: string) => new Error(`${installed.kind}: ${why}\n${readFileSync(logFile, 'utf8').slice(-3_000)}`);
    for (const until = performance.now() + (installed.kind === 'nacos' ? 180_000 : 3_000); ; ) {
      if (await client.isReady()) return true;
      if (performance.now() > until) return false;
      if (one.exitCode !== null) throw end(`ended with code ${one.exitCode}`);
      const why = await Promise.race([failure, sleep(25)]);
      if (why !== undefined) throw end(why);
    }
  }
}
