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
import { rememberingKey } from './envoy/resource.ts';
import { renderRoutes } from './envoy/routes/tables.ts';
import { openServer } from './extproc/server.ts';
import type { Mesh } from './mesh/mesh.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { formatProblem } from './problem.ts';
import { createMemory } from './propagation/memory.ts';
import { runPaths } from './settings/run-paths.ts';
import type { Settings } from './settings/settings.ts';
import { type Generation, openInForce } from './sources/in-force.ts';
import { envoyAdmin as createEnvoyAdmin } from './supervisor/admin.ts';
import { findEnvoy } from './supervisor/binary.ts';
import { requestHandover, serveHandover } from './supervisor/handover.ts';
import { type EnvoyState, startEnvoy } from './supervisor/process.ts';
import { createAskGate } from './supervisor/remembering.ts';
import { createRouteFiles, refusal, routeCounts } from './supervisor/routes.ts';
import { claimSocket } from './supervisor/socket.ts';

export type StartOptions = {
  /** Gives the start up. */
  readonly signal?: AbortSignal;
  /** Another lanekeeper has taken over: `stop` leaves Envoy to it. */
  readonly onReleased?: () => void;
};

export type Sidecar = {
  readonly adminPort: number;
  /** Drains, ends Envoy, removes sockets and files. */
  stop(drainMs: number): Promise<void>;
  /** Cuts what is in flight: `stop` has nothing to wait for any more. */
  kill(): void;
};

/** A second, or sooner where labels are not remembered so long; an empty memory must not go on being asked. */
const sweepEvery = (ttlMs: number): number => Math.min(1_000, Math.max(20, ttlMs));

/**
 * 1 the processor's socket (which says that the run directory is ours), 2 rules and services, 3 the admin port, 4 Envoy;
 * ended in the opposite order, so that the admin port tells of the drain. Rejects where one of them cannot be had, or
 * `signal` gives the start up, and leaves nothing behind then.
 */
