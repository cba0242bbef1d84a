// Settings of a sidecar, from flags and environment; every mistake at once.
import { hostname } from 'node:os';
import { join } from 'node:path';
import { passPort } from '../envoy/listeners/captured.ts';
import { type Address, type Workload, workloadLabelKey } from '../mesh/workload.ts';
import type { Problem, Result } from '../problem.ts';
import { type DatabaseSettings, databaseContradictions, databaseSettings } from './database.ts';
import { readFlags } from './flags.ts';
import * as form from './forms.ts';
import { type SettingName, settingTable, variableOf } from './table.ts';

export type Settings = {
  readonly workload: Workload;
  readonly config: readonly string[];
  readonly nacos?: NacosSettings;
  readonly database: DatabaseSettings;
  readonly runDirectory: string;
  /** File of what was good last. */
  readonly snapshot: string;
  readonly admin: { readonly address: string; readonly port: number };
  readonly envoy: string | undefined;
  readonly concurrency: number;
  readonly accessLog: string | undefined;
  readonly envoyLogLevel: string;
  readonly logLevel: string;
  readonly memory: { readonly maxEntries: number; readonly maxBytes: number; readonly ttlMs: number };
  readonly drainMs: number;
  readonly socketGroup: number | undefined;
  readonly takeOver: boolean;
};

export type NacosSettings = {
  readonly servers: readonly { readonly host: string; readonly port: number }[];
  readonly namespaces: readonly string[];
  readonly groups: readonly string[];
  /** All where absent. */
  readonly services?: readonly string[];
  readonly rules: readonly { readonly dataId: string; readonly group: string }[];
  readonly user?: string;
  readonly passwordFile?: string;
};

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];
const envoyLevels = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'];

/** Settings from `args` (flags win) and `env`; every mistake at once, each named by the flag or variable that it came from. */
export function parseSettings(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Result<Settings> {
  const problems: Problem[] = [];
  const given = readFlags(args, { table: settingTable, command: 'sidecar', problems });
  const textOf = (name: SettingName): string => given.get(name) ?? env[variableOf(name)] ?? '';
  const read = <T>(name: SettingName, parse: (text: string) => form.Parsed<T>): T | undefined => {
    const text = textOf(name);
    if (text === '') return undefined;
    const parsed = parse(text);
    if ('value' in parsed) return parsed.value;
    const origin = given.has(name) ? `--${name}` : variableOf(name);
    problems.push(mistake(origin, `found ${JSON.stringify(text)}, expected ${parsed.expected}`));
    return undefined;
  };

  const labels = { ...ownLabel(env, problems), ...read('labels', form.pairs) };
  const service = read('service', form.name);
  const gateway = read('gateway', form.address);
  const trustedPeers = read('trusted-peers', form.ranges);
  const trustedHops = read('trusted-hops', form.hops);
  const interception = read('intercept', form.interception);
  const calls = read('calls', form.list);
  const runDirectory = read('run-dir', form.text) ?? settingTable['run-dir'].fallback;
  const nacos = nacosSettings(read);
  const database = databaseSettings(read, interception !== undefined);
  const admin = read('admin', form.addressOrAny) ?? { address: '127.0.0.1', port: 15020 };
  const settings: Settings = {
    workload: {
      name: read('name', form.name) ?? hostname(),
      namespace: read('namespace', form.name) ?? 'default',
      labels,
      ...(service !== undefined && { service }),
      propagation: read('propagation', form.oneOf(['trace', 'header'])) ?? 'trace',
      edgeTrace: read('edge-trace', form.oneOf(['strip', 'keep'])) ?? 'strip',
      ...(trustedPeers && { trustedPeers }),
      ...(trustedHops && { trustedHops }),
      ...(gateway && { gateway }),
      inbound: read('inbound', form.inbound) ?? [],
      outbound: read('outbound', form.outbound) ?? [],
      ...(interception && { interception: { ...interception, databasePorts: database.ports } }),
      ...(database.servers.length + database.ports.length > 0 && { databases: true }),
      ...(calls && { calls }),
    },
    config: read('config', form.list) ?? [],
    ...(nacos && { nacos }),
    database,
    runDirectory,
    snapshot: read('snapshot', form.text) ?? join(runDirectory, 'last-good.json'),
    admin,
    envoy: read('envoy', form.text),
    concurrency: read('concurrency', form.count) ?? 1,
    accessLog: read('access-log', form.text),
    envoyLogLevel: read('envoy-log-level', form.oneOf(envoyLevels)) ?? 'warning',
    logLevel: read('log-level', form.oneOf(levels)) ?? 'info',
    memory: {
      maxEntries: read('memory-entries', form.count) ?? 100_000,
      maxBytes: read('memory-bytes', form.count) ?? 67_108_864,
      ttlMs: read('memory-ttl', form.duration) ?? 60_000,
    },
    drainMs: read('drain', form.duration) ?? 10_000,
    takeOver: read('take-over', form.oneOf(['yes', 'no'])) === 'yes',
    socketGroup: read('socket-group', form.count),
  };
  const listens = (['gateway', 'inbound', 'outbound', 'intercept', 'database'] as const).some(
    (name) => textOf(name) !== '',
  );
  if (!listens && textOf('envoy') !== 'external')
    problems.push(
      mistake(
        '--inbound',
        'found neither --gateway nor --inbound nor --outbound nor --intercept nor --database, expected a port to listen on',
      ),
    );
  problems.push(...contradictions(settings), ...databaseContradictions((name) => textOf(name) !== '', database));
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: settings };
}

