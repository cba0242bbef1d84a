import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createDecider } from '../../src/decision/decide.ts';
import { isSafeHeader } from '../../src/extproc/failure.ts';
import type { Header } from '../../src/extproc/protocol.ts';
import { toRequest, toResponse } from '../../src/extproc/wire.ts';
import { createAssembler } from '../../src/mesh/assemble.ts';
import type { Workload } from '../../src/mesh/workload.ts';
import { createMemory } from '../../src/propagation/memory.ts';
import { traceHeaders, traceparentId } from '../../src/propagation/trace.ts';
import { directions } from '../../src/traffic/agreement.ts';
import { parseLabel } from '../../src/traffic/label.ts';
import { trafficRule } from '../rules/fixture.ts';
import { headerValue } from './arbitrary.ts';
import type { Target } from './targets.ts';

const names = [
  ...[
    ':method',
    ':path',
    ':authority',
    'x-opensergo-traffic',
    'baggage',
    'cookie',
    'x-user',
    'x-lane-source',
    'tri-service-version',
    ...traceHeaders,
  ],
  ...['host', 'X-Opensergo-Traffic', '', 'a b', '__proto__', 'constructor', 'hasOwnProperty'],
];

/** As Envoy sends them (raw), as somebody else may (a text), and with everything left out. */
export const headerList: fc.Arbitrary<Header[]> = fc.array(
  fc.record(
    {
      key: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: fc.string() }),
      rawValue: headerValue.map((value) => Buffer.from(value, 'latin1')),
      value: fc.oneof(fc.constant(''), fc.string({ unit: 'binary' })),
    },
    { requiredKeys: [] },
  ),
  { maxLength: 12 },
);

const rules = [
  trafficRule('by-header', { match: [{ condition: '==', type: 'header', key: 'x-user', value: 'gray' }] }),
  trafficRule('by-query', { match: [{ condition: '==', type: 'query', key: 'gray', value: 'blue' }] }),
  trafficRule('by-cookie', { match: [{ condition: '==', type: 'cookie', key: 'gray', value: 'gray' }] }),
  trafficRule('by-caller', {
    selector: { app: 'a' },
    match: [
      { condition: '!=', type: 'sourceLabel', key: 'gray', value: 'gray' },
      { condition: 'exists', type: 'sourceLabel', key: 'gray' },
    ],
  }),
  trafficRule('by-call', {
    match: [
      { condition: 'exists', type: 'dubboMethod' },
      { condition: 'prefix', type: 'dubboInterface', value: 'gray' },
    ],
  }),
  trafficRule('by-version', { match: [{ condition: '==', type: 'dubboVersion', value: 'gray' }] }),
  trafficRule('share', { percentage: 50, match: [{ condition: '==', type: 'path', value: '/' }] }),
].join('');

/** A decider with rules and a memory that has no room for all that the runs remember. */
export function fuzzedDecider() {
  const memory = createMemory({ maxEntries: 50, maxBytes: 12_000, ttlMs: 5, now: () => performance.now() });
  const workload: Workload = {
    ...{ name: 'w', namespace: 'default', labels: { app: 'a' }, inbound: [], outbound: [] },
    propagation: 'trace',
    edgeTrace: 'strip',
  };
  const decider = createDecider({ workload, memory, random: (bytes) => new Uint8Array(bytes).fill(7) });
  const { mesh, problems } = createAssembler()([{ file: 'rules.yaml', text: rules }]);
  assert.deepEqual(problems, []);
  decider.use(mesh);
  return { decider, memory };
}

const { decider, memory } = fuzzedDecider();
const ours = ['x-opensergo-traffic', 'baggage', 'traceparent'];

export const headersTarget: Target = {
  promise: 'whatever headers a request has, the answer changes only ours, in bytes that Envoy takes',
  weight: 30,
  property: fc.property(
    headerList,
    fc.constantFrom(...directions),
    fc.option(headerValue, { nil: undefined }),
    (headers, direction, traced) => {
      const envoyTrace = traced === undefined ? undefined : traceparentId(traced);
      const decision = decider.decide({
        request: toRequest({ headers: { headers } }, direction),
        direction,
        envoyTrace,
      });
      const { requestHeaders, dynamicMetadata, ...rest } = toResponse(decision);
      assert.deepEqual(rest, {});
      const { status, clearRouteCache, headerMutation } = requestHeaders?.response ?? {};
      const set = (headerMutation?.setHeaders ?? []).map(({ header }) => [header.key, header.rawValue] as const);
      assert.equal(status, 'CONTINUE');
      assert.equal(set.length, decision.set.length, 'nothing had to be left out');
      assert.equal(new Set(set.map(([name]) => name)).size, set.length, 'each header once');
      for (const [name, value] of set) {
        assert.ok(ours.includes(name));
        assert.ok(isSafeHeader([name, value.toString('latin1')]) && value.length > 0);
      }
      for (const name of headerMutation?.removeHeaders ?? []) assert.ok(ours.includes(name));
      const written = new Map(set).get('x-opensergo-traffic')?.toString('latin1');
      assert.equal(written, decision.label);
      assert.equal(clearRouteCache, true, 'the route may be a refusal that only an answer leads past');
      if (decision.label !== undefined) assert.equal(parseLabel(decision.label), decision.label);
      assert.ok(JSON.stringify(dynamicMetadata).length < 500);
      assert.ok(memory.size <= 50 && memory.bytes <= 12_000);
    },
  ) as Target['property'],
};
