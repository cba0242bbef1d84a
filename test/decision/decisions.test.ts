import { describe, expect, test } from 'vitest';
import { createDecider } from '../../src/decision/decide.ts';
import type { Decision } from '../../src/decision/decision.ts';
import { createAssembler } from '../../src/mesh/assemble.ts';
import type { Workload } from '../../src/mesh/workload.ts';
import { createMemory, type Memory } from '../../src/propagation/memory.ts';
import { type TraceId, traceIds, traceparentId } from '../../src/propagation/trace.ts';
import type { Direction } from '../../src/traffic/agreement.ts';
import { label } from '../propagation/given.ts';
import { requestOf, trafficRule } from '../rules/fixture.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${trace}-b7ad6b7169203331-01`;
const otherTrace = '1af7651916cd43dd8448eb211c80319c';
const ones = `00-${'01'.repeat(16)}-${'01'.repeat(8)}-01`;
const header = { condition: '==', type: 'header', key: 'location', value: 'cn-shenzhen' };
const shenzhen = { location: 'cn-shenzhen' };

const rules = [
  trafficRule('by-workload', { selector: { app: 'a' }, match: [header] }),
  trafficRule('at-edges', { match: [{ ...header, value: 'cn-beijing' }], trafficLabel: 'blue', priority: -1 }),
].join('');

const workload: Workload = {
  name: 'test',
  namespace: 'default',
  labels: { app: 'a' },
  propagation: 'trace',
  edgeTrace: 'strip',
  inbound: [],
  outbound: [],
};

type Given = {
  readonly direction: Direction;
  readonly headers?: Readonly<Record<string, string>>;
  /** Labels remembered by trace id; `conflict` for one that was seen with two. */
  readonly remembered?: Readonly<Record<string, string>>;
  /** No memory at all: `propagation: header`. */
  readonly forgetful?: boolean;
  readonly envoyTrace?: TraceId | undefined;
};

function memoryOf({ remembered = {}, forgetful }: Given): Memory | undefined {
  if (forgetful) return undefined;
  const memory = createMemory({ maxEntries: 10, maxBytes: 10_000, ttlMs: 1_000, now: () => 0 });
  for (const [id, known] of Object.entries(remembered))
    for (const each of known === 'conflict' ? ['gray', 'blue'] : [known])
      memory.remember([`w3c:${id}` as TraceId], label(each));
  return memory;
}

function decide(given: Given): { decision: Decision; memory: Memory | undefined } {
  const memory = memoryOf(given);
  const decider = createDecider({ workload, memory, random: (bytes) => new Uint8Array(bytes).fill(1) });
  decider.use(createAssembler()([{ file: 'rules.yaml', text: rules }]).mesh);
  const request = requestOf('/a', given.headers);
  return {
    decision: decider.decide({ request, direction: given.direction, envoyTrace: given.envoyTrace }),
    memory,
  };
}

const carriersOf = (text: string, baggage = ''): [string, string][] => [
  ['x-opensergo-traffic', text],
  ['baggage', `OpenSergo-Label=${text}${baggage}`],
];
const withTrace = (text: string, baggage = ''): [string, string][] => [
  ...carriersOf(text, baggage),
  ['traceparent', ones],
];
const nothing = { label: undefined, set: [], remove: [] };
const removed = { label: undefined, set: [], remove: ['x-opensergo-traffic', 'baggage'] };
const gray = { 'x-opensergo-traffic': 'gray' };

