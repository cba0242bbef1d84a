import { describe, expect, test } from 'vitest';
import { type Carriers, createAttributor } from '../../../src/database/label/attribution.ts';
import { commentPairs, meetsHint } from '../../../src/database/label/comment.ts';
import { conflict, none, type Recollection } from '../../../src/propagation/recollection.ts';
import type { Label } from '../../../src/traffic/label.ts';

const [gray, blue] = ['gray', 'blue'] as Label[] as [Label, Label];
const traceOf = (digit: string) => `00-${digit.repeat(32)}-b7ad6b7169203331-01`;
const remembered = new Map<string, Recollection>([
  [`w3c:${'1'.repeat(32)}`, { outcome: 'label', label: gray }],
  [`w3c:${'2'.repeat(32)}`, conflict],
]);

type Said = { attributes?: object; variables?: object; comments?: string[] };
function carriers({ attributes = {}, variables = {}, comments = [] }: Said): Carriers {
  return { attributes: new Map(Object.entries(attributes)), variables: new Map(Object.entries(variables)), comments };
}

async function attribute(said: Said, { labels = [] as Label[], isRemembering = true, hints = [] as never[] } = {}) {
  const asked: string[] = [];
  const attributor = createAttributor({
    labels: () => labels,
    isRemembering: () => isRemembering,
    recall: (ids) => {
      asked.push(...ids);
      return Promise.resolve(remembered.get(ids[0] ?? '') ?? none);
    },
  });
  const answer = attributor.attribute(carriers(said), hints);
  return { answer: await answer, asked, isSync: !(answer instanceof Promise) };
}

const baggage = (label: string) => `a=b,OpenSergo-Label=${label}`;
const inComment = (key: string, value: string) => `route='%2Fa',${key}='${encodeURIComponent(value)}'`;

describe('on a base workload the first that speaks wins', () => {
  test.each<[string, Said, object]>([
    ['an attribute', { attributes: { 'x-opensergo-traffic': 'gray' } }, { label: gray, by: 'attribute' }],
    ['baggage in an attribute', { attributes: { baggage: baggage('gray') } }, { label: gray, by: 'attribute' }],
    [
      'an attribute before a variable',
      { attributes: { 'x-opensergo-traffic': 'gray' }, variables: { 'x-opensergo-traffic': 'blue' } },
      { label: gray, by: 'attribute' },
    ],
    [
      'a variable before a comment',
      { variables: { baggage: baggage('gray') }, comments: [inComment('baggage', baggage('blue'))] },
      { label: gray, by: 'variable' },
    ],
    [
      'a comment before a trace, even that of an attribute',
      { attributes: { traceparent: traceOf('1') }, comments: [inComment('baggage', baggage('blue'))] },
      { label: blue, by: 'comment' },
    ],
    ['the trace of an attribute', { attributes: { traceparent: traceOf('1') } }, { label: gray, by: 'memory' }],
    ['the trace of a variable', { variables: { traceparent: traceOf('1') } }, { label: gray, by: 'memory' }],
    [
      'the trace of a comment',
      { comments: ['x', inComment('traceparent', traceOf('1'))] },
      { label: gray, by: 'memory' },
    ],
    ['a trace that nobody labelled is base', { comments: [inComment('traceparent', traceOf('3'))] }, { by: 'memory' }],
    ['a trace on which two labels met says nothing', { attributes: { traceparent: traceOf('2') } }, { by: 'none' }],
    ['nothing says nothing', {}, { by: 'none' }],
    [
      'a bare label in a comment says nothing',
      { comments: [inComment('x-opensergo-traffic', 'gray')] },
      { by: 'none' },
    ],
    ['what is no carrier says nothing', { attributes: { a: 'gray' }, comments: ['gray', '=gray'] }, { by: 'none' }],
  ])('%s', async (_, said, expected) => {
    expect((await attribute(said)).answer).toEqual({ label: undefined, ...expected });
  });
});

