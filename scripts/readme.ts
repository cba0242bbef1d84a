// The tables of the README that are the code's: `npm run generate` writes them, a test keeps them equal.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { reasons } from '../src/decision/decision.ts';
import { createMetrics } from '../src/metrics.ts';
import { redirectTable } from '../src/redirect/flags.ts';
import { conditionTypes, conditionWords } from '../src/rules/conditions/condition.ts';
import type { FlagTable } from '../src/settings/flags.ts';
import { settingTable } from '../src/settings/table.ts';
import { places } from '../test/repository/architecture.ts';

export const readmeFile = fileURLToPath(new URL('../README.md', import.meta.url));

/** The README with its generated tables as the code has them now. */
export async function renderReadme(): Promise<string> {
  const tables = {
    settings: flags(settingTable),
    redirect: flags(redirectTable),
    metrics: await metrics(),
    reasons: reasonRows(),
    conditions: conditions(),
    layout: layout(),
  };
  return Object.entries(tables).reduce(
    (text, [name, rows]) => withTable(text, name, rows),
    readFileSync(readmeFile, 'utf8'),
  );
}

function withTable(text: string, name: string, rows: string): string {
  const [opening, closing] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
  const start = text.indexOf(opening);
  const end = text.indexOf(closing);
  if (start < 0 || end < start)
    throw new Error(`README.md: expected ${opening.trim()} and ${closing}, each on a line of its own`);
  return `${text.slice(0, start + opening.length)}${rows}\n${text.slice(end)}`;
}

function flags(rows: FlagTable): string {
  const cells = Object.entries(rows).map(([name, { value, fallback, help }]) => [
    `\`--${name}\``,
    value === '' ? '' : code(value),
    fallback,
    help,
  ]);
  return table(['flag', 'value', 'default', 'what'], cells);
}

async function metrics(): Promise<string> {
  const all = await createMetrics().registry.getMetricsAsJSON();
  const ours = all.map(({ name, help }) => [code(name), help]);
  const envoys = [
    [
      code('lanekeeper_requests_total'),
      "Requests to services, by the lane that was wanted and the one that answered; Envoy's count.",
    ],
    [
      code('lanekeeper_passed_through_total'),
      'Requests that were left alone: to addresses nobody knows (unknown), or about one instance.',
    ],
    [code('lanekeeper_fallbacks_total'), "Labelled requests that base answered, by service; Envoy's count."],
    [code('lanekeeper_unanswered_total'), "Requests that asked the processor in vain, by service; Envoy's count."],
  ];
  return table(['metric', 'what'], [...ours, ...envoys]);
}

function reasonRows(): string {
  return table(
    ['reason', 'what'],
    Object.entries(reasons).map(([name, what]) => [code(name), what]),
  );
}

function conditions(): string {
  return table(
    ['part of a rule', 'in force'],
    [
      ['`condition`', conditionWords.map(code).join(', ')],
      ['`type`', conditionTypes.map(code).join(', ')],
    ],
  );
}

/** From the top down, as imports go. */
function layout(): string {
  const rows = Object.entries(places)
    .reverse()
    .map(([name, { pure }]) => [code(`src/${name}`), purposes[name] ?? '', pure ? 'pure' : '']);
  return table(['place', 'what it is for', ''], rows);
}

const purposes: Readonly<Record<string, string>> = {
  'main.ts': "the command line's door",
  cli: 'one command a file',
  explain: 'what happens to one request, by the very tables and decisions',
  demo: "the article's demonstration: applications, rules, who runs where",
  sidecar: 'a sidecar put together: what is opened, in which order, how it ends',
  redirect: "leading a pod's connections through its Envoy: nft, iptables",
  settings: 'flags and environment → settings',
  admin: 'health, metrics, statistics of lanes',
  supervisor: "Envoy's binary, its life, its admin socket",
  database: 'the MySQL protocol between an application and its server: whose label, which table, which server',
  sources: 'where rules and services come from: files, watched',
  extproc: 'the conversation with Envoy; nothing else knows its messages',
  xds: 'serves listeners, routes, clusters and endpoints to Envoy (ADS)',
  'metrics.ts': 'what lanekeeper counts about itself',
  envoy: "mesh → Envoy's listeners, routes, clusters, bootstrap",
  decision: 'which label a request carries, entering and leaving, and why',
  mesh: 'services, instances, lanes; one immutable snapshot',
  shadow: 'what rules say about databases: which table stands for which, for whom',
  sql: 'SQL text → what it names and changes → the text that stays in its lane',
  propagation: 'baggage, trace identities, the label memory',
  rules: 'rule documents → compiled rules → match',
  documents: 'YAML → documents with places, held against a schema',
  traffic: 'label and request: what everything above speaks',
  'problem.ts': 'what is wrong, and where',
};

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}
