// Settings of a sidecar, from flags and environment; every mistake at once.
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { workloadLabelKey } from '../mesh/mesh.ts';
import type { Workload } from '../mesh/workload.ts';
import type { Problem, Result } from '../problem.ts';
import * as form from './forms.ts';
import { type SettingName, settingTable, variableOf } from './table.ts';

export type Settings = {
  readonly workload: Workload;
  readonly config: readonly string[];
  readonly runDirectory: string;
  readonly admin: { readonly address: string; readonly port: number };
  readonly envoy: string | undefined;
  readonly concurrency: number;
  readonly accessLog: string | undefined;
  readonly envoyLogLevel: string;
  readonly logLevel: string;
  readonly memory: { readonly maxEntries: number; readonly maxBytes: number; readonly ttlMs: number };
  readonly drainMs: number;
  readonly socketGroup: number | undefined;
};

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];
const envoyLevels = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'];

/** Settings from `args` (flags win) and `env`; every mistake at once, each named by the flag or variable that it came from. */
export function parseSettings(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Result<Settings> {
  const problems: Problem[] = [];
  const given = flagsOf(args, problems);
  const read = <T>(name: SettingName, parse: (text: string) => form.Parsed<T>): T | undefined => {
    const text = given.get(name) ?? env[variableOf(name)] ?? '';
    if (text === '') return undefined;
    const parsed = parse(text);
    if ('value' in parsed) return parsed.value;
    const origin = given.has(name) ? `--${name}` : variableOf(name);
    problems.push({
      severity: 'error',
      path: origin,
      message: `found ${JSON.stringify(text)}, expected ${parsed.expected}`,
    });
    return undefined;
  };

  const labels = { ...ownLabel(env, problems), ...read('labels', form.pairs) };
  const service = read('service', form.name);
  const gateway = read('gateway', form.address);
  const trustedPeers = read('trusted-peers', form.ranges);
  const admin = read('admin', form.address) ?? { address: '127.0.0.1', port: 15020 };
  const settings: Settings = {
    workload: {
      name: read('name', form.name) ?? hostname(),
      namespace: read('namespace', form.name) ?? 'default',
      labels,
      ...(service !== undefined && { service }),
      propagation: read('propagation', form.oneOf(['trace', 'header'])) ?? 'trace',
      edgeTrace: read('edge-trace', form.oneOf(['strip', 'keep'])) ?? 'strip',
      ...(trustedPeers && { trustedPeers }),
      ...(gateway && { gateway }),
      inbound: read('inbound', form.inbound) ?? [],
      outbound: read('outbound', form.outbound) ?? [],
    },
    config: read('config', form.list) ?? [],
    runDirectory: read('run-dir', form.text) ?? settingTable['run-dir'].fallback,
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
    socketGroup: read('socket-group', form.count),
  };
  problems.push(...contradictions(settings));
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: settings };
}

function flagsOf(args: readonly string[], problems: Problem[]): Map<string, string> {
  const options = Object.fromEntries(
    Object.keys(settingTable).map((name) => [name, { type: 'string', multiple: true } as const]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const given = new Map<string, string>();
  for (const token of tokens) {
    const place = { severity: 'error', path: token.kind === 'option' ? token.rawName : '' } as const;
    if (token.kind === 'positional')
      problems.push({ ...place, message: `unexpected ${JSON.stringify(token.value)}; a sidecar takes flags only` });
    else if (token.kind === 'option' && !(token.name in settingTable))
      problems.push({ ...place, message: 'unknown flag; see lanekeeper sidecar --help' });
    else if (token.kind === 'option' && token.value === undefined)
      problems.push({ ...place, message: 'a value is missing' });
    else if (token.kind === 'option')
      given.set(token.name, given.has(token.name) ? `${given.get(token.name)},${token.value}` : token.value);
  }
  return given;
}

/** The environment's short forms of a workload's own label (opensergo.md, WorkloadLabelRule). */
function ownLabel(env: Readonly<Record<string, string | undefined>>, problems: Problem[]): Record<string, string> {
  const direct = env[workloadLabelKey];
  if (direct) return { [workloadLabelKey]: direct };
  const bootstrap = env['OPENSERGO_BOOTSTRAP_CONFIG'];
  if (!bootstrap) return {};
  const parsed = form.bootstrapLabel(bootstrap);
  if ('value' in parsed) return parsed.value === '' ? {} : { [workloadLabelKey]: parsed.value };
  problems.push({
    severity: 'error',
    path: 'OPENSERGO_BOOTSTRAP_CONFIG',
    message: `found ${JSON.stringify(bootstrap)}, expected ${parsed.expected}`,
  });
  return {};
}

function contradictions({ workload, config }: Settings): Problem[] {
  const problems: Problem[] = [];
  const add = (path: string, message: string) => problems.push({ severity: 'error', path, message });
  if (config.length === 0) add('--config', 'found nothing, expected a file or folder with rules and services');
  if (!workload.gateway && workload.inbound.length + workload.outbound.length === 0)
    add('--inbound', 'found neither --gateway nor --inbound nor --outbound, expected at least one port to listen on');
  const listens = [workload.gateway, ...[...workload.inbound, ...workload.outbound].map(({ listen }) => listen)];
  const ports = listens.filter((listen) => listen !== undefined).map(({ port }) => port);
  for (const port of new Set(ports.filter((port, index) => ports.indexOf(port) !== index)))
    add('--inbound', `port ${port} is listened on twice; give each listener a port of its own`);
  return problems;
}
