import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parse } from '../../src/documents/parse.ts';
import { compile, isRule, rulesFor, workloadLabels } from '../../src/rules/compile.ts';
import { explain } from '../../src/rules/explain.ts';
import { trafficLabelRule, trafficLane, workloadLabelRule } from '../../src/rules/written/document.ts';
import { bytesOf } from '../../src/traffic/request.ts';
import { requestOf, rulesOf, trafficRule } from './fixture.ts';

const condition = { condition: '==', type: 'header', key: 'location', value: 'cn-shenzhen' };

/** Byte for byte as the article and opensergo.md show it. */
const article = `apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata:
  name: my-traffic-label-rule
  labels: { app: spring-cloud-zuul }
spec:
  selector: { app: spring-cloud-zuul }
  trafficLabel: gray
  match:
  - condition: "=="
    type: header
    key: 'location'
    value: cn-shenzhen
`;
const twinTable = `apiVersion: traffic.opensergo.io/v1alpha1
kind: WorkloadLabelRule
metadata: { name: gray-sts-label-rule }
spec:
  workloadLabels: ['gray']
  selector: { db: mse-demo, table: mse_demo_table_gray }
`;

function workloadRule(name: string, spec: object): string {
  return `---\n${JSON.stringify({ apiVersion: 'traffic.opensergo.io/v1alpha1', kind: 'WorkloadLabelRule', metadata: { name }, spec })}\n`;
}

test('the article’s rules are accepted as they are written', () => {
  const rules = rulesOf(`${article}---\n${twinTable}`);
  const zuul = rulesFor(rules, { namespace: 'default', labels: { app: 'spring-cloud-zuul' }, edge: true });
  expect(explain(zuul, requestOf('/a', { location: 'cn-shenzhen' }), undefined).rule?.label).toBe('gray');
  expect(explain(zuul, requestOf('/a'), undefined).rule).toBeUndefined();
  expect(rules.workloads).toMatchObject([
    {
      name: 'default/gray-sts-label-rule',
      labels: ['gray'],
      selector: [],
      database: { db: 'mse-demo', table: 'mse_demo_table_gray' },
    },
  ]);
});

test('what an API server adds to an object is accepted', () => {
  const metadata = {
    namespace: 'shop',
    labels: null,
    annotations: { note: 'on' },
    creationTimestamp: '2026-01-31T12:00:00Z',
    generation: 1,
    uid: 'a',
    resourceVersion: '1',
    managedFields: [{ time: '2026-01-31' }],
    ownerReferences: [],
    finalizers: [],
    selfLink: 'a',
    generateName: 'a',
    deletionTimestamp: null,
    deletionGracePeriodSeconds: 0,
  };
  const { traffic } = rulesOf(
    `${trafficRule('gray', { match: [condition] }, metadata)
      .trimEnd()
      .slice(0, -1)}, "status": {"at": 2026-01-01}}`,
  );
  expect(traffic.map((rule) => rule.name)).toEqual(['shop/gray']);
  expect(rulesOf(trafficRule('a', {}, { creationTimestamp: null })).traffic).toHaveLength(1);
});

test('rules are compiled to what a request is compared with', () => {
  const { traffic } = rulesOf(
    trafficRule('a', {
      selector: { app: 'b', version: 'v2' },
      match: [
        { ...condition, key: 'X-City', value: '深圳' },
        { condition: '==', type: 'path', value: '/a' },
      ],
      percentage: 12.34,
      stickyBy: { type: 'header', key: 'X-User' },
      priority: -1,
    }),
  );
  expect(traffic).toMatchObject([
    {
      name: 'default/a',
      selector: [
        ['app', 'b'],
        ['version', 'v2'],
      ],
      alternatives: [
        [
          {
            condition: '==',
            type: 'header',
            key: 'x-city',
            values: [bytesOf('深圳')],
            reason: 'header X-City is not "深圳"',
          },
          { condition: '==', type: 'path', key: '', values: ['/a'], place: { file: 'rules.yaml', line: 2 } },
        ],
      ],
      share: 1234,
      stickyBy: { type: 'header', key: 'x-user' },
      priority: -1,
      place: { file: 'rules.yaml', line: 2, column: 1 },
    },
  ]);
});

test('a percentage is kept to the hundredth, whatever floating point makes of it', () => {
  const percentages = Array.from({ length: 10_001 }, (_, share) => share / 100);
  const schema = trafficLabelRule.shape.spec.shape.percentage;
  expect(percentages.filter((percentage) => !schema.safeParse(percentage).success)).toEqual([]);
  // 0.29 * 100 is 28.999999999999996.
  const some = [0.29, 0.57, 1.15, 4.35, 16.08, 99.99];
  const { traffic } = rulesOf(some.map((percentage, index) => trafficRule(`r${index}`, { percentage })).join(''));
  expect(traffic.map((rule) => rule.share)).toEqual([29, 57, 115, 435, 1608, 9999]);
});

