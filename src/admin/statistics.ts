// Statistics of lanes: Envoy counts requests by route and lane, and what fell back is read from that.
export type LaneCount = {
  readonly service: string;
  /** The lane that the route wanted: a label, or base. */
  readonly wanted: string;
  /** How the label became known (`asked`, `own`, `unknown` …); empty where the request carried it. */
  readonly how: string;
  /** The lane of the instance that answered; empty where Envoy itself did. */
  readonly lane: string;
  readonly flags: string;
  readonly code: string;
  readonly count: number;
};

const line = /^envoy_lanekeeper_requests\{([^}]*)\} (\d+)$/;

/** Reads Envoy's Prometheus text. Route names are ours (envoy/routes/service.ts): `b/gray:asked`. */
export function readLaneCounts(text: string): LaneCount[] {
  return text.split('\n').flatMap((row) => {
    const parts = line.exec(row);
    if (!parts) return [];
    const tags = Object.fromEntries([...(parts[1] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map((tag) => [tag[1], tag[2]]));
    const route = /^([^/]+)\/([^:]+)(?::(.+))?$/.exec(tags['route'] ?? '');
    if (!route || route[1] === 'in') return [];
    const [, service = '', wanted = '', how = ''] = route;
    const { lane = '', flags = '', code = '' } = tags;
    return [{ service, wanted, how, lane: lane === '-' ? '' : lane, flags, code, count: Number(parts[2]) }];
  });
}

/** Labelled requests that a base instance answered: their lane was missing, or dead, or no lane has that label. */
export function fallbacks(counts: readonly LaneCount[]): ReadonlyMap<string, number> {
  const byService = new Map<string, number>();
  for (const { service, wanted, how, lane, count } of counts) {
    if (lane === 'base' && (wanted !== 'base' || how === 'unknown'))
      byService.set(service, (byService.get(service) ?? 0) + count);
  }
  return byService;
}

/** The two families as Prometheus text, from Envoy's own. */
export function renderLaneStatistics(envoyText: string): string {
  const counts = readLaneCounts(envoyText);
  const requests = counts.map(({ service, wanted, how, lane, flags, code, count }) => {
    return `lanekeeper_requests_total{service="${service}",wanted="${wanted}",how="${how}",lane="${lane}",flags="${flags}",code="${code}"} ${count}`;
  });
  const fallen = [...fallbacks(counts)].map(
    ([service, count]) => `lanekeeper_fallbacks_total{service="${service}"} ${count}`,
  );
  return [
    '# HELP lanekeeper_requests_total Requests to services, by the lane that was wanted and the one that answered.',
    '# TYPE lanekeeper_requests_total counter',
    ...requests,
    '# HELP lanekeeper_fallbacks_total Labelled requests that base answered.',
    '# TYPE lanekeeper_fallbacks_total counter',
    ...fallen,
    '',
  ].join('\n');
}
