import { describe, expect, test } from 'vitest';
import { fallbacks, readLaneCounts, renderLaneStatistics, unanswered } from '../../src/admin/statistics.ts';

/** As Envoy 1.40 says it (`/stats/prometheus?usedonly&filter=^lanekeeper`), in a world of b and of s, which is strict. */
const text = `# TYPE envoy_lanekeeper_requests counter
envoy_lanekeeper_requests{route="",lane="",flags="NR",code="404"} 1
envoy_lanekeeper_requests{route="in/base",lane="",flags="-",code="200"} 9
envoy_lanekeeper_requests{route="in/ask",lane="",failed_open="1",call_status="4",flags="-",code="200"} 9
envoy_lanekeeper_requests{route="no-service",lane="",flags="-",code="503"} 9
envoy_lanekeeper_requests{route="b/base",lane="base",failed_open="",call_status="",flags="-",code="200"} 100
envoy_lanekeeper_requests{route="b/base:ask",lane="base",failed_open="1",call_status="14",flags="-",code="200"} 7
envoy_lanekeeper_requests{route="b/base:ask",lane="base",failed_open="0",call_status="0",flags="-",code="200"} 70
envoy_lanekeeper_requests{route="b/base:ask",lane="",failed_open="0",call_status="14",flags="-",code="503"} 5
envoy_lanekeeper_requests{route="b/base:unknown",lane="base",flags="-",code="200"} 2
envoy_lanekeeper_requests{route="b/gray",lane="base",flags="-",code="200"} 4
envoy_lanekeeper_requests{route="b/gray",lane="base",flags="-",code="404"} 8
envoy_lanekeeper_requests{route="b/gray:asked",lane="base",flags="-",code="200"} 16
envoy_lanekeeper_requests{route="b/gray:own",lane="gray",flags="-",code="200"} 32
envoy_lanekeeper_requests{route="b/gray",lane="-",flags="UH",code="503"} 64
envoy_lanekeeper_requests{route="c.other:9090/gray.v1:asked",lane="base",flags="-",code="200"} 1
envoy_lanekeeper_requests{route="s/gray.v1",lane="gray.v1",flags="-",code="200"} 1
envoy_lanekeeper_requests{route="s/none:strict",lane="",flags="-",code="503"} 3
`;

test('what Envoy counted is read by service, lane that was wanted, and lane that answered', () => {
  const flags = '-';
  const failedOpen = false;
  expect(readLaneCounts(text)).toEqual([
    { service: 'in', wanted: 'base', how: '', lane: '', failedOpen, flags, code: '200', count: 9 },
    { service: 'in', wanted: 'ask', how: '', lane: '', failedOpen: true, flags, code: '200', count: 9 },
    { service: 'b', wanted: 'base', how: '', lane: 'base', failedOpen, flags, code: '200', count: 100 },
    { service: 'b', wanted: 'base', how: 'ask', lane: 'base', failedOpen: true, flags, code: '200', count: 7 },
    { service: 'b', wanted: 'base', how: 'ask', lane: 'base', failedOpen, flags, code: '200', count: 70 },
    { service: 'b', wanted: 'base', how: 'ask', lane: '', failedOpen: true, flags, code: '503', count: 5 },
    { service: 'b', wanted: 'base', how: 'unknown', lane: 'base', failedOpen, flags, code: '200', count: 2 },
    { service: 'b', wanted: 'gray', how: '', lane: 'base', failedOpen, flags, code: '200', count: 4 },
    { service: 'b', wanted: 'gray', how: '', lane: 'base', failedOpen, flags, code: '404', count: 8 },
    { service: 'b', wanted: 'gray', how: 'asked', lane: 'base', failedOpen, flags, code: '200', count: 16 },
    { service: 'b', wanted: 'gray', how: 'own', lane: 'gray', failedOpen, flags, code: '200', count: 32 },
    { service: 'b', wanted: 'gray', how: '', lane: '', failedOpen, flags: 'UH', code: '503', count: 64 },
    {
      service: 'c.other:9090',
      wanted: 'gray.v1',
      how: 'asked',
      lane: 'base',
      failedOpen,
      flags,
      code: '200',
      count: 1,
    },
    { service: 's', wanted: 'gray.v1', how: '', lane: 'gray.v1', failedOpen, flags, code: '200', count: 1 },
    { service: 's', wanted: 'none', how: 'strict', lane: '', failedOpen, flags, code: '503', count: 3 },
  ]);
});

