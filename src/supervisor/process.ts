// Envoy's life: start it (or keep one that outlived us), watch it, restart it with back-off, drain and end it.
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EnvoyAdmin, envoyAdmin } from './admin.ts';
import { drain } from './drain.ts';
import { findPrevious, forget, type Instance, keepable, record, replace } from './previous.ts';

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
  readonly backoff?: Backoff;
  /** Gives the start up, and leaves nothing behind; of no meaning once Envoy serves. */
  readonly signal?: AbortSignal | undefined;
};

export type Backoff = {
  readonly firstMs: number;
  readonly longestMs: number;
  /** An Envoy that lived so long has no bad past. */
  readonly forgottenAfterMs: number;
};

export type EnvoyProcess = {
  readonly state: EnvoyState;
  /** Lets requests in flight end, at most `drainMs`, then ends Envoy: with SIGKILL where it does not end by itself. */
  stop(drainMs: number): Promise<void>;
  /** Ends Envoy at once, and for good: also while `stop` waits for requests. */
  kill(): void;
  /** Leaves Envoy to the next lanekeeper. */
  release(): void;
};

const readyWithinMs = 20_000;
const endsWithinMs = 2_000;
const defaultBackoff: Backoff = { firstMs: 200, longestMs: 5_000, forgottenAfterMs: 10_000 };

/**
 * Resolves once Envoy serves; rejects where it ended or did not come up, and has ended it then. From then on an Envoy
 * that ends is started again, after 0.1 s to 5 s. An Envoy that is running already (its lanekeeper was killed) is kept
 * where its bootstrap and command line are the present ones, so that nobody's requests are cut; else it is ended first.
 */
