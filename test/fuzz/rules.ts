import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { renderRoutes } from '../../src/envoy/routes/tables.ts';
import { createAssembler } from '../../src/mesh/assemble.ts';
import type { Workload } from '../../src/mesh/workload.ts';
import { rulesFor } from '../../src/rules/compile.ts';
import { indexRules } from '../../src/rules/lookup.ts';
import { match } from '../../src/rules/match.ts';
import { requestWith } from '../propagation/given.ts';
import { headerValue } from './arbitrary.ts';
import type { Target } from './targets.ts';

const folder = new URL('../rules/faults/', import.meta.url);
const seeds = readdirSync(folder)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => readFileSync(new URL(file, folder), 'utf8'))
  .filter((text) => text.length < 20_000);

/** A text of the corpus, or two of them, with parts repeated, cut and replaced. */
const mutated = fc
  .tuple(
    fc.constantFrom(...seeds),
    fc.array(
      fc.record({
        at: fc.nat(4000),
        length: fc.nat(40),
        text: fc.oneof(
          fc.constantFrom(
            ...['', '\n', '---\n', ': ', '- ', '{', '}', '[', ']', '&a ', '*a', '!!binary ', '<<: ', '"', "'", '#'],
          ),
          fc.constantFrom(
            ...['|', '>', '\t', '%', '? ', '~', '.nan', '0x1f', '1e999', '__proto__: ', '\u2028', '\ud800', '\0'],
          ),
          fc.constantFrom(...seeds).map((seed) => seed.slice(0, 200)),
          fc.string({ unit: 'binary', maxLength: 8 }),
        ),
      }),
      { maxLength: 6 },
    ),
  )
  .map(([text, edits]) =>
    edits.reduce((now, { at, length, text: put }) => {
      const start = now.length === 0 ? 0 : at % now.length;
      return now.slice(0, start) + put + now.slice(start + length);
    }, text),
  );

const scalar = fc.oneof(
  fc.constantFrom(
    'gray',
    'base',
    '==',
    '!=',
    'in',
    'regex',
    'header',
    'path',
    'query',
    'cookie',
    'sourceIp',
    'sourceLabel',
    'dubboInterface',
    'dubboMethod',
    'dubboVersion',
    'dubboGroup',
    '/a',
    'x-user',
    '',
    ':path',
  ),
  fc.string(),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
);
const nearly = (usual: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 8, arbitrary: usual }, { weight: 1, arbitrary: fc.anything() });
/** What the request of the property has, so that rules match as well. */
const usual = fc.constantFrom(
  { condition: '==', type: 'header', key: 'x-user', value: 'gray' },
  { condition: '==', type: 'cookie', key: 'a', value: 'gray' },
  { condition: '==', type: 'query', key: 'a', value: 'gray' },
  { condition: '==', type: 'path', value: '/a' },
  { condition: 'regex', type: 'header', key: 'x-user', value: '(gr|bl)[a-z]{2,9}|\\PN+' },
  { condition: 'prefix', type: 'path', value: '/' },
  { condition: 'suffix', type: 'query', key: 'a', value: 'y' },
  { condition: 'notIn', type: 'cookie', key: 'a', value: ['blue', 'green'] },
  { condition: 'exists', type: 'header', key: 'x-user' },
  { condition: '!=', type: 'host', value: 'a.example' },
  { condition: '==', type: 'sourceLabel', key: 'a', value: 'gray' },
  { condition: 'notIn', type: 'sourceLabel', key: 'app', value: ['a', '%'] },
  { condition: '==', type: 'dubboInterface', value: 'gray' },
  { condition: 'suffix', type: 'dubboInterface', value: 'y' },
  { condition: 'regex', type: 'dubboMethod', value: '[a-z]+|\\PN+' },
  { condition: '!=', type: 'dubboMethod', value: 'a' },
  { condition: 'in', type: 'dubboVersion', value: ['gray', '1.0.0'] },
  { condition: 'absent', type: 'dubboGroup' },
);
const strange = fc.record(
  {
    condition: scalar,
    type: scalar,
    key: scalar,
    value: nearly(fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }))),
    other: scalar,
  },
  { requiredKeys: ['condition', 'type', 'value'] },
);
const condition = fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: strange });
const kinds = ['TrafficLabelRule', 'WorkloadLabelRule', 'TrafficLane', 'TrafficRouter', 'VirtualWorkload', 'Service'];
const selector = fc.constantFrom({}, { app: 'a' }, { app: 'a', version: 'v' });
const written = fc.record({
  apiVersion: fc.constantFrom('traffic.opensergo.io/v1alpha1', 'lanekeeper.io/v1alpha1', 'traffic.opensergo.io/v9'),
  kind: fc.constantFrom(...kinds, 'Trafic'),
  metadata: nearly(fc.record({ name: nearly(fc.constantFrom('a', 'b')) })),
  spec: nearly(
    fc.record(
      {
        selector: nearly(selector),
        trafficLabel: nearly(fc.constantFrom('gray', 'blue')),
        workloadLabels: nearly(fc.array(scalar, { maxLength: 2 })),
        match: nearly(fc.array(nearly(condition), { maxLength: 3 })),
        anyOf: nearly(fc.array(fc.array(condition, { maxLength: 2 }), { maxLength: 2 })),
        priority: nearly(fc.integer()),
        percentage: nearly(fc.double({ min: 0, max: 100 })),
        stickyBy: nearly(fc.record({ type: scalar, key: scalar })),
        ports: nearly(fc.constant([{ port: 80 }])),
      },
      { requiredKeys: [] },
    ),
  ),
});
const right = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c'),
    selector,
    match: fc.array(usual, { maxLength: 3 }),
    percentage: fc.constantFrom(0, 12.34, 100),
    stickyBy: fc.constantFrom(undefined, { type: 'header', key: 'x-user' }, { type: 'dubboMethod' }),
  })
  .map(({ name, ...spec }) => ({
    apiVersion: 'traffic.opensergo.io/v1alpha1',
    kind: 'TrafficLabelRule',
    metadata: { name },
    spec: { ...spec, trafficLabel: 'gray' },
  }));