export async function startSidecar(settings: Settings, log: Logger, options: StartOptions = {}): Promise<Sidecar> {
  const { workload, runDirectory } = settings;
  const { signal, onReleased = () => {} } = options;
  const closers: ((drainMs: number) => Promise<void> | void)[] = [];
  let ended: Promise<void> | undefined;
  let released = false; // the next lanekeeper has Envoy, the socket and the files
  try {
    return await start();
  } catch (error) {
    await stop(0);
    throw error;
  }

  async function start(): Promise<Sidecar> {
    const binary = await findEnvoy({ envoy: settings.envoy, say: (what) => log.info(what) });
    mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
    const paths = runPaths(settings);
    const metrics = createMetrics();
    const memory =
      workload.propagation === 'trace' ? createMemory({ ...settings.memory, now: () => performance.now() }) : undefined;
    const decider = createDecider({ workload, memory, random: randomBytes });
    const envoyAdmin = createEnvoyAdmin(paths.adminSocket);
    let envoyState: EnvoyState = 'starting';

    const gate = createAskGate(
      (open) => envoyAdmin.post(`/runtime_modify?${rememberingKey}=${open ? 100 : 0}`),
      (error) => log.warn({ error: String(error) }, 'Envoy could not be told whether labels are remembered'),
    );
    const handoverPath = join(runDirectory, 'handover.sock');
    const earlier = settings.takeOver ? await requestHandover(handoverPath) : undefined;
    const socket = await claimSocket(paths.processorSocket, { replace: earlier !== undefined });
    const server = await openServer({
      socket: socket.path,
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
    closers.push(async (drainMs) => {
      socket.withdraw();
      await (released ? server.retire(drainMs) : server.close(drainMs));
    });

    const routes = createRouteFiles(paths.routes);
    closers.push(() => (released ? undefined : routes.remove()));
    let first: Mesh | undefined; // what the clusters are rendered from: live ones need xDS
    let closed = false;
    let swapped: Promise<void> = Promise.resolve(); // one after the other, or an older table could come last
    const inForce = await openInForce(settings.config, (generation) => {
      report(generation, metrics, log);
      decider.use(generation.mesh); // before the routes: what they ask is answered by the new rules
      const known = first;
      if (known !== undefined) swapped = swapped.then(() => swapRoutes(generation, known));
    });
    closers.push(() => {
      closed = true;
      inForce.close();
    });
    const mesh = inForce.generation.mesh;
    first = mesh;
    routes.write(renderRoutes(workload, mesh));
    server.setServing(true);
    memory?.load(earlier?.dump ?? []);
    socket.publish();
    memory?.load((await earlier?.taken()) ?? []); // what it was asked between the two
    if (memory && memory.size > 0) void gate.open(); // so says its Envoy already, and must not be told otherwise

    const admin = await openAdmin({
      ...settings.admin,
      async notReady() {
        if (envoyState !== 'ready') return `Envoy is ${envoyState}`;
        return (await envoyAdmin.isReady()) ? undefined : 'Envoy does not answer';
      },
      problems: () => inForce.generation.problems,
      async metrics() {
        metrics.observeMemory(memory);
        metrics.askGateOpen.set(gate.isOpen ? 1 : 0);
        const envoyText = await envoyAdmin.get('/stats/prometheus?usedonly&filter=^lanekeeper').catch(() => '');
        return `${await metrics.registry.metrics()}${renderLaneStatistics(envoyText)}`;
      },
    });
    closers.push(() => (released ? undefined : admin.close()));

    const bootstrap = (remembering: boolean) =>
      JSON.stringify(renderBootstrap({ workload, mesh, paths, remembering }), null, 1);
    const envoy = await startEnvoy({
      binary,
      bootstrapFile: join(runDirectory, 'bootstrap.json'),
      adminSocket: paths.adminSocket,
      concurrency: settings.concurrency,
      logLevel: settings.envoyLogLevel,
      signal,
      bootstrap: () => bootstrap(gate.isWanted),
      isCurrent: (text) => text === bootstrap(true) || text === bootstrap(false),
      onState(state, detail) {
        envoyState = state;
        metrics.observeEnvoy(state);
        log[state === 'down' ? 'error' : 'info']({ envoy: state }, detail);
        if (state === 'ready') gate.repeat(); // it may have changed while Envoy read its bootstrap
      },
    });
    closers.push((drainMs) => (released ? envoy.release() : envoy.stop(drainMs)));
    signal?.throwIfAborted();
    const sweeper = setInterval(() => {
      memory?.sweep();
      if (memory?.size === 0 && envoyState === 'ready') gate.close();
    }, sweepEvery(settings.memory.ttlMs));
    closers.push(() => clearInterval(sweeper));
    const next = await claimSocket(handoverPath, { replace: true });
    const handover = await serveHandover(next.path, {
      dump: () => memory?.dump() ?? [],
      onRequest: admin.close,
      onTaken() {
        released = true;
        onReleased();
      },
    });
    next.publish();
    closers.push(() => {
      next.withdraw();
      handover.close();
    });
    return { adminPort: admin.port, stop, kill: envoy.kill };

    /** Never rejects: what fails is counted and said, and the earlier routes stay. */
    async function swapRoutes({ mesh: { services, rules }, number }: Generation, known: Mesh): Promise<void> {
      if (!isDeepStrictEqual(services, known.services))
        log.warn(
          { generation: number },
          'services have changed; instances and lanes are taken up at the next start of this sidecar',
        );
      try {
        const before = envoyState === 'ready' ? await routeCounts(envoyAdmin) : undefined;
        if (closed) return;
        const written = routes.write(renderRoutes(workload, { rules, services: known.services }));
        const refused = before && written.length > 0 ? await refusal(envoyAdmin, before, written) : undefined;
        if (refused !== undefined) throw new Error(refused);
      } catch (error) {
        metrics.routeFailures.inc();
        log.error({ generation: number }, error instanceof Error ? error.message : String(error));
      }
    }
  }

  function stop(drainMs: number): Promise<void> {
    ended ??= close(drainMs);
    return ended;
  }

  async function close(drainMs: number): Promise<void> {
    for (const closer of closers.reverse()) {
      try {
        await closer(drainMs);
      } catch (error) {
        log.error({ error: String(error) }, 'something could not be closed; the rest is'); // the rest must not stay
      }
    }
  }
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
