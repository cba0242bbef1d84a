// A small real Envoy on a port of its own, and what is told about it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../src/demo/topology.ts';
import { findEnvoy } from '../../src/supervisor/binary/find.ts';
import { type EnvoyOptions, type EnvoyProcess, type EnvoyState, startEnvoy } from '../../src/supervisor/process.ts';

export type Stage = Awaited<ReturnType<typeof openStage>>;

export async function openStage() {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-supervisor-'));
  const [port = 0] = await freePorts(1);
  const binary = await findEnvoy({ envoy: undefined, say: () => {} });
  const states: { state: EnvoyState; detail: string }[] = [];
  const started: EnvoyProcess[] = [];
  let changed = Promise.withResolvers<void>();

  const options: EnvoyOptions = {
    binary,
    bootstrapFile: join(folder, 'bootstrap.json'),
    adminSocket: join(folder, 'admin.sock'),
    concurrency: 1,
    logLevel: 'error',
    bootstrap: () => JSON.stringify(bootstrapOf(folder, port, stage.answer)),
    isCurrent: () => true,
    onState(state, detail) {
      states.push({ state, detail });
      changed.resolve();
      changed = Promise.withResolvers();
    },
  };
  const stage = { folder, port, options, states, start, entered, envoys, close, answer: 'first' };
  return stage;

  async function start(others: Partial<EnvoyOptions> = {}): Promise<EnvoyProcess> {
    const envoy = await startEnvoy({ ...options, ...others });
    started.push(envoy);
    return envoy;
  }

  /** Resolves when a state has been entered so many times since the start. */
  async function entered(state: EnvoyState, times = 1): Promise<string> {
    for (;;) {
      const found = states.filter((entry) => entry.state === state)[times - 1];
      if (found) return found.detail;
      await changed.promise;
    }
  }

  function envoys(): number[] {
    return processesNaming(folder);
  }

  /** Ends what a failed test left, and returns what stood in the folder after everything had been asked to end. */
  async function close(): Promise<readonly string[]> {
    await Promise.all(started.map((envoy) => envoy.stop(0)));
    for (const pid of envoys()) process.kill(pid, 'SIGKILL');
    const left = readdirSync(folder);
    rmSync(folder, { recursive: true, force: true });
    return left;
  }
}

/** Ids of the processes with this text in their command line, without those that have ended. */
export function processesNaming(text: string): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,stat=,args='], { encoding: 'utf8' }).split('\n');
  const fields = lines.map((line) => line.trim().split(/\s+/));
  return fields
    .filter(([, stat, ...args]) => stat && !stat.startsWith('Z') && args.join(' ').includes(text))
    .map(([pid]) => Number(pid));
}

export async function holdPort(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}

const typeUrl = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`;

/** Answers every request with a text. */
function bootstrapOf(folder: string, port: number, answer: string): object {
  const manager = {
    '@type': typeUrl('network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'answers',
    route_config: answering(answer),
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': typeUrl('http.router.v3.Router') } }],
  };
  const listener = {
    name: 'answers',
    enable_reuse_port: false,
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] }],
  };
  return {
    node: { id: 'stage', cluster: 'lanekeeper' },
    admin: { address: { pipe: { path: join(folder, 'admin.sock'), mode: 0o600 } } },
    static_resources: { listeners: [listener] },
  };
}

/** A route table that answers everything with this text. */
function answering(text: string): object {
  return {
    name: 'answers',
    virtual_hosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [{ match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: text } } }],
      },
    ],
  };
}