describe('a request enters', () => {
  test.each<[string, Given, Partial<Decision>]>([
    [
      'with a label: it keeps it, and gets a trace',
      { direction: 'inbound', headers: gray },
      { label: label('gray'), reason: 'carried', set: withTrace('gray'), remove: [] },
    ],
    [
      'with a label and a trace: that is all that it needs',
      { direction: 'inbound', headers: { ...gray, traceparent } },
      { label: label('gray'), reason: 'carried', set: carriersOf('gray'), remove: [] },
    ],
    [
      'with a label by baggage: the header has it too, and foreign members stay',
      { direction: 'inbound', headers: { baggage: 'a=1, OpenSergo-Label=gray;p=1, b=2', traceparent } },
      { label: label('gray'), reason: 'carried', set: carriersOf('gray', ',a=1,b=2'), disagreement: false },
    ],
    [
      'with two labels: the header wins, and the disagreement is said',
      { direction: 'inbound', headers: { ...gray, baggage: 'OpenSergo-Label=blue', traceparent } },
      { label: label('gray'), reason: 'carried', set: carriersOf('gray'), disagreement: true },
    ],
    [
      'with a label, where a rule would give another: it keeps its own',
      { direction: 'inbound', headers: { 'x-opensergo-traffic': 'red', ...shenzhen, traceparent } },
      { label: label('red'), reason: 'carried', set: carriersOf('red') },
    ],
    [
      'without a label, where a rule of this workload matches: that rule’s',
      { direction: 'inbound', headers: { ...shenzhen, traceparent } },
      { label: label('gray'), reason: 'rule', rule: 'default/by-workload', set: carriersOf('gray') },
    ],
    [
      'without a label, where only a rule of edges matches: none',
      { direction: 'inbound', headers: { location: 'cn-beijing', traceparent } },
      { ...nothing, reason: 'none' },
    ],
    [
      'with what is no label, where a rule matches: that rule’s',
      { direction: 'inbound', headers: { 'x-opensergo-traffic': 'gray,gray', ...shenzhen, traceparent } },
      { label: label('gray'), reason: 'rule', set: carriersOf('gray'), remove: [] },
    ],
    [
      'with what is no label, where no rule matches: header and member are removed',
      { direction: 'inbound', headers: { 'x-opensergo-traffic': '!', baggage: 'OpenSergo-Label=gray' } },
      { ...removed, reason: 'invalid' },
    ],
    [
      'with what is no label beside foreign baggage: only ours is removed',
      { direction: 'inbound', headers: { baggage: 'a=1,OpenSergo-Label=!' } },
      { label: undefined, reason: 'invalid', set: [['baggage', 'a=1']], remove: ['x-opensergo-traffic'] },
    ],
    [
      'with nothing: untouched',
      { direction: 'inbound', headers: { traceparent, baggage: 'a=1' } },
      { ...nothing, reason: 'none' },
    ],
    [
      'with a remembered trace and no label: memory is for what leaves',
      { direction: 'inbound', headers: { traceparent }, remembered: { [trace]: 'gray' } },
      { ...nothing, reason: 'none' },
    ],
    [
      'with a request id alone: that is no trace',
      { direction: 'inbound', headers: { ...gray, 'x-request-id': 'r1' } },
      { label: label('gray'), reason: 'carried', set: withTrace('gray') },
    ],
    [
      'with a broken traceparent: it gets a right one',
      { direction: 'inbound', headers: { ...gray, traceparent: 'a' } },
      { label: label('gray'), reason: 'carried', set: withTrace('gray') },
    ],
    [
      'at an Envoy that traces: its trace is kept',
      { direction: 'inbound', headers: gray, envoyTrace: traceparentId(traceparent) },
      { label: label('gray'), reason: 'carried', set: carriersOf('gray') },
    ],
  ])('%s', (_, given, expected) => {
    expect(decide(given).decision).toMatchObject(expected);
  });
});

describe.each(['edge', 'gateway'] as const)('a request arrives from outside, at the %s', (direction) => {
  test.each<[string, Record<string, string>, Partial<Decision>]>([
    ['with a label: it is removed', gray, { ...removed, reason: 'invalid' }],
    ['with a label by baggage: it is removed', { baggage: 'OpenSergo-Label=gray' }, { ...removed, reason: 'invalid' }],
    [
      'with a label, where a rule matches: the rule’s',
      { 'x-opensergo-traffic': 'red', ...shenzhen, traceparent },
      { label: label('gray'), reason: 'rule', set: carriersOf('gray'), remove: [] },
    ],
    [
      'where a rule of edges matches: that rule’s, and a trace begins',
      { location: 'cn-beijing' },
      { label: label('blue'), reason: 'rule', rule: 'default/at-edges', set: withTrace('blue') },
    ],
    ['with nothing: untouched', {}, { ...nothing, reason: 'none' }],
  ])('%s', (_, headers, expected) => {
    expect(decide({ direction, headers }).decision).toMatchObject(expected);
  });
});

