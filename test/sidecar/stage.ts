// One application behind one lanekeeper, which runs in a process of its own; and service b, base and gray, that it may call.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import { stringify } from 'yaml';
import { freePorts } from '../../src/demo/topology.ts';
import { envoyAdmin } from '../../src/supervisor/admin.ts';
import { call, startApplication } from '../envoy/application.ts';
import { processesNaming } from '../supervisor/stage.ts';

export type Stage = Awaited<ReturnType<typeof openStage>>;
export type Lanekeeper = Awaited<ReturnType<Stage['start']>>;

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export async function openStage() {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-sidecar-'));
  const run = join(folder, 'run');
  const rulesFile = join(folder, 'rules.yaml');
  const [inbound = 0, outbound = 0, applicationPort = 0, ...bPorts] = await freePorts(5);
  const children: ReturnType<typeof spawn>[] = [];
  const state = { respond: (_: IncomingMessage): string | Promise<string> => 'a' };
  const application = createServer(async (request, response) => response.end(await state.respond(request)));
  await new Promise<void>((resolve) => application.listen(applicationPort, '127.0.0.1', resolve));
  const labels = [{}, { 'traffic.opensergo.io/label': 'gray' }];
  const bs = await Promise.all(
    ['b-base', 'b-gray'].map((member, index) =>
      startApplication({ member, port: bPorts[index] ?? 0, forward: () => [], onSeen: () => {} }),
    ),
  );
  writeFileSync(rulesFile, '');
  writeFileSync(
    join(folder, 'services.yaml'),
    stringify({
      apiVersion: 'lanekeeper.io/v1alpha1',
      kind: 'Service',
      metadata: { name: 'b' },
      spec: {
        ports: [{ port: 80 }],
        instances: bs.map(({ port }, index) => ({ address: '127.0.0.1', port, labels: labels[index] })),
      },
    }),
  );
  const admin = envoyAdmin(join(run, 'admin.sock'));
  const [bBase = 0, bGray = 0] = bs.map(({ port }) => port);
  return {
    folder,
    run,
    rulesFile,
    inbound,
    outbound,
    bBase,
    bGray,
    state,
    admin,
    start,
    spawnOne,
    envoys,
    files,
    close,
  };

  /** Resolves when it is ready; rejects with its log where it ends before. */
  async function start(args: readonly string[] = []) {
    const lanekeeper = spawnOne(args);
    const outcome = await Promise.race([lanekeeper.ready, lanekeeper.exited]);
    if (typeof outcome !== 'object' || outcome === null)
      throw new Error(`lanekeeper ended (${outcome}):\n${lanekeeper.log()}`);
    return { ...lanekeeper, ...outcome };
  }

  /** A lanekeeper that may end before it is ready. A flag that is given stands in place of the stage's own. */
  function spawnOne(args: readonly string[] = []) {
    const own = [
      ['--config', folder],
      ['--run-dir', run],
      ['--name', 'a'],
      ['--labels', 'app=a'],
      ['--admin', '0'],
      ['--inbound', `${inbound}=${applicationPort}`],
      ['--outbound', `${outbound}=b`],
    ].filter(([flag = '']) => !args.includes(flag));
    const child = spawn(process.execPath, [main, 'sidecar', ...own.flat(), ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    });
    children.push(child);
    let log = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => {
        log += chunk;
      });
    const exited = new Promise<number | string | null>((resolve) =>
      child.once('exit', (code, signal) => resolve(code ?? signal)),
    );
    const ready = new Promise<{ adminPort: number }>((resolve) =>
      child.once('message', (message) => resolve(message as { adminPort: number })),
    );
    return {
      pid: child.pid as number,
      log: () => log,
      exited,
      ready,
      disconnect: () => child.disconnect(),
      logged: (text: string | RegExp) =>
        vi.waitFor(
          () => {
            if (!log.match(text)) throw new Error(`no ${text} in the log:\n${log}`);
          },
          { timeout: 15_000 },
        ),
    };
  }

  /** Ids of the Envoys of this stage. */
  function envoys(): number[] {
    return processesNaming(`--config-path ${join(run, 'bootstrap.json')}`);
  }

  /** What was good stays, for the next start; the rest must go. */
  function files(): string[] {
    return existsSync(run)
      ? readdirSync(run)
          .filter((name) => name !== 'last-good.json')
          .sort()
      : [];
  }

  async function close(): Promise<void> {
    for (const child of children) child.kill('SIGKILL');
    for (const pid of envoys()) process.kill(pid, 'SIGKILL');
    application.close();
    application.closeAllConnections();
    await Promise.all(bs.map((b) => b.kill()));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What an admin port answers to `/ready`. */
export const readiness = (port: number) => call(port, { path: '/ready' });
