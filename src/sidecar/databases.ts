// The database proxies of a sidecar: which ports, which labels, and what they count.
import { readFileSync } from 'node:fs';
import { createConnection } from 'mysql2/promise';
import type { Logger } from 'pino';
import { formatFinding } from '../database/check/finding.ts';
import { inspectDatabase } from '../database/check/inspect.ts';
import type { TlsOptions } from '../database/options.ts';
import { passwordOf } from '../database/password.ts';
import type { Place, Rules } from '../database/thread/messages.ts';
import { type Databases, openDatabases } from '../database/thread/open.ts';
import { isMarked } from '../envoy/listeners/listeners.ts';
import type { RunPaths } from '../envoy/resource.ts';
import { lanesOfWorkload, type Mesh } from '../mesh/mesh.ts';
import type { Workload } from '../mesh/workload.ts';
import type { Metrics } from '../metrics.ts';
import type { Memory } from '../propagation/memory.ts';
import { none } from '../propagation/recollection.ts';
import type { DatabaseSettings } from '../settings/database.ts';
import type { Settings } from '../settings/settings.ts';
import { compileShadows } from '../shadow/compile.ts';
import { claimSocket } from '../supervisor/socket.ts';

export type SidecarDatabases = {
  use(mesh: Mesh): void;
  setRemembering(remembering: boolean): void;
  /** Brings the metrics up to date. */
  observe(): Promise<void>;
  close(drainMs: number): Promise<void>;
};

export type DatabasesContext = {
  readonly settings: Settings;
  readonly paths: RunPaths;
  readonly mesh: Mesh;
  readonly memory: Memory | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Another lanekeeper has the ports until now. */
  readonly replace: boolean;
};

const checkMs = 5_000;

/** How long the lanekeeper whose place is taken may keep a port. */
const takenMs = 10_000;

/** undefined where no database is asked for. */
export async function openSidecarDatabases(context: DatabasesContext): Promise<SidecarDatabases | undefined> {
  const { settings, paths, memory, metrics, log, replace } = context;
  const { database, workload } = settings;
  const { servers, ports, unattributed, definitions, maxStatementBytes } = database;
  if (servers.length === 0 && ports.length === 0) return undefined;
  await checkSchemas(context);
  const socket = ports.length > 0 ? await claimSocket(paths.databaseSocket, { replace }) : undefined;
  const exit = workload.interception && isMarked(workload.interception) ? paths.databaseExitSocket : undefined;
  const databases: Databases = await openDatabases({
    places: [
      ...servers.map(({ listen, host, port }): Place => ({ listen, upstream: { host, port }, exit: undefined })),
      ...(socket ? [{ listen: { path: socket.path }, upstream: 'proxy-protocol', exit } as const] : []),
    ],
    rules: rulesOf(context.mesh, workload),
    namespace: workload.namespace,
    unattributed,
    definitions,
    maxStatementBytes,
    tls: tlsOf(database),
    takenMs: replace ? takenMs : 0,
    recall: (ids) => memory?.recall(ids) ?? none,
    log,
  });
  socket?.publish();
  return {
    use: (mesh) => databases.use(rulesOf(mesh, workload)),
    setRemembering: databases.setRemembering,
    async observe() {
      metrics.observeDatabases(await databases.counts());
    },
    async close(drainMs) {
      socket?.withdraw();
      await databases.close(drainMs);
    },
  };
}

/**
 * `--database-check`: what is wrong with shadows, or reaches base tables behind the text, is a warning, or ends the start.
 * Of rules that are there at the start; later ones are for `lanekeeper database check`.
 */
async function checkSchemas({ settings, mesh, log }: DatabasesContext): Promise<void> {
  const { check, user, passwordFile, servers } = settings.database;
  const map = compileShadows(mesh.rules, settings.workload.namespace);
  if (check === 'no' || user === undefined || map.mappings.length === 0) return;
  const wrong: string[] = [];
  for (const { host, port } of servers) {
    try {
      const password = await passwordOf({ passwordFile });
      const connection = await createConnection({ host, port, user, password, connectTimeout: checkMs });
      const findings = await inspectDatabase(connection, map).finally(() => connection.end());
      for (const finding of findings) {
        const text = `${host}:${port}: ${formatFinding(finding)}`;
        log.warn(text);
        if (finding.severity === 'error') wrong.push(text);
      }
    } catch (error) {
      const text = `${host}:${port} cannot be checked: ${error instanceof Error ? error.message : error}`;
      log.warn(text);
      wrong.push(text);
    }
  }
  if (check === 'refuse' && wrong.length > 0) throw new Error(`--database-check refuse: ${wrong.join('; ')}`);
}

function rulesOf({ rules }: Mesh, workload: Workload): Rules {
  const { workloads, databases } = rules;
  return { workloads, databases, labels: lanesOfWorkload(rules, workload) };
}

function tlsOf({ tls }: DatabaseSettings): TlsOptions {
  if (tls === undefined) return { mode: 'strip' };
  const [certificate = '', key = ''] = [tls.certificate, tls.key].map((file) => readFileSync(file, 'utf8'));
  const authority = tls.authority === undefined ? undefined : readFileSync(tls.authority, 'utf8');
  return { mode: 'terminate', certificate, key, authority };
}