test('rules are looked at by priority, then age, files first, then name', () => {
  const at = (time: string, namespace = 'default'): object => ({ creationTimestamp: time, namespace });
  const { traffic } = rulesOf(
    [
      trafficRule('young', {}, at('2026-02-01T00:00:00Z')),
      trafficRule('old', {}, at('2026-01-01T12:00:00+12:00')),
      trafficRule('older', {}, at('2026-01-01T00:00:00+12:00')),
      trafficRule('file-b', {}),
      trafficRule('file-a', {}, { namespace: 'zoo' }),
      trafficRule('file-a', {}),
      trafficRule('first', { priority: 1 }, at('2026-02-01T00:00:00Z')),
      trafficRule('last', { priority: -1 }),
      trafficRule('b', {}, at('2026-02-01T00:00:00Z')),
    ].join(''),
  );
  expect(traffic.map((rule) => rule.name.replace('default/', ''))).toEqual([
    'first',
    'file-a',
    'file-b',
    'zoo/file-a',
    'older',
    'old',
    'b',
    'young',
    'last',
  ]);
});

describe('a rule applies to the workloads that it selects', () => {
  const labels = { app: 'b', version: 'v2' };
  test.each<[string, object, { namespace?: string; edge?: boolean }, boolean]>([
    ['all pairs equal', { selector: { app: 'b', version: 'v2' } }, {}, true],
    ['one of them', { selector: { app: 'b' } }, {}, true],
    ['at an edge too', { selector: { app: 'b' } }, { edge: true }, true],
    ['one pair differs', { selector: { app: 'b', version: 'v1' } }, {}, false],
    ['one pair is missing', { selector: { app: 'b', zone: 'a' } }, { edge: true }, false],
    ['another namespace', { selector: { app: 'b' } }, { namespace: 'other' }, false],
    ['no selector: an edge', {}, { edge: true }, true],
    ['no selector: not an edge', {}, {}, false],
    ['no selector: an edge elsewhere', {}, { edge: true, namespace: 'other' }, false],
    ['empty selector: an edge', { selector: {} }, { edge: true }, true],
    ['empty selector: not an edge', { selector: {} }, {}, false],
    ['a name that every object has', { selector: { constructor: 'b' } }, {}, false],
  ])('%s', (_, spec, workload, applies) => {
    const rules = rulesOf(trafficRule('a', { match: [condition], ...spec }));
    expect(rulesFor(rules, { namespace: 'default', labels, edge: false, ...workload })).toHaveLength(applies ? 1 : 0);
  });
});

test('the rules of a workload keep their order', () => {
  const rules = rulesOf(trafficRule('b', {}) + trafficRule('a', {}) + trafficRule('c', { priority: 1 }));
  const names = rulesFor(rules, { namespace: 'default', labels: {}, edge: true }).map((rule) => rule.name);
  expect(names).toEqual(['default/c', 'default/a', 'default/b']);
});

test('a workload has the labels that rules give it, each once, and never those of a database', () => {
  const rules = rulesOf(
    workloadRule('b', { workloadLabels: ['gray', 'blue'], selector: { app: 'b', version: 'v2' } }) +
      workloadRule('a', { workloadLabels: ['gray'], selector: { app: 'b' } }) +
      workloadRule('c', { workloadLabels: ['red'], selector: { db: 'b' }, shadowOf: 'a' }),
  );
  const labelsOf = (labels: Record<string, string>, namespace = 'default'): readonly string[] =>
    workloadLabels(rules, { namespace, labels });
  expect(labelsOf({ app: 'b', version: 'v2', db: 'b' })).toEqual(['gray', 'blue']);
  expect(labelsOf({ app: 'b' })).toEqual(['gray']);
  expect(labelsOf({ db: 'b' })).toEqual([]);
  expect(labelsOf({ app: 'b' }, 'other')).toEqual([]);
  expect(rules.workloads.at(-1)?.database).toEqual({ db: 'b', shadowOf: 'a' });
});

test('a List of rules is as good as its documents', () => {
  const items = [trafficRule('a', {}), trafficRule('b', {})].map((text) => text.replace('---\n', '')).join(',');
  expect(rulesOf(`{"apiVersion": "v1", "kind": "List", "items": [${items}]}`).traffic.map((rule) => rule.name)).toEqual(
    ['default/a', 'default/b'],
  );
});

test('only documents without an error become rules; a warning stops none', () => {
  const text =
    trafficRule('wrong', { match: [condition], priority: 'high' }) +
    trafficRule('empty', {}) +
    trafficRule('right', { match: [condition] });
  const { rules, problems } = compile(
    parse(text + trafficRule('right', { match: [condition], trafficLabel: 'blue' }), 'f').documents,
  );
  expect(rules.traffic.map((rule) => [rule.name, rule.label])).toEqual([
    ['default/empty', 'gray'],
    ['default/right', 'gray'],
  ]);
  expect(problems.map((problem) => problem.severity)).toEqual(['error', 'warning', 'error']);
});

