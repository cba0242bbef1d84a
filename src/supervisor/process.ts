// Envoy's life: start it (or take over one that outlived us), watch it, restart it with back-off, drain and end it.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EnvoyAdmin, envoyAdmin } from './admin.ts';

export type EnvoyState = 'starting' | 'ready' | 'down' | 'draining' | 'stopped';

export type EnvoyOptions = {
  readonly binary: string;
  readonly bootstrapFile: string;
  readonly adminSocket: string;
  readonly concurrency: number;
  readonly logLevel: string;
  /** The bootstrap as of now; rendered anew for every start, because Envoy forgets what was set live. */
  readonly bootstrap: () => string;
  /** True where an Envoy that runs with this bootstrap can be kept. */
  readonly isCurrent: (bootstrap: string) => boolean;
  readonly onState: (state: EnvoyState, detail: string) => void;
};

export type EnvoyProcess = {
  readonly state: EnvoyState;
  readonly admin: EnvoyAdmin;
  /** Lets requests in flight end, at most `drainMs`, then ends Envoy. */
  stop(drainMs: number): Promise<void>;
};

const readyWithinMs = 20_000;
const backoffMs = { first: 100, longest: 5_000, forgottenAfter: 10_000 };

/**
 * Resolves once Envoy serves; rejects where it ended or did not come up. From then on an Envoy that ends is started
 * again, after 0.1 s to 5 s. An Envoy that is running already (its lanekeeper was killed) is kept where its bootstrap is
 * the present one, so that nobody's requests are cut; else it is asked to end first.
 */
export async function startEnvoy(options: EnvoyOptions): Promise<EnvoyProcess> {
  const admin = envoyAdmin(options.adminSocket);
  let state: EnvoyState = 'starting';
  let child: ChildProcess | undefined;
  let failures = 0;
  let ended: Promise<unknown> = Promise.resolve();

  enter('starting', 'Envoy starts');
  if (!(await adopt())) await launch();
  return {
    get state() {
      return state;
    },
    admin,
    stop,
  };

  async function launch(): Promise<void> {
    writeFileSync(options.bootstrapFile, options.bootstrap(), { mode: 0o600 });
    rmSync(options.adminSocket, { force: true });
    const startedAt = Date.now();
    child = spawn(options.binary, argumentsOf(options), { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
    const exit = exitOf(child);
    const outcome = await Promise.race([exit, untilReady(admin, exit)]);
    if (outcome !== 'ready') {
      child.kill('SIGKILL');
      throw new Error(`Envoy ${outcome} before it was ready; its log says why`);
    }
    watch(exit, startedAt);
    enter('ready', 'Envoy serves');
  }

  function watch(exit: Promise<string>, startedAt: number): void {
    ended = exit.then((how) => {
      if (state === 'draining' || state === 'stopped') return;
      failures = Date.now() - startedAt > backoffMs.forgottenAfter ? 0 : failures + 1;
      enter('down', `Envoy ${how}`);
      void restart();
    });
  }

  async function restart(): Promise<void> {
    while (state === 'down') {
      const longest = Math.min(backoffMs.longest, backoffMs.first * 2 ** failures);
      await sleep(longest / 2 + (Math.random() * longest) / 2);
      if (state !== 'down') return;
      try {
        await launch();
      } catch (error) {
        failures++;
        if (state === 'down') enter('down', String(error));
      }
    }
  }

  async function adopt(): Promise<boolean> {
    if (!(await admin.isReady())) return false;
    if (existsSync(options.bootstrapFile) && options.isCurrent(readFileSync(options.bootstrapFile, 'utf8'))) {
      watch(connectionEnd(options.adminSocket), Date.now());
      enter('ready', 'Envoy was running already and is kept');
      return true;
    }
    enter('starting', 'Envoy runs with an earlier configuration and is replaced');
    const gone = connectionEnd(options.adminSocket);
    await admin.post('/quitquitquit').catch(() => '');
    await gone;
    return false;
  }

  async function stop(drainMs: number): Promise<void> {
    if (state === 'stopped') return;
    const wasUp = state === 'ready';
    enter('draining', 'requests in flight end');
    if (wasUp) {
      await drain(admin, drainMs);
      await admin.post('/quitquitquit').catch(() => '');
    } else child?.kill('SIGTERM');
    const timer = setTimeout(() => child?.kill('SIGKILL'), 2_000);
    await ended;
    clearTimeout(timer);
    rmSync(options.adminSocket, { force: true });
    enter('stopped', 'Envoy has ended');
  }

  function enter(next: EnvoyState, detail: string): void {
    state = next;
    options.onState(next, detail);
  }
}

function argumentsOf({ bootstrapFile, concurrency, logLevel }: EnvoyOptions): string[] {
  return [
    ...['--config-path', bootstrapFile, '--concurrency', String(concurrency), '--disable-hot-restart'],
    ...['--drain-time-s', '5', '--log-level', logLevel],
    // One warning for every stream while the processor is away; the metrics tell it better (envoy-ext-proc.md 3.10).
    ...['--component-log-level', 'ext_proc:error'],
  ];
}

/** In the order that cut no request (pod-interception.md 8): not ready, no new callers, wait, then the caller ends it. */
async function drain(admin: EnvoyAdmin, drainMs: number): Promise<void> {
  const deadline = Date.now() + drainMs;
  await admin.post('/healthcheck/fail').catch(() => '');
  await admin.post('/drain_listeners?inboundonly&graceful&skip_exit').catch(() => '');
  while (Date.now() < deadline && (await activeRequests(admin)) > 0) await sleep(50);
}

async function activeRequests(admin: EnvoyAdmin): Promise<number> {
  const text = await admin.get('/stats?usedonly&filter=^http\\..*downstream_rq_active$').catch(() => '');
  const counts = text.split('\n').filter((line) => !line.startsWith('http.admin.'));
  return counts.reduce((sum, line) => sum + Number(line.split(': ')[1] ?? 0), 0);
}

async function untilReady(admin: EnvoyAdmin, exit: Promise<string>): Promise<string> {
  const deadline = Date.now() + readyWithinMs;
  let gone = false;
  void exit.then(() => {
    gone = true;
  });
  while (!gone && Date.now() < deadline) {
    if (await admin.isReady()) return 'ready';
    await sleep(25);
  }
  return `did not serve within ${readyWithinMs / 1000} s`;
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(signal ? `ended by ${signal}` : `ended with code ${code}`));
  });
}

/** The end of an Envoy that is not our child: an idle connection to its admin socket closes with it. */
function connectionEnd(socket: string): Promise<string> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.on('error', () => {});
    connection.once('close', () => resolve('ended'));
  });
}
