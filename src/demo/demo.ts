// The article's demonstration: a gateway and services A, B, C in base and gray, each with its own Envoy and lanekeeper.
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, moduleFile, startChild } from './child.ts';
import { claimFolder } from './leftovers.ts';
import { placeLocally } from './local.ts';
import { type ArticleDatabase, type Pattern, startArticleDatabase } from './mariadb/article.ts';
import { type NacosRegistry, nacosRegistry } from './nacos/registry.ts';
import type { Placement, SidecarPlace } from './placement.ts';
import { placeInPods } from './pods/placement.ts';
import { documentRegistry } from './registry.ts';
import { isFree, labelsOf, type Member, planMembers } from './topology.ts';

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
  /** In network namespaces, with interception, rather than on ports of this machine. */
  readonly pods: boolean;
  /** Services come from a real Nacos. */
  readonly nacos: boolean;
  /** Every call writes a row, through its sidecar, to a real MariaDB; where the rows of gray go. */
  readonly database: Pattern | undefined;
  readonly say: (text: string) => void;
  /** Told of a process that ended by itself. */
  readonly onLoss: (text: string) => void;
};

export type Demo = {
  readonly url: string;
  readonly folder: string;
  /** What a person can do besides calling the gateway. */
  readonly hint: string;
  /** Of the database: the two SELECTs and their answers, where they are others than the last time. */
  proof(): Promise<string | undefined>;
  stop(): Promise<void>;
};

/** The article's own rules, as they stand in the package. */
export const articleRules = fileURLToPath(new URL('rules', import.meta.url));

/** Resolves when every process is ready. Rejects with the end of a log where one is not, and leaves nothing behind. */
export async function startDemo(options: DemoOptions): Promise<Demo> {
  const folder = join(tmpdir(), `lanekeeper-demo-${userInfo().uid}-${options.port}`);
  const rules = resolve(options.rules);
  const accessLog = options.accessLog ? join(folder, 'access.log') : undefined;
  const claim = await claimFolder(folder, () => mkdirSync(folder, { recursive: true, mode: 0o700 }));
  const children: Child[] = [];
  let placement: Placement | undefined;
  let nacos: NacosRegistry | undefined;
  let database: ArticleDatabase | undefined;
  let stopping = false;
  try {
    if (!(await isFree(options.port))) throw new Error(`port ${options.port} is taken; choose another with --port`);
    return await start();
  } catch (error) {
    await stop();
    throw error;
  }

  async function start(): Promise<Demo> {
    const { port, envoy, pods, say } = options;
    const members = planMembers(options.without);
    if (options.database) database = await startArticleDatabase({ folder, pattern: options.database, say });
    placement = await (pods
      ? placeInPods({ members, gatewayPort: port, folder, files: [rules, envoy], say })
      : placeLocally(members, port, database?.port));
    const { endpoint, addresses, application, sidecar, gateway } = placement;
    if (options.nacos) nacos = await nacosRegistry({ folder, rules, say });
    const registry = nacos ?? documentRegistry({ folder, rules, addresses });
    await registry.publish(
      members.map((member) => ({ service: member.service, ...endpoint(member), labels: labelsOf(member) })),
    );
    const sidecars = [...members.map(({ name }) => name), 'gateway'];
    for (const name of sidecars) mkdirSync(join(folder, name), { mode: 0o700 });
    if (accessLog) writeFileSync(accessLog, '', { mode: 0o600 });
    await placement.share({
      read: [folder, ...registry.files],
      write: [...sidecars.map((name) => join(folder, name)), ...(accessLog ? [accessLog] : [])],
    });
    say(`Starting ${members.length} applications`);
    await startAll(members.map((member) => startApplication(member, application(member))));
    say(
      `Starting ${sidecars.length} lanekeepers, each with its Envoy: ${members.map(({ name }) => name).join(', ')} and the gateway`,
    );
    const source = [...registry.flags, ...(database ? ['--config', database.rules] : [])];
    await startAll(
      members.map((member) => startSidecar(member.name, sidecar(member), [...source, ...identityOf(member)])),
    );
    await startAll([startSidecar('gateway', gateway, [...source, '--labels', 'app=spring-cloud-zuul'])]);
    await startAll(placement.openPort());
    return {
      url: `http://127.0.0.1:${port}`,
      folder,
      hint: placement.hint,
      proof: async () => database?.proof(),
      stop,
    };
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
    await placement?.close();
    await nacos?.stop();
    await database?.stop();
    claim.release();
  }

  function startApplication(member: Member, place: ReturnType<Placement['application']>): Promise<Child> {
    return startChild({
      name: `application ${member.name}`,
      args: ['--import', moduleFile('./end-with-parent'), moduleFile(`./apps/${member.service}`)],
      env: { VERSION: member.version, ...place.env },
      within: place.within,
      logFile: join(folder, `${member.name}.application.log`),
      ready: 'output',
    });
  }

  function startSidecar(name: string, place: SidecarPlace, flags: readonly string[]): Promise<Child> {
    const { envoy, propagation } = options;
    const common = ['--name', name, '--run-dir', join(folder, name), '--envoy', envoy, '--propagation', propagation];
    const log = accessLog ? ['--access-log', accessLog] : [];
    return startChild({
      name,
      args: [moduleFile('../main'), 'sidecar', ...common, ...log, ...place.flags, ...flags],
      env: {},
      within: place.within,
      logFile: join(folder, `${name}.log`),
      ready: 'message',
    });
  }
}

function identityOf(member: Member): string[] {
  const labels = Object.entries(labelsOf(member)).map((pair) => pair.join('='));
  return ['--service', member.service, '--labels', labels.join(',')];
}
