// Statistics of lanes: Envoy counts requests by route and lane, and what fell back is read from that.
export type LaneCount = {
  readonly service: string;
  /** The lane that the route wanted: a label, or base. */
  readonly wanted: string;
  /** How the label became known (`asked`, `own`, `unknown` …); empty where the request carried it. */
  readonly how: string;
  /** The lane of the instance that answered; empty where Envoy itself did. */
  readonly lane: string;
  /** True where the processor was asked in vain. */
  readonly failedOpen: boolean;
  readonly flags: string;
  readonly code: string;
  readonly count: number;
};

/** What nobody knows, or is about one instance (envoy/destinations/hosts.ts). */
const passedThrough = 'passthrough';

const line = /^envoy_lanekeeper_requests\{([^}]*)\} (\d+)$/;

/** Reads Envoy's Prometheus text. Route names are ours (envoy/routes/service.ts): `b/gray:asked`. */
export function readLaneCounts(text: string): LaneCount[] {
  return text.split('\n').flatMap((row) => {
    const parts = line.exec(row);
    if (!parts) return [];
    const tags = Object.fromEntries([...(parts[1] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map((tag) => [tag[1], tag[2]]));
    const route = /^([^/]+)\/([^:]+)(?::(.+))?$/.exec(tags['route'] ?? '');
    if (!route) return [];
    const [, service = '', wanted = '', how = ''] = route;
    const { failed_open, flags = '', code = '' } = tags;
    const isPick = flags === '-' && Number(tags['attempts'] ?? 0) > 0; // kept, so it is what was wanted
    const lane = given(tags['lane']) || (isPick && wanted !== passedThrough ? wanted : '');
    const failedOpen = failed_open === '1' || !['', '0'].includes(given(tags['call_status']));
    const count = Number(parts[2]);
    return [{ service, wanted, how, lane, failedOpen, flags, code, count }];
  });
}

/** Envoy writes `-` for what it does not have. */
function given(tag = ''): string {
  return tag === '-' ? '' : tag;
}

/** Requests that asked the processor in vain: it was away, or too late. Their labels, where they had one, are lost. */
export function unanswered(counts: readonly LaneCount[]): ReadonlyMap<string, number> {
  return sumByService(counts.filter(({ failedOpen }) => failedOpen));
}

/** Labelled requests that a base instance answered: their lane was missing, or dead, or no lane has that label. */
export function fallbacks(counts: readonly LaneCount[]): ReadonlyMap<string, number> {
  return sumByService(
    counts.filter(({ wanted, how, lane }) => lane === 'base' && (wanted !== 'base' || how === 'unknown')),
  );
}

function sumByService(counts: readonly LaneCount[]): ReadonlyMap<string, number> {
  return sumBy(counts, ({ service }) => service);
}

function sumBy(counts: readonly LaneCount[], keyOf: (count: LaneCount) => string): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const each of counts) sums.set(keyOf(each), (sums.get(keyOf(each)) ?? 0) + each.count);
  return sums;
}

/** The families as Prometheus text, from Envoy's own. */
export function renderLaneStatistics(envoyText: string): string {
  const counts = readLaneCounts(envoyText);
  const requests = sumBy(
    counts.filter(({ service, wanted }) => service !== inbound && wanted !== passedThrough),
    ({ count, failedOpen, ...labels }) => labelsOf(labels),
  );
  return [
    '# HELP lanekeeper_requests_total Requests to services, by the lane that was wanted and the one that answered.',
    '# TYPE lanekeeper_requests_total counter',
    ...[...requests].map(([labels, count]) => `lanekeeper_requests_total{${labels}} ${count}`),
    '# HELP lanekeeper_fallbacks_total Labelled requests that base answered.',
    '# TYPE lanekeeper_fallbacks_total counter',
    ...rowsOf('lanekeeper_fallbacks_total', fallbacks(counts)),
    '# HELP lanekeeper_passed_through_total Requests that were left alone: to addresses nobody knows (unknown), or about one instance.',
    '# TYPE lanekeeper_passed_through_total counter',
    ...rowsOf('lanekeeper_passed_through_total', sumByService(counts.filter(({ wanted }) => wanted === passedThrough))),
    '# HELP lanekeeper_unanswered_total Requests that asked the processor in vain, to a service or to this application (in).',
    '# TYPE lanekeeper_unanswered_total counter',
    ...rowsOf('lanekeeper_unanswered_total', unanswered(counts)),
    '',
  ].join('\n');
}

/** What routes to the application call it (envoy/routes/tables.ts). */
const inbound = 'in';

function rowsOf(name: string, byService: ReadonlyMap<string, number>): string[] {
  return [...byService].map(([service, count]) => `${name}{service="${service}"} ${count}`);
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(',');
}