test('a pick that was kept is known by its attempt, what passed through by its route, and neither is Envoy itself', () => {
  const rows = `
envoy_lanekeeper_requests{route="b/gray",lane="-",attempts="1",flags="-",code="200"} 5
envoy_lanekeeper_requests{route="b/base:unknown",lane="-",attempts="1",flags="-",code="200"} 3
envoy_lanekeeper_requests{route="b/gray",lane="base",attempts="3",flags="-",code="200"} 1
envoy_lanekeeper_requests{route="b/none:strict",lane="-",attempts="0",flags="-",code="503"} 2
envoy_lanekeeper_requests{route="b/passthrough:instance",lane="-",attempts="1",flags="-",code="200"} 7
envoy_lanekeeper_requests{route="unknown/passthrough",lane="-",attempts="1",flags="-",code="200"} 9
`;
  expect(readLaneCounts(rows).map(({ wanted, lane }) => [wanted, lane])).toEqual([
    ['gray', 'gray'],
    ['base', 'base'],
    ['gray', 'base'],
    ['none', ''],
    ['passthrough', ''],
    ['passthrough', ''],
  ]);
  expect([...fallbacks(readLaneCounts(rows))]).toEqual([['b', 4]]);
  expect(renderLaneStatistics(rows)).toContain(
    'lanekeeper_passed_through_total{service="b"} 7\nlanekeeper_passed_through_total{service="unknown"} 9',
  );
});

test('a fallback is a labelled request that base answered, whatever it answered', () => {
  expect([...fallbacks(readLaneCounts(text))]).toEqual([
    ['b', 30],
    ['c.other:9090', 1],
  ]);
});

test('asked in vain is what failed open, and what Envoy refused because the call had failed', () => {
  expect([...unanswered(readLaneCounts(text))]).toEqual([
    ['in', 9],
    ['b', 12],
  ]);
});

describe('no fallback is', () => {
  test.each([
    ['a request without a label', 'route="b/base",lane="base",flags="-",code="200"'],
    ['one that its lane answered', 'route="b/gray",lane="gray",flags="-",code="200"'],
    ['one that nobody answered', 'route="b/gray",lane="",flags="UH",code="503"'],
    ['one that a strict service refused', 'route="s/none:strict",lane="",flags="-",code="503"'],
    ['one that entered', 'route="in/base",lane="base",flags="-",code="200"'],
  ])('%s', (_, tags) => {
    expect(fallbacks(readLaneCounts(`envoy_lanekeeper_requests{${tags}} 5`)).size).toBe(0);
  });
});

test('they are rendered as Prometheus reads them, each family with its name first', () => {
  const rendered = renderLaneStatistics(text);
  const rows = rendered.split('\n');
  const sample = /^lanekeeper_\w+_total\{(\w+="[^"]*",?)+\} \d+$/;
  expect(rows.filter((row) => row.startsWith('# TYPE'))).toEqual([
    '# TYPE lanekeeper_requests_total counter',
    '# TYPE lanekeeper_fallbacks_total counter',
    '# TYPE lanekeeper_passed_through_total counter',
    '# TYPE lanekeeper_unanswered_total counter',
  ]);
  expect(rows.filter((row) => row !== '' && !row.startsWith('#') && !sample.test(row))).toEqual([]);
  expect(rows).toContain(
    'lanekeeper_requests_total{service="c.other:9090",wanted="gray.v1",how="asked",lane="base",flags="-",code="200"} 1',
  );
  expect(rows).toContain('lanekeeper_fallbacks_total{service="b"} 30');
  expect(rows).toContain('lanekeeper_fallbacks_total{service="c.other:9090"} 1');
  expect(rows).toContain('lanekeeper_unanswered_total{service="b"} 12');
  const ofAsk = 'lanekeeper_requests_total{service="b",wanted="base",how="ask",lane="base",flags="-",code="200"}';
  expect(
    rows.filter((row) => row.startsWith(ofAsk)),
    'one series, whatever the processor did',
  ).toEqual([`${ofAsk} 77`]);
  expect(new Set(rows).size).toBe(rows.length);
});

test.each([
  '',
  'upstream connect error',
  '# TYPE envoy_lanekeeper_requests counter\n',
  'envoy_lanekeeper_requests{} x',
])('a text without counts, as %j, has none', (empty) => {
  expect(readLaneCounts(empty)).toEqual([]);
  expect(renderLaneStatistics(empty)).not.toContain('} ');
});
