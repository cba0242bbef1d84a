// The article's demonstration: a gateway and services A, B, C in base and gray, each with its own Envoy and lanekeeper.
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, moduleFile, startChild } from './child.ts';
import { claimFolder } from './leftovers.ts';
import { isFree, labelsOf, type Member, planMembers, serviceDocuments } from './topology.ts';

export type DemoOptions = {
  /** The gateway's. */
  readonly port: number;
  /** Versions to leave out, as `c:gray`. */
  readonly without: readonly string[];
  readonly propagation: 'trace' | 'header';
  /** Folder of the rules; may be edited while the demo runs. */
  readonly rules: string;
  readonly envoy: string;
  readonly accessLog: boolean;
  readonly say: (text: string) => void;
  /** Told of a process that ended by itself. */
  readonly onLoss: (text: string) => void;
};

export type Demo = {
  readonly url: string;
  readonly folder: string;
  readonly members: readonly Member[];
  stop(): Promise<void>;
};

/** The article's own rules, as they stand in the package. */
export const articleRules = fileURLToPath(new URL('rules', import.meta.url));

/** Resolves when every process is ready. Rejects with the end of a log where one is not, and leaves nothing behind. */
export async function startDemo(options: DemoOptions): Promise<Demo> {
  const folder = join(tmpdir(), `lanekeeper-demo-${userInfo().uid}-${options.port}`);
  const claim = await claimFolder(folder, () => mkdirSync(join(folder, 'services'), { recursive: true, mode: 0o700 }));
  const children: Child[] = [];
  let stopping = false;
  try {
    if (!(await isFree(options.port))) throw new Error(`port ${options.port} is taken; choose another with --port`);
    const members = await planMembers(options.without);
    writeFileSync(join(folder, 'services', 'services.yaml'), serviceDocuments(members));
    options.say(`Starting ${members.length} applications`);
    await startAll(members.map(startApplication));
    options.say(
      `Starting ${members.length + 1} lanekeepers, each with its Envoy: ${members.map(({ name }) => name).join(', ')} and the gateway`,
    );
    await startAll(members.map((member) => startSidecar(member.name, memberArgs(member))));
    await startAll([startSidecar('gateway', gatewayArgs())]);
    return { url: `http://127.0.0.1:${options.port}`, folder, members, stop };
  } catch (error) {
    await stop();
    throw error;
  }

  async function startAll(starting: readonly Promise<Child>[]): Promise<void> {
    const outcomes = await Promise.allSettled(starting);
    const failures = outcomes.filter((outcome) => outcome.status === 'rejected');
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') add(outcome.value);
    if (failures.length > 0) throw failures[0]?.reason;
  }

  function add(child: Child): void {
    children.push(child);
    void child.exited.then((how) => {
      if (!stopping) options.onLoss(`${child.name} ${how}`);
    });
  }

  /** Callers first, so that no request in flight loses the service that it calls. */
  async function stop(): Promise<void> {
    stopping = true;
    for (const child of children.filter(({ name }) => name === 'gateway')) await child.stop();
    await Promise.all(children.map((child) => child.stop()));
    claim.release();
  }

  function startApplication({ name, service, version, applicationPort, next }: Member): Promise<Child> {
    const url = next && { [`${next.service.toUpperCase()}_URL`]: `http://127.0.0.1:${next.port}` };
    return startChild({
      name: `application ${name}`,
      args: ['--import', moduleFile('./end-with-parent'), moduleFile(`./apps/${service}`)],
      env: { PORT: String(applicationPort), VERSION: version, ...url },
      logFile: join(folder, `${name}.application.log`),
      ready: 'output',
    });
  }

  function startSidecar(name: string, args: readonly string[]): Promise<Child> {
    const runDirectory = join(folder, name);
    mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
    const common = ['--name', name, '--run-dir', runDirectory, '--admin', '0', '--propagation', options.propagation];
    const log = options.accessLog ? ['--access-log', join(folder, 'access.log')] : [];
    const config = ['--config', `${options.rules},${join(folder, 'services')}`, '--envoy', options.envoy];
    return startChild({
      name,
      args: [moduleFile('../main'), 'sidecar', ...common, ...config, ...log, ...args],
      env: {},
      logFile: join(folder, `${name}.log`),
      ready: 'message',
    });
  }

  function gatewayArgs(): string[] {
    return ['--gateway', String(options.port), '--labels', 'app=spring-cloud-zuul'];
  }

  function memberArgs(member: Member): string[] {
    const labels = Object.entries(labelsOf(member)).map((pair) => pair.join('='));
    const inbound = ['--inbound', `${member.port}=${member.applicationPort}`];
    const outbound = member.next ? ['--outbound', `${member.next.port}=${member.next.service}`] : [];
    return ['--service', member.service, '--labels', labels.join(','), ...inbound, ...outbound];
  }
}
