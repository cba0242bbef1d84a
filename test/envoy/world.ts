// A small mesh on real Envoys: services in base and lanes, some behind a sidecar, a gateway and a client with outbound ports.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { expect, vi } from 'vitest';
import { stringify } from 'yaml';
import { fallbacks, readLaneCounts } from '../../src/admin/statistics.ts';
import { type Child, startChild } from '../../src/demo/child.ts';
import { freePorts } from '../../src/demo/topology.ts';
import { formatProblem } from '../../src/problem.ts';
import { parseSettings } from '../../src/settings/settings.ts';
import { startSidecar } from '../../src/sidecar/sidecar.ts';
import { envoyAdmin } from '../../src/supervisor/admin.ts';
import {
  type Answer,
  type Application,
  type ApplicationOptions,
  call,
  type Seen,
  startApplication,
} from './application.ts';

export type MemberSpec = {
  readonly service: string;
  readonly label?: string;
  /** Behind an Envoy and lanekeeper of its own; else callers reach the application itself. */
  readonly sidecar?: boolean;
  /** The service that it calls; only behind a sidecar. */
  readonly calls?: string;
};

export type WorldOptions = {
  readonly members: readonly MemberSpec[];
  readonly rules?: string;
  readonly strict?: readonly string[];
  /** Services in which a lane `a` serves `a.b` as well. */
  readonly hierarchical?: readonly string[];
  /** Services whose port is an edge. */
  readonly edges?: readonly string[];
  /** What the document of a service says of its port; `http` where absent. */
  readonly protocols?: Readonly<Record<string, 'http2' | 'grpc'>>;
  /** Starts applications of another kind than those that answer with a line. */
  readonly application?: (options: ApplicationOptions) => Promise<Application>;
  /** Starts a gateway with these labels; it routes `/` + the name of a service. */
  readonly gateway?: Readonly<Record<string, string>>;
  /** Starts a client that may call every service; its labels. */
  readonly client?: Readonly<Record<string, string>>;
  readonly propagation?: 'trace' | 'header';
  /** More flags for every sidecar. */
  readonly args?: readonly string[];
  /** Sidecars in processes of their own, so that they can be killed and stopped: `gateway`, `client`, `a-base`. */
  readonly processes?: readonly string[];
};

export type Running = {
  readonly name: string;
  readonly folder: string;
  adminPort: number;
  /** Of the process; this one's where the sidecar runs in it. */
  pid: number;
  /** Lines of lanekeeper's log, where it runs in this process. */
  readonly log: string[];
  stop(): Promise<void>;
  /** Starts a process that was killed once more; it finds its Envoy. */
  restart(): Promise<void>;
  /** Starts another one, which takes over from the one that runs; resolves when that one has ended. */
  upgrade(): Promise<void>;
};
export type World = Awaited<ReturnType<typeof startWorld>>;

