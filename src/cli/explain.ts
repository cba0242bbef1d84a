// `lanekeeper explain`: what happens to one request, and why.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { requestFlags, shellWords, toRequest } from '../explain/curl.ts';
import { type Explanation, explainRequest } from '../explain/explanation.ts';
import { createAssembler } from '../mesh/assemble.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { Workload } from '../mesh/workload.ts';
import * as form from '../settings/forms.ts';
import { readFiles } from '../sources/read.ts';
import type { Direction } from '../traffic/agreement.ts';
import { print, printError, printProblems } from './output.ts';

export const summary = 'says what happens to a request, and why';

export const help = `Usage: lanekeeper explain --config PATH [--at gateway|edge|inbound] [--labels KEY=VALUE,…] URL [curl's flags]
       lanekeeper explain --config PATH … -- curl -H 'location: cn-shenzhen' http://shop/orders
       lanekeeper explain --config PATH … --curl "curl -H 'location: cn-shenzhen' http://shop/orders"

Says for a request that reaches a workload: whether lanekeeper is asked and why, what becomes of each rule, which label the
request leaves with and how it is carried, and where it goes at every service, as long as every instance is well.

  --config PATH        rules and services, files or folders; may be repeated
  --at PLACE           gateway (default), edge (an edge port of a sidecar), inbound (a mesh port)
  --labels KEY=VALUE,… labels of the workload, which rules select; traffic.opensergo.io/label is its own label
  --namespace NAME     of the workload (default: default)
  --propagation MODE   trace (default) or header
  --format text|json
  -X, -H, -b, -A, -d   as curl has them; -H 'x-lane-source: app=b&version=v2' are labels of the caller, at a mesh port;
                       -X POST http://shop/com.shop.OrderService/create is a call by Dubbo's Triple, or gRPC

Exit code: 0, 1 with mistakes in rules or services, 64 with wrong usage.`;

const flags = {
  ...requestFlags,
  config: { type: 'string', multiple: true },
  at: { type: 'string', default: 'gateway' },
  labels: { type: 'string', default: '' },
  namespace: { type: 'string', default: 'default' },
  propagation: { type: 'string', default: 'trace' },
  format: { type: 'string', default: 'text' },
  curl: { type: 'string' },
} as const;

export async function run(args: readonly string[]): Promise<number> {
  let walk: ReturnType<typeof parse>;
  try {
    walk = parse(args);
  } catch (error) {
    return printError(`lanekeeper explain: ${error instanceof Error ? error.message : error}`, 64);
  }
  const { files, problems: unread } = await readFiles(walk.config);
  const { mesh, problems } = createAssembler()(files);
  const mistakes = [...unread, ...problems];
  printProblems(mistakes, process.stderr);
  const explanation = explainRequest({ ...walk, mesh, random: randomBytes });
  print(walk.format === 'json' ? JSON.stringify(explanation, null, 2) : describe(explanation, walk, mesh));
  return mistakes.some(({ severity }) => severity === 'error') ? 1 : 0;
}

function parse(args: readonly string[]) {
  // What follows `--` is a curl line, whose flags are read like ours.
  const words =
    args[args.indexOf('--') + 1] === 'curl'
      ? args.filter((word, index) => word !== '--' && !(word === 'curl' && args[index - 1] === '--'))
      : args;
  const first = parseArgs({ args: [...words], options: flags, allowPositionals: true });
  const pasted = shellWords(first.values.curl ?? '').filter((word, index) => index > 0 || word !== 'curl');
  const { values, positionals } =
    first.values.curl === undefined
      ? first
      : parseArgs({ args: [...words, ...pasted], options: flags, allowPositionals: true });
  const target = values.url ?? positionals[0];
  if (target === undefined)
    throw new Error('found no URL, expected one such as http://shop/orders; see lanekeeper explain --help');
  if (positionals.length > 1)
    throw new Error(`found ${positionals.length} URLs, expected one: ${positionals.join(' ')}`);
  if (!values.config?.length)
    throw new Error('--config: found nothing, expected a file or folder with rules and services');
  const at = parsedOf('--at', form.oneOf(['gateway', 'edge', 'inbound'])(values.at), values.at);
  const labels = parsedOf('--labels', form.pairs(values.labels), values.labels);
  const propagation = parsedOf(
    '--propagation',
    form.oneOf(['trace', 'header'])(values.propagation),
    values.propagation,
  );
  const format = parsedOf('--format', form.oneOf(['text', 'json'])(values.format), values.format);
  const { request, url } = toRequest(values, target);
  return {
    config: values.config.flatMap((paths) => paths.split(',')),
    at,
    format,
    request,
    url,
    workload: workloadAt(at, { labels, propagation, namespace: values.namespace }),
  };
}

function parsedOf<T>(flag: string, parsed: form.Parsed<T>, given: string): T {
  if ('value' in parsed) return parsed.value;
  throw new Error(`${flag}: found ${JSON.stringify(given)}, expected ${parsed.expected}`);
}

function workloadAt(at: Direction, given: Pick<Workload, 'labels' | 'propagation' | 'namespace'>): Workload {
  const listen = { address: '127.0.0.1', port: 1 };
  const common = { ...given, name: 'explain', edgeTrace: 'strip', outbound: [] } as const;
  if (at === 'gateway') return { ...common, gateway: listen, inbound: [] };
  return { ...common, inbound: [{ listen, application: { ...listen, port: 2 }, edge: at === 'edge' }] };
}

function describe(explanation: Explanation, { at, request, workload }: ReturnType<typeof parse>, mesh: Mesh): string {
  const { first, decision, rules, final, label, carriers, services } = explanation;
  const labels = Object.entries(workload.labels).map((pair) => pair.join('='));
  const asked =
    first === undefined
      ? 'no route matches: 404'
      : first.asks
        ? `yes, by route ${first.name}`
        : `no, route ${first.name} needs no answer`;
  const rows: [string, string][] = [
    ['request', `${request.method} ${request.path}`],
    ['at', `${at}${labels.length > 0 ? ` (${labels.join(', ')})` : ''}`],
    ['asked', asked],
    ...rules.map(({ rule, outcome }, index): [string, string] => [index === 0 ? 'rules' : '', `${rule}: ${outcome}`]),
    ...(rules.length === 0 ? [['rules', 'none is for this port'] as [string, string]] : []),
    ['label', `${label ?? 'none (base)'}${decision ? `, because ${decision.reason}` : ''}`],
    ...Object.entries(carriers).map(([name, value], index): [string, string] => [
      index === 0 ? 'carried by' : '',
      `${name}: ${value}`,
    ]),
    [
      'route',
      final === undefined
        ? 'none: 404'
        : `${final.name}${final.cluster ? ` → ${final.cluster}` : ''}${final.refusal ? `: 503, ${final.refusal}` : ''}`,
    ],
    ...services.map(({ service, goes }, index): [string, string] => [index === 0 ? 'then' : '', `${service}: ${goes}`]),
    ...(mesh.services.size === 0 ? [['then', 'no service is known'] as [string, string]] : []),
  ];
  return rows.map(([name, text]) => `${name.padEnd(12)}${text}`).join('\n');
}