test('documents of one name are twins only in one kind and namespace', () => {
  const text =
    trafficRule('a', {}) +
    trafficRule('a', {}, { namespace: 'b' }) +
    workloadRule('a', { workloadLabels: ['a'], selector: { app: 'a' } });
  expect(rulesOf(text).traffic).toHaveLength(2);
});

describe('documents of other groups are not looked at', () => {
  test.each([
    ['v1', 'Service', false],
    ['fault-tolerance.opensergo.io/v1alpha1', 'RateLimitStrategy', false],
    ['lanekeeper.io/v1alpha1', 'Service', false],
    ['networking.istio.io/v1', 'VirtualService', false],
    ['traffic.opensergo.io/v1', 'Anything', true],
    ['trafic.opensergo.io/v1alpha1', 'TrafficLane', true],
    ['database.opensergo.io/v1alpha1', 'Shadow', true],
    ['v1', 'TrafficLabelRule', true],
  ])('%s %s', (apiVersion, kind, expected) => {
    const { documents } = parse(JSON.stringify({ apiVersion, kind, metadata: { name: 'a' } }), 'f');
    expect(documents.map(isRule)).toEqual([expected]);
    expect(compile(documents).problems.length > 0).toBe(expected);
  });
});

describe('the schemas are the CRDs too', () => {
  test.each([
    ['TrafficLabelRule', trafficLabelRule],
    ['WorkloadLabelRule', workloadLabelRule],
    ['TrafficLane', trafficLane],
  ])('%s', (kind, schema) => {
    const json = z.toJSONSchema(schema, { io: 'input' });
    expect(json.properties).toMatchObject({
      kind: { const: kind },
      spec: { type: 'object', additionalProperties: false },
    });
    expect(json.required).toEqual(['apiVersion', 'kind', 'metadata', 'spec']);
  });
});

test('a CRD says that a priority is an integer', () => {
  const json = z.toJSONSchema(trafficLabelRule.shape.spec, { io: 'input' });
  expect(json.properties?.['priority']).toMatchObject({ type: 'integer', default: 0 });
});

describe('a TrafficLane', () => {
  /** As the draft has it, but for a tab that no reader of YAML takes. */
  const draft = `apiVersion: traffic.opensergo.io/v1alpha1

kind: TrafficLane
metadata:
  name: tag-traffic-lane-rule
spec:
  selector:
    app: spring-cloud-a
  rules:
    traffic:
      http:
        headers:
          - X-User-Id:   # 参数名
            exact: 12345       # 参数值
        uri:
          exact: "/index"
    workload:
      selector:
        tag: gray
    lane:
      name: Gray
    traceIdBaggage: x-opensergo-traffic
`;
  const winner = (text: string, labels: Record<string, string>, path: string, headers = {}): string | undefined => {
    const rules = rulesFor(rulesOf(text), { namespace: 'default', labels, edge: false });
    return explain(rules, requestOf(path, headers), undefined).rule?.label;
  };

  test('colours requests by their headers and path, at the workloads that it selects', () => {
    const labels = { app: 'spring-cloud-a' };
    expect(winner(draft, labels, '/index?a=b', { 'x-user-id': '12345' })).toBe('Gray');
    expect(winner(draft, labels, '/index', { 'x-user-id': '1' })).toBeUndefined();
    expect(winner(draft, labels, '/', { 'x-user-id': '12345' })).toBeUndefined();
    expect(winner(draft, { app: 'b' }, '/index', { 'x-user-id': '12345' })).toBeUndefined();
  });

  test('colours everything that passes a workload that it selects', () => {
    expect(winner(draft, { app: 'spring-cloud-a', tag: 'gray' }, '/')).toBe('Gray');
    expect(winner(draft, { app: 'b', tag: 'gray' }, '/')).toBeUndefined();
  });

  test('has one rule a part, and matches nothing without any', () => {
    const lane = (rules: object): string =>
      JSON.stringify({
        apiVersion: 'traffic.opensergo.io/v1alpha1',
        kind: 'TrafficLane',
        metadata: { name: 'a' },
        spec: { rules: { lane: { name: 'gray' }, ...rules } },
      });
    expect(rulesOf(lane({})).traffic).toEqual([]);
    expect(rulesOf(lane({ traffic: { http: {} } })).traffic).toEqual([]);
    expect(rulesOf(lane({ traffic: { http: { uri: { prefix: '/a' } } } })).traffic).toHaveLength(1);
    expect(winner(lane({ workload: { selector: { app: 'b' } } }), { app: 'b' }, '/')).toBe('gray');
    const nested = lane({
      traffic: { http: { headers: [{ 'X-A': { regex: 'a+' } }] } },
      workload: { selector: { app: 'b' } },
    });
    expect(rulesOf(nested).traffic.map(({ selector }) => selector)).toEqual([[], [['app', 'b']]]);
    expect(rulesOf(nested).traffic[0]?.alternatives).toMatchObject([
      [{ condition: 'regex', key: 'x-a', values: ['a+'] }],
    ]);
  });
});