export async function startWorld(options: WorldOptions) {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-test-'));
  const seen: Seen[] = [];
  const state = { forward: [] as readonly string[] };
  const names = [...new Set(options.members.map(({ service }) => service))];
  const outboundPorts = new Map<string, number>();
  const running: Running[] = [];
  const applications = new Map<string, Application>();
  const rulesFile = join(folder, 'rules.yaml');
  const ports = await freePorts(options.members.length * 3 + names.length + 1);
  const take = () => ports.pop() ?? 0;

  const planned = options.members.map((spec, index) => {
    const same = options.members
      .slice(0, index)
      .filter((other) => other.service === spec.service && other.label === spec.label);
    const name = `${spec.service}-${spec.label ?? 'base'}${same.length === 0 ? '' : `-${same.length + 1}`}`;
    const application = take();
    return { ...spec, name, applicationPort: application, port: spec.sidecar ? take() : application, next: take() };
  });
  writeFileSync(rulesFile, options.rules ?? '');
  writeFileSync(join(folder, 'services.yaml'), names.map(documentOf).join('---\n'));
  for (const name of names) outboundPorts.set(name, take());
  const gatewayPort = take();

  await Promise.all(planned.map(startMember));
  if (options.gateway) await start('gateway', options.gateway, ['--gateway', String(gatewayPort)]);
  if (options.client) {
    const outbound = [...outboundPorts].map(([service, port]) => `${port}=${service}`).join(',');
    await start('client', options.client, ['--outbound', outbound]);
  }

  return {
    folder,
    rulesFile,
    seen,
    state,
    running,
    applications,
    gatewayPort,
    outboundPorts,
    viaGateway,
    viaClient,
    viaPort,
    portOf,
    find,
    sum,
    metric,
    envoyStatistics,
    fallbacksAgree,
    startMember: restartApplication,
    close,
  };

  async function startMember(member: (typeof planned)[number]): Promise<void> {
    await restartApplication(member.name);
    if (!member.sidecar) return;
    const outbound = member.calls ? ['--outbound', `${member.next}=${member.calls}`] : [];
    await start(member.name, labelsOf(member), [
      '--service',
      member.service,
      '--inbound',
      `${member.port}=${member.applicationPort}`,
      ...outbound,
    ]);
  }

  async function restartApplication(name: string): Promise<void> {
    const member = planned.find((candidate) => candidate.name === name);
    if (member === undefined) throw new Error(`no member ${name}`);
    const application = await (options.application ?? startApplication)({
      member: name,
      port: member.applicationPort,
      ...(member.calls !== undefined && { next: member.next }),
      forward: () => state.forward,
      onSeen: (what) => seen.push(what),
    });
    applications.set(name, application);
  }

  async function start(name: string, labels: Readonly<Record<string, string>>, args: readonly string[]): Promise<void> {
    const run = join(folder, name);
    const pairs = Object.entries(labels).map((pair) => pair.join('='));
    const common = [
      '--name',
      name,
      '--config',
      `${rulesFile},${join(folder, 'services.yaml')}`,
      '--run-dir',
      run,
      '--admin',
      '0',
      '--drain',
      '2s',
    ];
    const log = ['--access-log', join(folder, `${name}.access.log`), '--propagation', options.propagation ?? 'trace'];
    const all = [
      ...common,
      ...log,
      ...(pairs.length > 0 ? ['--labels', pairs.join(',')] : []),
      ...(options.args ?? []),
      ...args,
    ];
    const sidecar = options.processes?.includes(name)
      ? await startProcess(name, run, all)
      : await startHere(name, run, all);
    running.push(sidecar);
  }

  function documentOf(name: string): string {
    const own = planned.filter(({ service }) => service === name);
    const instances = own.map((member) => ({ address: '127.0.0.1', port: member.port, labels: labelsOf(member) }));
    const strict = options.strict?.includes(name) ? { strict: true } : {};
    const hierarchical = options.hierarchical?.includes(name) ? { hierarchicalLabels: true } : {};
    return stringify({
      apiVersion: 'lanekeeper.io/v1alpha1',
      kind: 'Service',
      metadata: { name },
      spec: {
        ports: [
          { port: 80, protocol: options.protocols?.[name] ?? 'http', edge: options.edges?.includes(name) ?? false },
        ],
        paths: [`/${name}`],
        ...strict,
        ...hierarchical,
        instances,
      },
    });
  }

  /** A request through the gateway: what an outsider can do. */
  function viaGateway(request: Parameters<typeof call>[1]): Promise<Answer> {
    return call(gatewayPort, request);
  }

  /** A request of the client to a service, as its own application would send it. */
  function viaClient(service: string, request: Parameters<typeof call>[1] = {}): Promise<Answer> {
    return call(outboundPorts.get(service) ?? 0, request);
  }

  /** A request to the port of a member, past everything in front of it. */
  function viaPort(name: string, request: Parameters<typeof call>[1] = {}): Promise<Answer> {
    return call(portOf(name), request);
  }

  /** Where a member is reached. */
  function portOf(name: string): number {
    return planned.find((member) => member.name === name)?.port ?? 0;
  }

  function find(name: string): Running {
    const found = running.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`no sidecar ${name}`);
    return found;
  }

  /** A metric of one sidecar, summed over the label sets that contain `having`. */
  async function metric(name: string, family: string, having = ''): Promise<number> {
    const { body } = await call(find(name).adminPort, { path: '/metrics' });
    const rows = body.split('\n').filter((row) => row.startsWith(`${family}{`) || row.startsWith(`${family} `));
    return rows
      .filter((row) => row.includes(having))
      .reduce((total, row) => total + Number(row.slice(row.lastIndexOf(' '))), 0);
  }

  async function sum(family: string, having = ''): Promise<number> {
    const all = await Promise.all(running.map(({ name }) => metric(name, family, having)));
    return all.reduce((total, value) => total + value, 0);
  }

  /** What the Envoy of one sidecar counts by route and lane. */
  async function envoyStatistics(name: string): Promise<{ body: string }> {
    const admin = envoyAdmin(join(find(name).folder, 'admin.sock'));
    return { body: await admin.get('/stats/prometheus?usedonly&filter=^lanekeeper') };
  }

  /** Fallbacks by the counters of all Envoys. */
  async function fallbacksCounted(): Promise<number> {
    const texts = await Promise.all(
      running.map(({ folder: run }) =>
        envoyAdmin(join(run, 'admin.sock')).get('/stats/prometheus?usedonly&filter=^lanekeeper'),
      ),
    );
    return texts.reduce(
      (total, text) => total + [...fallbacks(readLaneCounts(text)).values()].reduce((a, b) => a + b, 0),
      0,
    );
  }

  /** Requests that base instances saw with a label: what the counters must say. An edge labels its own, without falling back. */
  function fallbacksSeen(): number {
    const isEdge = (member: string) => options.edges?.some((name) => member.startsWith(`${name}-`)) ?? false;
    return seen.filter(({ member, label }) => member.includes('-base') && !isEdge(member) && label !== undefined)
      .length;
  }

  /** Holds in every test: the counters of Envoy are what base instances saw. They are written when a request has ended. */
  function fallbacksAgree(): Promise<void> {
    return vi.waitFor(async () => expect(await fallbacksCounted()).toBe(fallbacksSeen()));
  }

  async function close(): Promise<void> {
    await Promise.all(running.map((sidecar) => sidecar.stop()));
    await Promise.all([...applications.values()].map((application) => application.kill().catch(() => undefined)));
    rmSync(folder, { recursive: true, force: true });
  }
}

