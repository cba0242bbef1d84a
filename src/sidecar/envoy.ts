// The Envoy of a sidecar: ours, which is started and given its routes, or somebody else's, which only asks.

import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { renderBootstrap } from '../envoy/bootstrap.ts';
import type { RunPaths } from '../envoy/resource.ts';
import { renderRoutes } from '../envoy/routes/tables.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { Metrics } from '../metrics.ts';
import type { Settings } from '../settings/settings.ts';
import type { Generation } from '../sources/in-force.ts';
import { envoyAdmin } from '../supervisor/admin.ts';
import { findEnvoy } from '../supervisor/binary.ts';
import { type EnvoyProcess, type EnvoyState, startEnvoy } from '../supervisor/process.ts';
import type { AskGate } from '../supervisor/remembering.ts';
import { createRouteFiles, type RouteFiles, refusal, routeCounts } from '../supervisor/routes.ts';

export type SidecarEnvoy = {
  readonly isReady: boolean;
  /** What is waited for; undefined where it serves. */
  notReady(): Promise<string | undefined>;
  /** Its Prometheus text of lanes; empty where it cannot be asked. */
  statistics(): Promise<string>;
  /** Gives it its first routes; must come before `start`. */
  prepare(mesh: Mesh): void;
  start(gate: AskGate, signal: AbortSignal | undefined): Promise<void>;
  /** Gives it the routes of a later generation. Never rejects: what fails is counted and said, and the earlier ones stay. */
  update(generation: Generation): void;
  stop(drainMs: number): Promise<void>;
  /** What `prepare` wrote. */
  removeFiles(): void;
  /** Leaves it to the next lanekeeper. */
  release(): void;
  kill(): void;
};

export type EnvoyContext = {
  readonly settings: Settings;
  readonly paths: RunPaths;
  readonly metrics: Metrics;
  readonly log: Logger;
};

/** An Envoy that this sidecar starts, watches and ends. Rejects where there is no binary of our version. */
export async function ownEnvoy({ settings, paths, metrics, log }: EnvoyContext): Promise<SidecarEnvoy> {
  const { workload } = settings;
  const binary = await findEnvoy({ envoy: settings.envoy, say: (what) => log.info(what) });
  const admin = envoyAdmin(paths.adminSocket);
  let routes: RouteFiles | undefined;
  let state: EnvoyState = 'starting';
  let first: Mesh | undefined; // what the clusters are rendered from: live ones need xDS
  let envoy: EnvoyProcess | undefined;
  let ended = false;
  let swapped: Promise<void> = Promise.resolve(); // one after the other, or an older table could come last

  return {
    get isReady() {
      return state === 'ready';
    },
    async notReady() {
      if (state !== 'ready') return `Envoy is ${state}`;
      return (await admin.isReady()) ? undefined : 'Envoy does not answer';
    },
    statistics: () => admin.get('/stats/prometheus?usedonly&filter=^lanekeeper').catch(() => ''),
    prepare(mesh) {
      first = mesh;
      routes = createRouteFiles(paths.routes);
      routes.write(renderRoutes(workload, mesh));
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
    },
    update(generation) {
      const known = first;
      if (known !== undefined) swapped = swapped.then(() => swap(generation, known));
    },
    async stop(drainMs) {
      ended = true;
      await envoy?.stop(drainMs);
    },
    removeFiles: () => routes?.remove(),
    release() {
      ended = true;
      envoy?.release();
    },
    kill: () => envoy?.kill(),
  };

  function bootstrap(remembering: boolean): string {
    if (first === undefined) throw new Error('Envoy is started before it has routes');
    return JSON.stringify(renderBootstrap({ workload, mesh: first, paths, remembering }), null, 1);
  }

  async function swap({ mesh: { services, rules }, number }: Generation, known: Mesh): Promise<void> {
    if (!isDeepStrictEqual(services, known.services))
      log.warn(
        { generation: number },
        'services have changed; instances and lanes are taken up at the next start of this sidecar',
      );
    try {
      const before = state === 'ready' ? await routeCounts(admin) : undefined;
      if (ended || routes === undefined) return;
      const written = routes.write(renderRoutes(workload, { rules, services: known.services }));
      const refused = before && written.length > 0 ? await refusal(admin, before, written) : undefined;
      if (refused !== undefined) throw new Error(refused);
    } catch (error) {
      metrics.routeFailures.inc();
      log.error({ generation: number }, error instanceof Error ? error.message : String(error));
    }
  }
}

/** Somebody else's Envoy (`--envoy external`): it asks by its own configuration, and is neither started nor told anything. */
export function externalEnvoy(): SidecarEnvoy {
  return {
    isReady: true,
    notReady: async () => undefined,
    statistics: async () => '',
    prepare() {},
    start: async () => {},
    update() {},
    stop: async () => {},
    removeFiles() {},
    release() {},
    kill() {},
  };
}