const document = fc.oneof(written, right).map((value) => {
  try {
    return stringify(value);
  } catch {
    return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? Number(inner) : inner)) ?? '';
  }
});

const texts = fc.oneof(
  mutated,
  fc.array(document, { minLength: 1, maxLength: 4 }).map((all) => all.join('---\n')),
);

const workload: Workload = {
  name: 'w',
  namespace: 'default',
  labels: { app: 'a', version: 'v', a: 'größe' },
  propagation: 'trace',
  edgeTrace: 'strip',
  gateway: { address: '0.0.0.0', port: 1 },
  inbound: [{ listen: { address: '0.0.0.0', port: 2 }, application: { address: '127.0.0.1', port: 3 }, edge: false }],
  outbound: [{ listen: { address: '127.0.0.1', port: 4 }, service: 'a' }],
};

export const rulesTarget: Target = {
  promise: 'any text is rules or problems with a place, and what became rules can be rendered and matched',
  weight: 1,
  property: fc.property(fc.array(texts, { minLength: 1, maxLength: 2 }), headerValue, (all, value) => {
    const files = all.map((text, index) => ({ file: `${index}.yaml`, text }));
    const { mesh, problems } = createAssembler()(files);
    for (const { message, file, line, column } of problems) {
      assert.ok(message.length > 0 && message.length < 20_000);
      assert.ok(file !== undefined);
      if (message.startsWith('found more than 100 mistakes')) continue; // of the whole file
      assert.ok(Number(line) >= 1 && Number(column) >= 1, `a place: ${message}`);
      const lines = (all[Number.parseInt(file, 10)] ?? '').split(/\r\n|\r|\n/).length;
      assert.ok(Number(line) <= lines, `line ${line} of ${lines}: ${message}`);
    }
    JSON.stringify([...renderRoutes(workload, mesh)]);
    const rules = rulesFor(mesh.rules, { ...workload, edge: true });
    for (const text of ['gray', value]) {
      const headers = {
        'x-user': text,
        cookie: `a=${text}`,
        'x-lane-source': `a=${text}`,
        'tri-service-version': text,
      };
      for (const sent of [
        { method: 'GET', path: `/a?a=${text}` },
        { method: 'POST', path: `/${text}/a?a=${text}` },
      ]) {
        const request = { ...requestWith(headers), ...sent };
        match(indexRules(rules), request, 'w3c:1');
        for (const rule of rules) match(indexRules([rule]), request, 'w3c:1'); // none hides behind another
      }
    }
  }) as Target['property'],
};