async function startHere(name: string, folder: string, args: readonly string[]): Promise<Running> {
  const settings = parseSettings(args, {});
  if (!settings.ok) throw new Error(settings.problems.map(formatProblem).join('\n'));
  const log: string[] = [];
  const sink = new Writable({
    write: (chunk, _, done) => {
      log.push(String(chunk));
      done();
    },
  });
  const sidecar = await startSidecar(settings.value, pino({ level: 'info' }, sink));
  const restart = () => Promise.reject(new Error(`${name} is not in a process of its own`));
  return {
    name,
    folder,
    adminPort: sidecar.adminPort,
    pid: process.pid,
    log,
    stop: () => sidecar.stop(0),
    restart,
    upgrade: restart,
  };
}

async function startProcess(name: string, folder: string, args: readonly string[]): Promise<Running> {
  mkdirSync(folder, { recursive: true });
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const spawn = (...more: string[]) =>
    startChild({
      name,
      args: [main, 'sidecar', ...args, ...more],
      env: {},
      logFile: join(folder, 'log'),
      ready: 'message',
    });
  let child = await spawn();
  const running: Running = { name, folder, adminPort: portOf(child), pid: child.pid, log: [], stop, restart, upgrade };
  return running;

  function portOf({ message }: Child): number {
    return (message as { adminPort: number }).adminPort;
  }

  async function restart(...more: string[]): Promise<void> {
    child = await spawn(...more);
    running.adminPort = portOf(child);
    running.pid = child.pid;
  }

  async function upgrade(): Promise<void> {
    const earlier = child;
    await restart('--take-over', 'yes');
    await earlier.exited;
  }

  /** Also where the process was killed by the test: its Envoy is still there. */
  async function stop(): Promise<void> {
    await child.stop();
    await envoyAdmin(join(folder, 'admin.sock'))
      .post('/quitquitquit')
      .catch(() => '');
  }
}

function labelsOf({ service, label }: MemberSpec): Record<string, string> {
  return { app: service, ...(label !== undefined && { 'traffic.opensergo.io/label': label }) };
}