type Read = <T>(name: SettingName, parse: (text: string) => form.Parsed<T>) => T | undefined;

function nacosSettings(read: Read): NacosSettings | undefined {
  const servers = read('nacos', form.servers);
  const [services, user, passwordFile] = [
    read('nacos-services', form.list),
    read('nacos-user', form.text),
    read('nacos-password-file', form.text),
  ];
  const settings = {
    namespaces: read('nacos-namespace', form.list) ?? ['public'],
    groups: read('nacos-group', form.list) ?? ['DEFAULT_GROUP'],
    rules: read('nacos-rules', form.configurations) ?? [],
    ...(services && { services }),
    ...(user !== undefined && { user }),
    ...(passwordFile !== undefined && { passwordFile }),
  };
  return servers && { servers, ...settings };
}

function mistake(path: string, message: string): Problem {
  return { severity: 'error', path, message };
}

/** The environment's short forms of a workload's own label (opensergo.md, WorkloadLabelRule). */
function ownLabel(env: Readonly<Record<string, string | undefined>>, problems: Problem[]): Record<string, string> {
  const read = (path: string, text: string, parse: (text: string) => form.Parsed<string>): string => {
    const parsed = parse(text);
    if ('value' in parsed) return parsed.value;
    problems.push(mistake(path, `found ${JSON.stringify(text)}, expected ${parsed.expected}`));
    return '';
  };
  const bootstrap = env[bootstrapVariable];
  const [origin, label] = env[workloadLabelKey]
    ? [workloadLabelKey, env[workloadLabelKey]]
    : [`OPENSERGO_LABEL of ${bootstrapVariable}`, bootstrap && read(bootstrapVariable, bootstrap, form.bootstrapLabel)];
  const valid = label && read(origin, label, form.labels);
  return valid ? { [workloadLabelKey]: valid } : {};
}

const bootstrapVariable = 'OPENSERGO_BOOTSTRAP_CONFIG';

function contradictions({ workload, config, admin, nacos, database }: Settings): Problem[] {
  const problems: Problem[] = [];
  if (config.length === 0 && nacos === undefined)
    problems.push(mistake('--config', 'found nothing, expected a file or folder with rules and services, or --nacos'));
  if (nacos?.user !== undefined && nacos.passwordFile === undefined)
    problems.push(
      mistake('--nacos-password-file', `found nothing, expected a file with the password of ${nacos.user}`),
    );
  const { gateway, interception } = workload;
  for (const { listen, captured } of workload.inbound)
    if (captured && !interception)
      problems.push(
        mistake(
          '--inbound',
          `found port ${listen.port} alone, expected where this pod listens and where the application does, such as 9101=${listen.port}; or --intercept yes`,
        ),
      );
  const listens: Listen[] = [
    ...(gateway ? [{ flag: '--gateway', at: gateway }] : []),
    ...workload.inbound.map(({ listen, captured }) => ({
      flag: '--inbound',
      at: captured ? { ...listen, address: 'captured' } : listen,
    })),
    ...(interception
      ? [interception.outboundPort, interception.inboundPort, passPort].map((port) => ({
          flag: '--intercept',
          at: { address: '0.0.0.0', port },
        }))
      : []),
    ...workload.outbound.map(({ listen }) => ({ flag: '--outbound', at: listen })),
    ...database.servers.map(({ listen }) => ({ flag: '--database', at: listen })),
    ...(admin.port === 0 ? [] : [{ flag: '--admin', at: admin }]),
  ];
  for (const [index, listen] of listens.entries()) {
    const earlier = listens.slice(0, index).find((other) => collide(other, listen));
    if (earlier === undefined) continue;
    const taken = earlier.flag === listen.flag ? '' : ` (${earlier.flag})`;
    const message = `found port ${listen.at.port}, which is listened on already${taken}; give each listener a port of its own`;
    problems.push(mistake(listen.flag, message));
  }
  return problems;
}

type Listen = { readonly flag: string; readonly at: Address };

/** Inbound ports are known by their number alone; others may share one on different addresses. */
function collide(a: Listen, b: Listen): boolean {
  if (a.at.port !== b.at.port) return false;
  if (a.flag === '--inbound' && b.flag === '--inbound') return true;
  const isWide = ({ at: { address } }: Listen): boolean => address === '0.0.0.0' || isUnspecified6(address);
  return a.at.address === b.at.address || isWide(a) || isWide(b);
}

function isUnspecified6(address: string): boolean {
  return address.includes(':') && !/[1-9a-f]/i.test(address);
}
