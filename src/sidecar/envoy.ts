// The Envoy of a sidecar: ours, which is started and served what it needs, or somebody else's, which only asks.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { renderBootstrap } from '../envoy/bootstrap.ts';
import { createRenderer } from '../envoy/render.ts';
import type { RunPaths } from '../envoy/resource.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { Metrics } from '../metrics.ts';
import type { Problem } from '../problem.ts';
import type { Settings } from '../settings/settings.ts';
import type { Generation } from '../sources/in-force.ts';
import { envoyAdmin } from '../supervisor/admin.ts';
import { findEnvoy } from '../supervisor/binary/find.ts';
import { type EnvoyProcess, type EnvoyState, startEnvoy } from '../supervisor/process.ts';
import type { AskGate } from '../supervisor/remembering.ts';
import { claimSocket, type NamedSocket } from '../supervisor/socket.ts';
import type { Refusal } from '../xds/resources.ts';
import { openXdsServer, type XdsServer } from '../xds/server.ts';
import { createLingering } from './lingering.ts';

export type SidecarEnvoy = {
  readonly isReady: boolean;
  /** What is waited for; undefined where it serves. */
  notReady(): Promise<string | undefined>;
  /** Its Prometheus text of lanes; empty where it cannot be asked. */
  statistics(): Promise<string>;
  /** What it has refused of what it was given. */
  readonly problems: readonly Problem[];
  /** Opens what it is served from; must come before `start`. `replace`: another lanekeeper serves there until now. */
  prepare(mesh: Mesh, options: { readonly replace: boolean }): Promise<void>;
  start(gate: AskGate, signal: AbortSignal | undefined): Promise<void>;
  /** Gives it what is new in a later generation. */
  update(generation: Generation): void;
  stop(drainMs: number): Promise<void>;
  /** Leaves it to the next lanekeeper. */
  release(): void;
  kill(): void;
  /** Ends what `prepare` opened. */
  close(): Promise<void>;
};

export type EnvoyContext = {
  readonly settings: Settings;
  readonly paths: RunPaths;
  readonly metrics: Metrics;
  readonly log: Logger;
};

/** An Envoy that serves may be waited for in vain: what it refused is known by then. */
const settledWithinMs = 5_000;

/** An Envoy that this sidecar starts, serves, watches and ends. Rejects where there is no binary of our version. */
export async function ownEnvoy({ settings, paths, metrics, log }: EnvoyContext): Promise<SidecarEnvoy> {
  const { workload } = settings;
  const binary = await findEnvoy({ envoy: settings.envoy, say: (what) => log.info(what) });
  const admin = envoyAdmin(paths.adminSocket);
  const render = createRenderer(workload, paths);
  const resources = createLingering((given) => xds?.update(given));
  let state: EnvoyState = 'starting';
  let envoy: EnvoyProcess | undefined;
  let socket: NamedSocket | undefined;
  let xds: XdsServer | undefined;
  let refused: readonly Refusal[] = [];
  let latest = 1;

  return {
    get isReady() {
      return state === 'ready';
    },
    get problems() {
      return refused.map(problemOf);
    },
    async notReady() {
      if (state !== 'ready') return `Envoy is ${state}`;
      if (xds?.isConnected === false) return 'Envoy has not asked for its configuration yet';
      return (await admin.isReady()) ? undefined : 'Envoy does not answer';
    },
    statistics: () => admin.get('/stats/prometheus?usedonly&filter=^lanekeeper').catch(() => ''),
    async prepare(mesh, { replace }) {
      socket = await claimSocket(paths.controlSocket, { replace });
      xds = await openXdsServer({
        socket: socket.path,
        onRefusals: report,
        onError: (error) => log.error({ error: String(error) }, 'Envoy could not be served'),
      });
      resources.update(render(mesh));
      socket.publish();
    },
    async start(gate, signal) {
      envoy = await startEnvoy({
        binary,
        bootstrapFile: join(settings.runDirectory, 'bootstrap.json'),
        adminSocket: paths.adminSocket,
        concurrency: settings.concurrency,
        logLevel: settings.envoyLogLevel,
        signal,
        bootstrap: () => bootstrap(gate.isWanted),
        isCurrent: (text) => text === bootstrap(true) || text === bootstrap(false),
        onState(next, detail) {
          state = next;
          metrics.observeEnvoy(next);
          log[next === 'down' ? 'error' : 'info']({ envoy: next }, detail);
          if (next === 'ready') gate.repeat(); // it may have changed while Envoy read its bootstrap
        },
      });
      await Promise.race([xds?.settled(), sleep(settledWithinMs, undefined, { ref: false })]);
      metrics.served.set(latest);
      const listener = refused.find(({ type }) => type === 'listeners');
      if (listener === undefined) return;
      await envoy.stop(0);
      throw new Error(problemOf(listener).message); // most often a port that is taken
    },
    update({ mesh, number }) {
      latest = number;
      resources.update(render(mesh));
      xds?.settled().then(
        () => number === latest && metrics.served.set(number),
        () => {}, // it ends
      );
    },
    async stop(drainMs) {
      await envoy?.stop(drainMs);
    },
    release: () => envoy?.release(),
    kill: () => envoy?.kill(),
    async close() {
      socket?.withdraw();
      resources.close();
      await xds?.close();
    },
  };

  function bootstrap(remembering: boolean): string {
    return JSON.stringify(renderBootstrap({ workload, paths, remembering }), null, 1);
  }

  function report(now: readonly Refusal[]): void {
    const known = new Set(refused.map((each) => JSON.stringify(each)));
    const fresh = now.filter((each) => !known.has(JSON.stringify(each)));
    for (const each of fresh) log.error(problemOf(each).message);
    metrics.refusals.inc(fresh.length);
    metrics.refused.set(now.length);
    refused = now;
  }
}

function problemOf({ type, name, reason }: Refusal): Problem {
  const what = { listeners: 'listener', routes: 'route table', clusters: 'cluster', endpoints: 'endpoints of' }[type];
  return {
    severity: 'error',
    message: `Envoy refused the ${what} ${name}: ${reason}; what it had before stays`,
  };
}

/** Somebody else's Envoy (`--envoy external`): it asks by its own configuration, and is neither started nor told anything. */
export function externalEnvoy(): SidecarEnvoy {
  return {
    isReady: true,
    problems: [],
    notReady: async () => undefined,
    statistics: async () => '',
    async prepare() {},
    start: async () => {},
    update() {},
    stop: async () => {},
    release() {},
    kill() {},
    async close() {},
  };
}
