// The rules of meaning, on whatever a caller may send. Requests are made of what could matter, and of noise.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDecider } from '../../src/decision/decide.ts';
import type { Decision } from '../../src/decision/decision.ts';
import { createAssembler } from '../../src/mesh/assemble.ts';
import type { Workload } from '../../src/mesh/workload.ts';
import { labelOf } from '../../src/propagation/baggage.ts';
import { carriedLabel } from '../../src/propagation/carriers.ts';
import { createMemory } from '../../src/propagation/memory.ts';
import { allTraceHeaders, traceIds } from '../../src/propagation/trace.ts';
import { rulesFor } from '../../src/rules/compile.ts';
import { explain } from '../../src/rules/explain.ts';
import { type Direction, directions } from '../../src/traffic/agreement.ts';
import { parseLabel } from '../../src/traffic/label.ts';
import type { Request } from '../../src/traffic/request.ts';
import { label } from '../propagation/given.ts';
import { requestOf, trafficRule } from '../rules/fixture.ts';

const workload: Workload = {
  name: 'test',
  namespace: 'default',
  labels: { app: 'a' },
  propagation: 'trace',
  edgeTrace: 'strip',
  inbound: [],
  outbound: [],
};
const condition = { condition: '==', type: 'header', key: 'x-user', value: '1' };
const { mesh } = createAssembler()([
  {
    file: 'rules.yaml',
    text:
      trafficRule('a', { selector: { app: 'a' }, match: [condition], trafficLabel: 'ruled' }) +
      trafficRule('b', { match: [{ ...condition, type: 'cookie', key: 'user' }], trafficLabel: 'ruled.too' }),
  },
]);

