// The composition root of a sidecar: what is opened, in which order, and how it ends.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { openAdmin } from '../admin/server.ts';
import { renderLaneStatistics } from '../admin/statistics.ts';
import { createDecider } from '../decision/decide.ts';
import { rememberingKey } from '../envoy/resource.ts';
import { openServer } from '../extproc/server.ts';
import { warmUp } from '../extproc/warm-up.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { formatProblem, type Problem } from '../problem.ts';
import { createMemory } from '../propagation/memory.ts';
import { runPaths } from '../settings/run-paths.ts';
import type { Settings } from '../settings/settings.ts';
import { filesSource } from '../sources/files.ts';
import { type Generation, openInForce } from '../sources/in-force.ts';
import { nacosSource } from '../sources/nacos/nacos.ts';
import type { Source } from '../sources/source.ts';
import { envoyAdmin } from '../supervisor/admin.ts';
import { requestHandover, serveHandover } from '../supervisor/handover.ts';
import { createAskGate } from '../supervisor/remembering.ts';
import { claimSocket } from '../supervisor/socket.ts';
import { openSidecarDatabases, type SidecarDatabases } from './databases.ts';
import { externalEnvoy, ownEnvoy } from './envoy.ts';

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
    const isOwn = settings.envoy !== 'external';
    mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
    const paths = runPaths(settings);
    const metrics = createMetrics();
    const envoy = isOwn ? await ownEnvoy({ settings, paths, metrics, log }) : externalEnvoy();
    const memory =
      workload.propagation === 'trace' ? createMemory({ ...settings.memory, now: () => performance.now() }) : undefined;
    const decider = createDecider({ workload, memory, random: randomBytes });

    const gate = createAskGate(
      (open) =>
        isOwn
          ? envoyAdmin(paths.adminSocket).post(`/runtime_modify?${rememberingKey}=${open ? 100 : 0}`)
          : Promise.resolve(''),
      (error) => log.warn({ error: String(error) }, 'Envoy could not be told whether labels are remembered'),
    );
    const handoverPath = join(runDirectory, 'handover.sock');
    const earlier = settings.takeOver ? await requestHandover(handoverPath) : undefined;
    const socket = await claimSocket(paths.processorSocket, { replace: earlier !== undefined });
    const server = await openServer({
      socket: socket.path,
      socketGroup: settings.socketGroup,
      trustedHops: workload.trustedHops,
      decide(question) {
        const decision = decider.decide(question);
        metrics.count(question.direction, decision);
        if (memory && memory.size > 0) databases?.setRemembering(true);
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

    let databases: SidecarDatabases | undefined;
    let reported: readonly Problem[] = [];
    const inForce = await openInForce({
      sources: sourcesOf(settings),
      snapshot: settings.snapshot,
      onGeneration(generation) {
        report(generation, reported, { metrics, log });
        reported = generation.problems;
        decider.use(generation.mesh); // before the routes: what they ask is answered by the new rules
        databases?.use(generation.mesh);
        envoy.update(generation);
      },
    });
    closers.push(inForce.close);
    await envoy.prepare(inForce.generation.mesh, { replace: earlier !== undefined });
    closers.push(envoy.close);
    server.setServing(true);
    await warmUp(socket.path); // before anybody asks
    memory?.load(earlier?.dump ?? []);
    socket.publish();
    memory?.load((await earlier?.taken()) ?? []); // what it was asked between the two
    const { mesh } = inForce.generation;
    const replace = earlier !== undefined;
    databases = await openSidecarDatabases({ settings, paths, mesh, memory, metrics, log, replace });
    closers.push((drainMs) => databases?.close(drainMs));
    databases?.setRemembering(memory !== undefined && memory.size > 0);
    if (memory && memory.size > 0) void gate.open(); // so says its Envoy already, and must not be told otherwise

    const admin = await openAdmin({
      ...settings.admin,
      notReady: envoy.notReady,
      problems: () => [...inForce.generation.problems, ...envoy.problems],
      async metrics() {
        metrics.observeMemory(memory);
        await databases?.observe();
        metrics.askGateOpen.set(gate.isOpen ? 1 : 0);
        return `${await metrics.registry.metrics()}${renderLaneStatistics(await envoy.statistics())}`;
      },
    });
    closers.push(() => (released ? undefined : admin.close()));

    await envoy.start(gate, signal);
    closers.push((drainMs) => (released ? envoy.release() : envoy.stop(drainMs)));
    signal?.throwIfAborted();
    const sweeper = setInterval(() => {
      memory?.sweep();
      if (memory?.size !== 0) return;
      databases?.setRemembering(false);
      if (envoy.isReady) gate.close();
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

/** In the order of their precedence: what files say of a service wins. */
function sourcesOf({ config, nacos }: Settings): Source[] {
  if (nacos === undefined) return [filesSource(config)];
  const { namespaces, passwordFile, ...others } = nacos;
  const password = () => readFileSync(passwordFile ?? '', 'utf8').trim();
  const registry = nacosSource({
    ...others,
    namespaces: namespaces.map((id) => ({ id })),
    ...(passwordFile !== undefined && { password }),
    listEveryMs: 1_000,
  });
  return config.length > 0 ? [filesSource(config), registry] : [registry];
}

/** Problems that are new are said once; that instances come and go is nobody's news. */
function report(generation: Generation, before: readonly Problem[], { metrics, log }: Reporters): void {
  const { number, mesh, problems, sources, difference } = generation;
  const errors = problems.filter(({ severity }) => severity === 'error');
  metrics.generation.set(number);
  metrics.problems.set({ severity: 'error' }, errors.length);
  metrics.problems.set({ severity: 'warning' }, problems.length - errors.length);
  for (const { name, lost } of sources) metrics.sourceStale.set({ source: name }, lost === undefined ? 0 : 1);
  const known = new Set(before.map(formatProblem));
  for (const problem of problems)
    if (!known.has(formatProblem(problem)))
      log[problem.severity === 'error' ? 'error' : 'warn'](formatProblem(problem));
  const { services, rules } = difference;
  const isNews = [services.added, services.removed, ...Object.values(rules)].some((names) => names.length > 0);
  const counts = { generation: number, rules: mesh.rules.traffic.length, services: mesh.services.size };
  log[isNews ? 'info' : 'debug'](counts, 'rules and services are in force');
}

type Reporters = { readonly metrics: Metrics; readonly log: Logger };