describe('a request leaves', () => {
  const blue = { 'x-opensergo-traffic': 'blue' };
  test.each<[string, Given, Partial<Decision>]>([
    [
      'with a label: it keeps it, whatever is remembered',
      { direction: 'outbound', headers: { ...blue, traceparent }, remembered: { [trace]: 'gray' } },
      { label: label('blue'), reason: 'carried', set: carriersOf('blue') },
    ],
    [
      'with a remembered trace: that label',
      { direction: 'outbound', headers: { traceparent }, remembered: { [trace]: 'gray' } },
      { label: label('gray'), reason: 'trace', set: carriersOf('gray'), remove: [] },
    ],
    [
      'with the same trace in another form: that label',
      { direction: 'outbound', headers: { b3: `${trace}-b7ad6b7169203331-1` }, remembered: { [trace]: 'gray' } },
      { label: label('gray'), reason: 'trace', set: carriersOf('gray') },
    ],
    [
      'with the trace of an Envoy that traces: that label',
      { direction: 'outbound', envoyTrace: traceparentId(traceparent), remembered: { [trace]: 'gray' } },
      { label: label('gray'), reason: 'trace', set: carriersOf('gray') },
    ],
    [
      'with another trace: none',
      { direction: 'outbound', headers: { traceparent }, remembered: { [otherTrace]: 'gray' } },
      { ...nothing, reason: 'none' },
    ],
    [
      'with a trace that had two labels: none, and that is said',
      { direction: 'outbound', headers: { traceparent }, remembered: { [trace]: 'conflict' } },
      { ...nothing, reason: 'conflict' },
    ],
    [
      'with two traces that had different labels: none, and that is said',
      {
        direction: 'outbound',
        headers: { traceparent, 'x-b3-traceid': otherTrace },
        remembered: { [trace]: 'gray', [otherTrace]: 'blue' },
      },
      { ...nothing, reason: 'conflict' },
    ],
    [
      'with what is no label and a remembered trace: the remembered label',
      {
        direction: 'outbound',
        headers: { traceparent, 'x-opensergo-traffic': 'a,b' },
        remembered: { [trace]: 'gray' },
      },
      { label: label('gray'), reason: 'trace', set: carriersOf('gray'), remove: [] },
    ],
    [
      'with what is no label: it is removed',
      { direction: 'outbound', headers: { traceparent, 'x-opensergo-traffic': '' } },
      { ...removed, reason: 'invalid' },
    ],
    [
      'where a rule would match: rules are for what enters',
      { direction: 'outbound', headers: { ...shenzhen, traceparent } },
      { ...nothing, reason: 'none' },
    ],
    [
      'from a workload that does not correlate: nothing is looked up',
      { direction: 'outbound', headers: { traceparent }, forgetful: true },
      { ...nothing, reason: 'none' },
    ],
  ])('%s', (_, given, expected) => {
    expect(decide(given).decision).toMatchObject(expected);
  });
});

describe('what entered with a label is remembered', () => {
  const recalled = (given: Given, id: string) => decide(given).memory?.recall([`w3c:${id}` as TraceId]);

  test('under every identity that it came with', () => {
    const headers = { ...gray, traceparent, 'x-b3-traceid': otherTrace, 'x-request-id': 'r1' };
    const { memory } = decide({ direction: 'inbound', headers });
    for (const id of traceIds(requestOf('/', headers))) expect(memory?.recall([id])).toMatchObject({ label: 'gray' });
    expect(memory?.size).toBe(3);
  });

  test('under the trace that it was given', () => {
    expect(recalled({ direction: 'edge', headers: shenzhen }, '01'.repeat(16))).toMatchObject({ label: 'gray' });
  });

  test('under the trace of an Envoy that traces', () => {
    const given: Given = { direction: 'inbound', headers: gray, envoyTrace: traceparentId(traceparent) };
    expect(recalled(given, trace)).toMatchObject({ label: 'gray' });
  });

  test('but not at a gateway, which nothing leaves by trace', () => {
    expect(decide({ direction: 'gateway', headers: { ...shenzhen, traceparent } }).memory?.size).toBe(0);
  });

  test('and what has none is not', () => {
    expect(decide({ direction: 'inbound', headers: { traceparent } }).memory?.size).toBe(0);
  });
});

test('before the first rules nothing is labelled, and the next question sees a change whole', () => {
  const decider = createDecider({ workload, memory: undefined, random: (bytes) => new Uint8Array(bytes) });
  const ask = () =>
    decider.decide({ request: requestOf('/', shenzhen), direction: 'edge', envoyTrace: undefined }).label;
  const use = (text: string) => decider.use(createAssembler()([{ file: 'f', text }]).mesh);
  expect(ask()).toBeUndefined();
  use(rules);
  expect(ask()).toBe('gray');
  use(rules.replaceAll('gray', 'green'));
  expect(ask()).toBe('green');
  use('');
  expect(ask()).toBeUndefined();
});