const seed = { seed: 7, numRuns: 1_000 };
const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
const texts = fc.constantFrom(
  'gray',
  'blue.1',
  'base',
  '',
  ' gray',
  'gray,gray',
  '-a',
  'a'.repeat(64),
  'gr\xe4y',
  'g\n',
);
const member = fc.oneof(
  texts.map((text) => `OpenSergo-Label=${text}`),
  fc.constantFrom(
    'a=1',
    'OpenSergo-Label',
    'opensergo-label=gray',
    'OpenSergo-Label = gray ;p',
    'b=\x00',
    '\r\n',
    'c=\xff',
  ),
  bytes,
);
const trace = fc.constantFrom('1', '2', '3').map((digit) => digit.repeat(32));
const traces = fc.oneof(
  trace.map((id) => `00-${id}-b7ad6b7169203331-01`),
  trace,
  fc.constantFrom('0', 'ff-1', '00-a,00-b'),
  bytes,
);
const headers = fc.record(
  {
    'x-opensergo-traffic': fc.oneof(texts, bytes),
    baggage: fc.array(member, { maxLength: 70 }).map((members) => members.join(',')),
    'x-user': fc.constantFrom('1', '2'),
    cookie: fc.oneof(fc.constantFrom('user=1', 'a=b; user=1'), bytes),
    ...Object.fromEntries(allTraceHeaders.map((name) => [name, traces])),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Record<string, string>>;
const path = fc.oneof(
  fc.constantFrom('', '/', '/a?x=1'),
  bytes.map((text) => `/${text}`),
);
const questions = fc.record({
  headers,
  path,
  direction: fc.constantFrom(...directions),
  remembered: fc.dictionary(trace, fc.constantFrom('gray', 'blue.1', 'old')),
});

type Question = {
  headers: Record<string, string>;
  path: string;
  direction: Direction;
  remembered: Record<string, string>;
};

function decide({ headers, path, direction, remembered }: Question): { decision: Decision; request: Request } {
  const memory = createMemory({ maxEntries: 10, maxBytes: 10_000, ttlMs: 1_000, now: () => 0 });
  for (const [id, known] of Object.entries(remembered))
    memory.remember(traceIds(requestOf('/', { 'x-b3-traceid': id })), label(known));
  const decider = createDecider({ workload, memory, random: (count) => new Uint8Array(count).fill(1) });
  decider.use(mesh);
  const request = requestOf(path, headers);
  return { decision: decider.decide({ request, direction, envoyTrace: undefined }), request };
}

/** The request as the next hop sees it. */
function sent({ decision, request }: { decision: Decision; request: Request }): Request {
  const set = new Map(decision.set);
  return {
    ...request,
    header: (name) => set.get(name) ?? (decision.remove.includes(name) ? undefined : request.header(name)),
  };
}

test('at an edge nothing that a caller carries becomes a label, unless a rule says so', () => {
  fc.assert(
    fc.property(questions, fc.constantFrom<Direction[]>('edge', 'gateway'), (question, direction) => {
      const { decision, request } = decide({ ...question, direction });
      const rules = rulesFor(mesh.rules, { ...workload, edge: true });
      expect(decision.label).toBe(explain(rules, request, undefined).rule?.label);
      expect(carriedLabel(sent({ decision, request })).label).toBe(decision.label);
    }),
    seed,
  );
});

test('on a mesh port and on the way out a carried label is never changed', () => {
  fc.assert(
    fc.property(questions, fc.constantFrom<Direction[]>('inbound', 'outbound'), (question, direction) => {
      const { decision, request } = decide({ ...question, direction });
      const carried = carriedLabel(request);
      fc.pre(carried.label !== undefined);
      expect(decision).toMatchObject({
        label: carried.label,
        reason: 'carried',
        disagreement: carried.disagreement,
      });
    }),
    seed,
  );
});

test('on the way out a label that nobody carries comes from the memory only', () => {
  fc.assert(
    fc.property(questions, (question) => {
      const { decision, request } = decide({ ...question, direction: 'outbound' });
      if (decision.label === undefined || carriedLabel(request).label !== undefined) return;
      expect(decision.reason).toBe('trace');
      expect(Object.values(question.remembered)).toContain(decision.label);
    }),
    seed,
  );
});

test('a label that was decided stands in header and baggage alike, and no label stands in neither', () => {
  fc.assert(
    fc.property(questions, (question) => {
      const { decision, request } = decide(question);
      const next = sent({ decision, request });
      if (decision.label === undefined) {
        expect(carriedLabel(next)).toEqual({ label: undefined, disagreement: false, invalid: false });
        return;
      }
      expect(parseLabel(decision.label)).toBe(decision.label);
      expect(next.header('x-opensergo-traffic')).toBe(decision.label);
      expect(labelOf(next.header('baggage'))).toBe(decision.label);
    }),
    seed,
  );
});

test('a labelled request that enters has a trace behind it', () => {
  fc.assert(
    fc.property(questions, (question) => {
      const { decision, request } = decide(question);
      if (decision.label === undefined || question.direction === 'outbound') return;
      expect(traceIds(sent({ decision, request })).some((id) => id.startsWith('w3c:'))).toBe(true);
    }),
    seed,
  );
});

test('only carriers are written, only those of the label are removed, and no value has a byte that Envoy refuses', () => {
  fc.assert(
    fc.property(questions, (question) => {
      const { set, remove } = decide(question).decision;
      for (const [name, value] of set) {
        expect(['x-opensergo-traffic', 'baggage', 'traceparent']).toContain(name);
        expect(value).toMatch(/^[\t -~\x80-\xff]+$/);
        expect(value.length).toBeLessThanOrEqual(8_192);
      }
      for (const name of remove) expect(['x-opensergo-traffic', 'baggage']).toContain(name);
      expect(set.map(([name]) => name).filter((name) => remove.includes(name))).toEqual([]);
    }),
    seed,
  );
});

test('the same question has the same answer', () => {
  fc.assert(
    fc.property(questions, (question) => {
      expect(decide(question).decision).toEqual(decide(question).decision);
    }),
    { ...seed, numRuns: 200 },
  );
});