test('no trace is looked up while nothing is remembered, nor where the label is there already', async () => {
  const traced = { attributes: { traceparent: traceOf('1') } };
  expect(await attribute(traced, { isRemembering: false })).toEqual({
    answer: { label: undefined, by: 'memory' },
    asked: [],
    isSync: true,
  });
  expect((await attribute({ attributes: { ...traced.attributes, baggage: baggage('gray') } })).asked).toEqual([]);
});

describe('on base a carrier that cannot be believed refuses the statement', () => {
  test.each<[string, Said, string]>([
    ['no label', { attributes: { 'x-opensergo-traffic': 'g r' } }, 'found "g r" in the attribute, expected one label'],
    ['an empty one', { variables: { 'x-opensergo-traffic': '' } }, 'found "" in the variable, expected one label'],
    [
      'two labels in one baggage',
      { comments: [inComment('baggage', 'OpenSergo-Label=a,OpenSergo-Label=b')] },
      'found "OpenSergo-Label=a,OpenSergo-Label=b" in the comment, expected one label',
    ],
    [
      'two labels in two comments',
      { comments: [inComment('baggage', baggage('gray')), inComment('baggage', baggage('blue'))] },
      'found the labels gray and blue in comments of one statement, expected one',
    ],
  ])('%s', async (_, said, refusal) => {
    expect((await attribute(said)).answer).toEqual({ refusal });
  });
});

describe('on a workload with labels its own wins', () => {
  test.each<[string, Said, Label[], object]>([
    ['over nothing', {}, [gray], { label: gray, by: 'workload' }],
    ['over another label', { attributes: { baggage: baggage('blue') } }, [gray], { label: gray, by: 'workload' }],
    ['over a trace', { attributes: { traceparent: traceOf('3') } }, [gray], { label: gray, by: 'workload' }],
    ['over what is no label', { attributes: { baggage: 'OpenSergo-Label=' } }, [gray], { label: gray, by: 'workload' }],
    ['the first of two', {}, [gray, blue], { label: gray, by: 'workload' }],
    [
      'but for another of its own',
      { attributes: { baggage: baggage('blue') } },
      [gray, blue],
      { label: blue, by: 'attribute' },
    ],
  ])('%s', async (_, said, labels, expected) => {
    expect(await attribute(said, { labels })).toMatchObject({ answer: expected, asked: [], isSync: true });
  });
});

test('a hint counts where a rule asks for it, and only with all its pairs', async () => {
  const hints = [
    {
      label: gray,
      pairs: [
        ['foo', 'bar'],
        ['shadow', 'true'],
      ],
    },
  ] as never[];
  for (const comment of [' foo:bar, shadow:true ', "shadow='true',foo=bar", 'a:b,foo: bar,shadow :true'])
    expect((await attribute({ comments: [comment] }, { hints })).answer).toEqual({ label: gray, by: 'comment' });
  for (const comment of ['foo:bar', 'foo:baz,shadow:true', 'xfoo:bar,shadow:true', ''])
    expect((await attribute({ comments: [comment] }, { hints })).answer).toMatchObject({ by: 'none' });
});

test('pairs of comments are those of sqlcommenter', () => {
  const pairs = (comment: string) => Object.fromEntries(commentPairs(comment));
  expect(pairs(`Action='%2Fpolls%20x', framework='dj\\'ango'`)).toEqual({ action: '/polls x', framework: "dj'ango" });
  expect(pairs("a='1',a='2'")).toEqual({ a: '1' });
  expect(pairs("a='1,b='2'")).toEqual({ a: '1,b=' });
  expect(pairs("a='1")).toEqual({});
  expect(pairs('a=1')).toEqual({});
  expect(pairs(`a='${'x'.repeat(20_000)}'`)).toEqual({});
  expect(meetsHint(`${' '.repeat(20_000)}a:b`, { label: gray, pairs: [['a', 'b']] })).toBe(false);
});
