// A real Envoy that has everything from the ADS server, and the instances that it calls.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { freePorts } from '../../src/demo/topology.ts';
import { control, dynamicResources } from '../../src/envoy/clusters/control.ts';
import type { Resource } from '../../src/envoy/resource.ts';
import { envoyAdmin } from '../../src/supervisor/admin.ts';
import { findEnvoy } from '../../src/supervisor/binary/find.ts';
import type { Refusal, Resources } from '../../src/xds/resources.ts';
import { openXdsServer, type XdsServer, type XdsServerOptions } from '../../src/xds/server.ts';
import { startApplication } from '../envoy/application.ts';
import { nothing, type Patch, patched } from './mesh.ts';
import { openRelay } from './relay.ts';

export type Stage = Awaited<ReturnType<typeof openStage>>;

export type StageOptions = Partial<XdsServerOptions> & {
  /** Envoy calls the server itself, not through the relay that writes down. */
  readonly direct?: boolean;
  /** No server in this process: the test starts one elsewhere, at `socket`. */
  readonly absent?: boolean;
  readonly dynamic?: Resource;
  /** More static resources. */
  readonly statics?: Resource;
};

export async function openStage(options: StageOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-xds-'));
  const socket = join(folder, 'xds.sock');
  const relaySocket = join(folder, 'relay.sock');
  const ports = await freePorts(6);
  const binary = await findEnvoy({ say: () => {} });
  const admin = envoyAdmin(join(folder, 'admin.sock'));
  const refusals: (readonly Refusal[])[] = [];
  const errors: Error[] = [];
  const closing: (() => Promise<unknown>)[] = [];
  let current = nothing;
  let envoy: ChildProcess | undefined;
  writeFileSync(join(folder, 'bootstrap.json'), JSON.stringify(bootstrap()));
  const relay = await openRelay(relaySocket, socket);
  const stage = {
    folder,
    socket,
    ports,
    admin,
    relay,
    refusals,
    server: undefined as unknown as XdsServer,
    application,
    serve,
    update,
    startEnvoy,
    killEnvoy,
    isReady: () => vi.waitFor(async () => expect(await admin.isReady()).toBe(true), { interval: 10, timeout: 10_000 }),
    get resources(): Resources {
      return current;
    },
    get envoyPid() {
      return envoy?.pid ?? 0;
    },
    get: (path: string, port = ports[0]) => get(port ?? 0, path),
    load,
    statistic,
    log: () => readFileSync(join(folder, 'envoy.log'), 'utf8'),
    close,
  };
  if (!options.absent) await serve();
  return stage;

  async function serve(): Promise<XdsServer> {
    stage.server = await openXdsServer({
      socket,
      routeDelayMs: 0,
      onRefusals: (all) => refusals.push(all),
      onError: (error) => errors.push(error),
      ...options,
    });
    const { server } = stage;
    closing.push(() => server.close());
    return server;
  }

  /** Waits until Envoy has it. */
  async function update(patch: Patch): Promise<void> {
    current = patched(current, patch);
    stage.server.update(current);
    await stage.server.settled();
  }

  /** An instance that answers with its name; its port. */
  async function application(name: string): Promise<number> {
    const { port, kill } = await startApplication({ member: name, forward: () => [], onSeen: () => {} });
    closing.push(kill);
    return port;
  }

  function startEnvoy(): void {
    const log = openSync(join(folder, 'envoy.log'), 'a');
    const args = ['--config-path', join(folder, 'bootstrap.json'), '--concurrency', '1', '--disable-hot-restart'];
    envoy = spawn(binary, [...args, '--log-level', 'warning'], { stdio: ['ignore', log, log] });
  }

  async function killEnvoy(): Promise<void> {
    const one = envoy;
    envoy = undefined;
    if (one === undefined || one.exitCode !== null) return;
    const exited = new Promise((resolve) => one.once('exit', resolve));
    one.kill('SIGKILL');
    await exited;
  }

  function bootstrap(): object {
    return {
      node: { id: 'stage', cluster: 'lanekeeper' },
      admin: { address: { pipe: { path: join(folder, 'admin.sock'), mode: 0o600 } } },
      dynamic_resources: options.dynamic ?? dynamicResources,
      static_resources: { ...options.statics, clusters: [control(options.direct ? socket : relaySocket)] },
    };
  }

  async function statistic(name: string): Promise<number> {
    const text = await admin.get(`/stats?filter=^${name.replaceAll('.', '\\.')}$`);
    return Number(/: (\d+)/.exec(text)?.[1] ?? Number.NaN);
  }

  async function close(): Promise<void> {
    await killEnvoy();
    await relay.close();
    for (const end of closing.reverse()) await end();
    rmSync(folder, { recursive: true, force: true });
    expect(errors).toEqual([]);
  }
}

/** Answered by whom, or the status. Keep-alive where an agent is given. */
export function get(port: number, path: string, agent: Agent | false = false): Promise<string> {
  return new Promise((resolve) => {
    const outgoing = request({ host: '127.0.0.1', port, path, agent }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += String(chunk);
      });
      response.on('end', () => resolve(response.statusCode === 200 ? body : String(response.statusCode)));
      response.on('error', (error) => resolve(error.message));
    });
    outgoing.on('error', (error) => resolve((error as { code?: string }).code ?? error.message));
    outgoing.end();
  });
}

/** Requests one after the other until told to stop; how often each answer came. */
export function load(port: number, path: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const answers = new Map<string, number>();
  let going = true;
  let total = 0;
  const done = (async () => {
    while (going) {
      const answer = await get(port, path, agent);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
      total++;
    }
    agent.destroy();
  })();
  return {
    /** Resolves when so many more requests have been answered. */
    async more(count: number): Promise<void> {
      const wanted = total + count;
      await vi.waitFor(() => expect(total).toBeGreaterThanOrEqual(wanted), { interval: 5, timeout: 20_000 });
    },
    async stop(): Promise<Record<string, number>> {
      going = false;
      await done;
      return Object.fromEntries(answers);
    },
  };
}