export async function startEnvoy(options: EnvoyOptions): Promise<EnvoyProcess> {
  const { adminSocket, bootstrapFile, backoff = defaultBackoff } = options;
  const admin = envoyAdmin(adminSocket);
  const command = [options.binary, ...argumentsOf(options)];
  const ending = new AbortController();
  let state: EnvoyState = 'starting';
  let instance: Instance | undefined; // the one that runs, or ran last
  let deaths = 0; // one soon after the other
  let stopped: Promise<void> | undefined;

  enter('starting', 'Envoy starts');
  const abort = () => kill();
  options.signal?.addEventListener('abort', abort);
  try {
    options.signal?.throwIfAborted();
    if (!(await keep())) await launch();
  } catch (error) {
    if (instance !== undefined) removeFiles(); // else they belong to one that does not end
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
  return {
    get state() {
      return state;
    },
    stop: (drainMs) => {
      stopped ??= stop(drainMs);
      return stopped;
    },
    kill,
    release() {
      ending.abort();
      enter('stopped', 'Envoy is left to the next lanekeeper');
    },
  };

  async function keep(): Promise<boolean> {
    const previous = await findPrevious(adminSocket, bootstrapFile);
    if (previous === undefined) return false;
    if ((await admin.isReady()) && keepable(previous, command) && options.isCurrent(previous.bootstrap)) {
      watch(previous.instance, Date.now());
      enter('ready', 'Envoy was running already and is kept');
      return true;
    }
    enter('starting', 'an Envoy that cannot be kept runs here, and is ended first');
    await replace(previous.instance, admin, endsWithinMs);
    return false;
  }

  async function launch(): Promise<void> {
    if (ending.signal.aborted) throw new Error('Envoy was not to be started any more');
    writeFileSync(bootstrapFile, options.bootstrap(), { mode: 0o600 });
    rmSync(adminSocket, { force: true });
    const startedAt = Date.now();
    const launched = run(command);
    instance = launched;
    if (launched.pid !== undefined) record(bootstrapFile, { pid: launched.pid, command });
    const outcome = await Promise.race([launched.exited, untilReady(admin, launched)]);
    if (outcome !== 'ready') {
      launched.kill('SIGKILL');
      await launched.exited;
      throw new Error(
        `Envoy ${outcome}${launched.pid === undefined ? '' : ' before it was ready; its own log says why'}`,
      );
    }
    if (ending.signal.aborted) return; // whoever ends it waits for its end
    watch(launched, startedAt);
    enter('ready', 'Envoy serves');
  }

  function watch(watched: Instance, startedAt: number): void {
    instance = watched;
    void watched.exited.then((how) => {
      if (ending.signal.aborted) return;
      deaths = Date.now() - startedAt >= backoff.forgottenAfterMs ? 1 : deaths + 1;
      void restart(`Envoy ${how}`);
    });
  }

  /** Never rejects: what fails is said, and tried again. */
  async function restart(why: string): Promise<void> {
    const waitMs = backoffMs(deaths, Math.random(), backoff);
    enter('down', `${why}; started again in ${waitMs} ms`);
    await sleep(waitMs, undefined, { signal: ending.signal }).catch(() => {});
    if (ending.signal.aborted) return;
    try {
      await launch();
    } catch (error) {
      if (ending.signal.aborted) return;
      deaths++;
      void restart(error instanceof Error ? error.message : String(error));
    }
  }

  async function stop(drainMs: number): Promise<void> {
    const wasReady = state === 'ready';
    enter('draining', 'requests in flight end');
    ending.abort();
    const timer = setTimeout(() => instance?.kill('SIGKILL'), drainMs + endsWithinMs);
    if (wasReady && instance !== undefined) {
      await drain(admin, { deadline: Date.now() + drainMs, exited: instance.exited });
      await admin.post('/quitquitquit').catch(() => '');
    } else instance?.kill('SIGTERM');
    const outcome = await Promise.race([instance?.exited, sleep(2 * endsWithinMs, 'stays', { ref: false })]);
    clearTimeout(timer);
    if (outcome === 'stays') return enter('stopped', 'Envoy does not end, and is left alone');
    removeFiles();
    enter('stopped', 'Envoy has ended');
  }

  function kill(): void {
    ending.abort();
    instance?.kill('SIGKILL');
  }

  function removeFiles(): void {
    forget(bootstrapFile);
    for (const file of [adminSocket, bootstrapFile]) rmSync(file, { force: true });
  }

  function enter(next: EnvoyState, detail: string): void {
    state = next;
    options.onState(next, detail);
  }
}

/** Doubled with each death, and spread over the upper half, so that the pods of a node do not start in step. */
export function backoffMs(deaths: number, random: number, { firstMs, longestMs }: Backoff): number {
  const most = Math.min(longestMs, firstMs * 2 ** (deaths - 1));
  return Math.round(most / 2 + (random * most) / 2);
}

function argumentsOf({ bootstrapFile, concurrency, logLevel }: EnvoyOptions): string[] {
  return [
    ...['--config-path', bootstrapFile, '--concurrency', String(concurrency), '--disable-hot-restart'],
    ...['--drain-time-s', '5', '--log-level', logLevel],
    // One warning for every stream while lanekeeper is away; its metrics and its own log tell it better (envoy-ext-proc.md 3.10).
    ...['--component-log-level', 'ext_proc:error,config:error'],
  ];
}

/** Detached: in a process group of its own, so that Ctrl-C reaches us alone and requests in flight can end. */
function run([binary = '', ...args]: readonly string[]): Instance {
  const child = spawn(binary, args, { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`));
  });
  return { pid: child.pid, exited, kill: (signal) => child.kill(signal) };
}

async function untilReady(admin: EnvoyAdmin, { exited }: Instance): Promise<string> {
  const deadline = Date.now() + readyWithinMs;
  let gone = false;
  void exited.then(() => {
    gone = true;
  });
  while (!gone && Date.now() < deadline) {
    if (await admin.isReady()) return 'ready';
    await sleep(25);
  }
  return `did not serve within ${readyWithinMs / 1000} s`;
}
