// The composition root of a sidecar: what is opened, in which order, and how it ends.
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { openAdmin } from './admin/server.ts';
import { renderLaneStatistics } from './admin/statistics.ts';
import { createDecider } from './decision/decide.ts';
import { renderBootstrap } from './envoy/bootstrap.ts';
import { type RunPaths, rememberingKey } from './envoy/resource.ts';
import { renderRoutes } from './envoy/routes/tables.ts';
import { openServer } from './extproc/server.ts';
import type { Mesh } from './mesh/mesh.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { formatProblem } from './problem.ts';
import { createMemory } from './propagation/memory.ts';
import { runPaths } from './settings/run-paths.ts';
import type { Settings } from './settings/settings.ts';
import { type Generation, openInForce } from './sources/in-force.ts';
import { findEnvoy } from './supervisor/binary.ts';
import { type EnvoyOptions, type EnvoyProcess, type EnvoyState, startEnvoy } from './supervisor/process.ts';
import { createAskGate } from './supervisor/remembering.ts';
import { createRouteFiles, refusal, routeCounts } from './supervisor/routes.ts';
import { claimSocket } from './supervisor/socket.ts';

export type Sidecar = {
  readonly adminPort: number;
  /** Drains, ends Envoy, removes sockets and files. */
  stop(drainMs: number): Promise<void>;
};

const sweepMs = 1_000;

/**
 * 1 rules and services, 2 the processor's socket, 3 Envoy, 4 the admin port; ended in the opposite order. Rejects where
 * one of them cannot be had, and leaves nothing behind then.
 */
export async function startSidecar(settings: Settings, log: Logger): Promise<Sidecar> {
  const { workload, runDirectory } = settings;
  const closers: ((drainMs: number) => Promise<void> | void)[] = [];
  try {
    return await start();
  } catch (error) {
    await end(0);
    throw error;
  }

  async function start(): Promise<Sidecar> {
    mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
    const paths = runPaths(settings);
    const metrics = createMetrics();
    const memory =
      workload.propagation === 'trace' ? createMemory({ ...settings.memory, now: () => performance.now() }) : undefined;
    const decider = createDecider({ workload, memory, random: randomBytes });
    let envoy: EnvoyProcess | undefined;

    const routes = createRouteFiles(paths.routes);
    closers.push(routes.remove);
    let first: Mesh | undefined; // what the clusters are rendered from: live ones need xDS
    const inForce = await openInForce(settings.config, (generation) => {
      first ??= generation.mesh;
      report(generation, metrics, log);
      decider.use(generation.mesh); // before the routes: what they ask is answered by the new rules
      void swapRoutes(generation, first);
    });
    closers.push(inForce.close);

    const gate = createAskGate(
      (open) => envoy?.admin.post(`/runtime_modify?${rememberingKey}=${open ? 100 : 0}`) ?? Promise.resolve(''),
      (error) => log.warn({ error: String(error) }, 'Envoy could not be told whether labels are remembered'),
    );
    await claimSocket(paths.processorSocket);
    const server = await openServer({
      socket: paths.processorSocket,
      socketGroup: settings.socketGroup,
      decide(question) {
        const decision = decider.decide(question);
        metrics.count(question.direction, decision);
        return { decision, before: memory && memory.size > 0 ? gate.open() : undefined };
      },
      onFailure(error) {
        metrics.failures.inc();
        log.error({ error }, 'a request went on undecided');
      },
    });
    closers.push(server.close);
    server.setServing(true);

    const bootstrap = (remembering: boolean) =>
      JSON.stringify(
        renderBootstrap({ workload, mesh: first ?? inForce.generation.mesh, paths, remembering }),
        null,
        1,
      );
    envoy = await startEnvoy({
      ...(await envoyOptions(settings, paths, log)),
      bootstrap: () => bootstrap(gate.isWanted),
      isCurrent: (text) => text === bootstrap(true) || text === bootstrap(false),
      onState(state, detail) {
        metrics.observeEnvoy(state);
        logState(log, state, detail);
      },
    });
    closers.push(envoy.stop);
    gate.repeat();
    const sweeper = setInterval(() => {
      memory?.sweep();
      if (memory?.size === 0) gate.close();
    }, sweepMs);
    closers.push(() => clearInterval(sweeper));

    const { admin: envoyAdmin } = envoy;
    const admin = await openAdmin({
      ...settings.admin,
      notReady: async () => ((await envoyAdmin.isReady()) ? undefined : `Envoy is ${envoy?.state}`),
      problems: () => inForce.generation.problems,
      async metrics() {
        metrics.observeMemory(memory);
        metrics.askGateOpen.set(gate.isOpen ? 1 : 0);
        const envoyText = await envoyAdmin.get('/stats/prometheus?usedonly&filter=^lanekeeper').catch(() => '');
        return `${await metrics.registry.metrics()}${renderLaneStatistics(envoyText)}`;
      },
    });
    closers.push(admin.close);
    return { adminPort: admin.port, stop: end };

    async function swapRoutes({ mesh, number }: Generation, { services }: Mesh): Promise<void> {
      if (!isDeepStrictEqual(mesh.services, services))
        log.warn(
          { generation: number },
          'services have changed; instances and lanes are taken up at the next start of this sidecar',
        );
      const before = envoy && (await routeCounts(envoy.admin));
      const written = routes.write(renderRoutes(workload, { ...mesh, services }));
      if (envoy === undefined || before === undefined || written.length === 0) return;
      const refused = await refusal(envoy.admin, before, written);
      if (refused === undefined) return;
      metrics.routeFailures.inc();
      log.error({ generation: number }, refused);
    }
  }

  async function end(drainMs: number): Promise<void> {
    for (const close of closers.splice(0).reverse()) await close(drainMs);
  }
}

async function envoyOptions(settings: Settings, paths: RunPaths, log: Logger) {
  const binary = await findEnvoy({ envoy: settings.envoy, say: (what) => log.info(what) });
  return {
    binary,
    bootstrapFile: join(settings.runDirectory, 'bootstrap.json'),
    adminSocket: paths.adminSocket,
    concurrency: settings.concurrency,
    logLevel: settings.envoyLogLevel,
  } satisfies Partial<EnvoyOptions>;
}

function report({ number, mesh, problems }: Generation, metrics: Metrics, log: Logger): void {
  const errors = problems.filter(({ severity }) => severity === 'error');
  metrics.generation.set(number);
  metrics.problems.set({ severity: 'error' }, errors.length);
  metrics.problems.set({ severity: 'warning' }, problems.length - errors.length);
  for (const problem of problems) log[problem.severity === 'error' ? 'error' : 'warn'](formatProblem(problem));
  const counts = { generation: number, rules: mesh.rules.traffic.length, services: mesh.services.size };
  log.info(counts, 'rules and services are in force');
}

function logState(log: Logger, state: EnvoyState, detail: string): void {
  log[state === 'down' ? 'error' : 'info']({ envoy: state }, detail);
}
