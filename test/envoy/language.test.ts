// The rule language on the real Envoy: through the gate, to the processor and into the lane.
import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { startWorld, type World } from './world.ts';

type Sent = { readonly method?: string; readonly path?: string; readonly headers?: Record<string, string | string[]> };

const long = 'v'.repeat(300);
const ofHeader = { type: 'header', key: 'X-City' };
const ofQuery = { type: 'query', key: 'user' };
const ofCaller = { type: 'sourceLabel', key: 'app' };
const ofCookie = { type: 'cookie', key: 'user' };
const city = (value: string | string[]): Sent => ({ headers: { 'x-city': value } });
const source = (value: string): Sent => ({ headers: { 'x-lane-source': value } });
const query = (text: string): Sent => ({ path: `/b?${text}` });
const cookie = (value: string): Sent => ({ headers: { cookie: value } });
const path = (text: string): Sent => ({ path: text });
const call = (path: string, headers = {}): Sent => ({ method: 'POST', path, headers });
const host = (value: string): Sent => ({ headers: { host: value } });

/** Conditions of a rule, requests that it labels, and requests that it does not. */
const cases: readonly (readonly [conditions: object[], gray: Sent[], base: Sent[]])[] = [
  [[{ ...ofHeader, condition: '==', value: 'a,b' }], [city('a,b'), city(['a', 'b'])], [city('a'), city('b,a'), {}]],
  [[{ ...ofHeader, condition: '==', value: 'größe' }], [city(Buffer.from('größe').toString('latin1'))], [city('gr')]],
  [[{ ...ofHeader, condition: '!=', value: 'a' }], [{}, city('b'), city(['a', 'a'])], [city('a')]],
  [[{ ...ofHeader, condition: '!=', value: '' }], [{}, city('b')], [city('')]],
  [[{ ...ofHeader, condition: 'in', value: ['a', 'b.c'] }], [city('a'), city('b.c')], [city('bxc'), city('ab'), {}]],
  [[{ ...ofHeader, condition: 'notIn', value: ['a', 'b'] }], [{}, city('c')], [city('a'), city('b')]],
  [[{ ...ofHeader, condition: 'prefix', value: 'cn-' }], [city('cn-'), city('cn-a')], [city('xcn-'), {}]],
  [[{ ...ofHeader, condition: 'suffix', value: '-cn' }], [city('-cn'), city('a-cn')], [city('-cnx'), {}]],
  [[{ ...ofHeader, condition: 'regex', value: 'cn-.[^x]' }], [city('cn-ab')], [city('cn-ax'), city('acn-ab'), {}]],
  [
    [{ ...ofHeader, condition: 'regex', value: '\\p{Greek}+' }],
    [city(Buffer.from('αβ').toString('latin1'))],
    [city('a')],
  ],
  [[{ ...ofHeader, condition: 'exists' }], [city('a'), city('')], [{}]],
  [[{ ...ofHeader, condition: 'absent' }], [{}], [city('a'), city('')]],
  [[{ type: 'path', condition: '==', value: '/b/a' }], [path('/b/a'), path('/b/a?x')], [path('/b/a/'), path('/b/ab')]],
  [[{ type: 'path', condition: '!=', value: '/b/a' }], [path('/b'), path('/b/a/')], [path('/b/a'), path('/b/a?x')]],
  [[{ type: 'path', condition: 'in', value: ['/b/a', '/b/c'] }], [path('/b/c?x')], [path('/b'), path('/b/a/c')]],
  [[{ type: 'path', condition: 'notIn', value: ['/b/a', '/b/c'] }], [path('/b')], [path('/b/a'), path('/b/c?x')]],
  [[{ type: 'path', condition: 'prefix', value: '/b/a' }], [path('/b/ab?x')], [path('/b'), path('/b/?/b/a')]],
  [[{ type: 'path', condition: 'suffix', value: '.html' }], [path('/b/a.html?x')], [path('/b/a?x.html')]],
  [[{ type: 'path', condition: 'regex', value: '/b/[0-9]+' }], [path('/b/12?x')], [path('/b/x'), path('/b/1/2')]],
  [
    [{ ...ofQuery, condition: '==', value: 'a b' }],
    [query('x&user=a%20b'), query('%75ser=a%20b')],
    [query('user=a+b')],
  ],
  [[{ ...ofQuery, condition: '==', value: '' }], [query('user'), query('user=')], [query('user=1'), query('x')]],
  [[{ ...ofQuery, condition: '==', value: long }], [query(`user=${long}`)], [query(`user=${long}v`)]],
  [[{ ...ofQuery, condition: '!=', value: '1' }], [query('x'), query('user=2&user=1')], [query('user=1')]],
  [[{ ...ofQuery, condition: 'in', value: ['1', '2'] }], [query('user=2')], [query('user=3&user=1'), query('x')]],
  [[{ ...ofQuery, condition: 'notIn', value: ['1', '2'] }], [query('x'), query('user=3')], [query('user=%32')]],
  [[{ ...ofQuery, condition: 'prefix', value: 'beta-' }], [query('user=beta-1&x')], [query('user=xbeta-1')]],
  [[{ ...ofQuery, condition: 'suffix', value: '-beta' }], [query('x&user=1-beta')], [query('user=1-beta2')]],
  [
    [{ ...ofQuery, condition: 'regex', value: 'a.c' }],
    [query('user=abc&x'), query('user=a%C3%B6c')],
    [query('user=ac')],
  ],
  [[{ ...ofQuery, condition: 'exists' }], [query('user'), query('us%65r=1')], [query('users=1'), {}]],
  [[{ ...ofQuery, condition: 'absent' }], [{}, query('users=1')], [query('user'), query('us%65r=1')]],
  [
    [{ ...ofCookie, condition: '==', value: '1' }],
    [cookie('a=b; user=1'), cookie('user = 1 ;x=y')],
    [cookie('xuser=1')],
  ],
  [[{ ...ofCookie, condition: '==', value: long }], [cookie(`a=b; user=${long}`)], [cookie(`user=${long}v`)]],
  [[{ ...ofCookie, condition: '!=', value: '1' }], [{}, cookie('user=2; user=1')], [cookie('user=1')]],
  [[{ ...ofCookie, condition: 'in', value: ['1', '2'] }], [cookie('user=2')], [cookie('user=12'), {}]],
  [[{ ...ofCookie, condition: 'notIn', value: ['1', '2'] }], [{}, cookie('user=3')], [cookie('user=2')]],
  [[{ ...ofCookie, condition: 'prefix', value: 'beta-' }], [cookie('user=beta-1')], [cookie('user=xbeta-1'), {}]],
  [[{ ...ofCookie, condition: 'suffix', value: '-beta' }], [cookie('a=b;user=1-beta')], [cookie('user=1-beta2')]],
  [[{ ...ofCookie, condition: 'regex', value: '[0-9]+' }], [cookie('user=12; a=b')], [cookie('user=12a'), {}]],
  [[{ ...ofCookie, condition: 'exists' }], [cookie('user=')], [cookie('user'), {}]],
  [[{ ...ofCookie, condition: 'absent' }], [{}, cookie('users=1')], [cookie('user=1')]],
  [[{ type: 'method', condition: '==', value: 'POST' }], [{ method: 'POST' }], [{ method: 'PUT' }, {}]],
  [[{ type: 'method', condition: '!=', value: 'GET' }], [{ method: 'POST' }], [{}]],
  [[{ type: 'method', condition: 'in', value: ['POST', 'PUT'] }], [{ method: 'PUT' }], [{}]],
  [[{ type: 'method', condition: 'notIn', value: ['POST', 'PUT'] }], [{}], [{ method: 'PUT' }]],
  [[{ type: 'method', condition: 'regex', value: 'P.*' }], [{ method: 'PUT' }], [{}]],
  // The gateway routes by /b, which is the interface here. Triple in HTTP/1, where its body is JSON.
  [
    [
      { type: 'dubboInterface', condition: '==', value: 'b' },
      { type: 'dubboMethod', condition: '==', value: 'create' },
    ],
    [call('/b/create', { 'content-type': 'application/json' }), call('/b/create?a')],
    [path('/b/create'), call('/b/createAll'), call('/b/create/'), call('/b')],
  ],
  [[{ type: 'dubboInterface', condition: 'in', value: ['b', 'c'] }], [call('/b/a')], [path('/b/a'), call('/b/a/b')]],
  [[{ type: 'dubboInterface', condition: '!=', value: 'b' }], [path('/b/a'), call('/b/a/b')], [call('/b/a')]],
  [[{ type: 'dubboInterface', condition: 'exists' }], [call('/b/a')], [call('/b'), call('/b/'), path('/b/a')]],
  [[{ type: 'dubboInterface', condition: 'absent' }], [call('/b'), path('/b/a')], [call('/b/a')]],
  [[{ type: 'dubboMethod', condition: 'prefix', value: 'get' }], [call('/b/getAll')], [call('/b/x?a=/get'), {}]],
  [[{ type: 'dubboMethod', condition: 'suffix', value: 'ById' }], [call('/b/getById')], [call('/b/x?aById'), {}]],
  [[{ type: 'dubboMethod', condition: 'regex', value: '^g.*$' }], [call('/b/get?a')], [call('/b/get/a'), path('/b/g')]],
  [
    [
      { type: 'dubboInterface', condition: '==', value: 'b' },
      { type: 'dubboMethod', condition: 'notIn', value: ['a', 'c'] },
    ],
    [call('/b/b')],
    [call('/b/a'), call('/b/c?d'), path('/b/b')],
  ],
  [
    [
      { type: 'dubboVersion', condition: '==', value: '1.2.0' },
      { type: 'dubboGroup', condition: '!=', value: 'g1' },
    ],
    [call('/b/a', { 'tri-service-version': '1.2.0' })],
    [call('/b/a', { 'tri-service-version': '1.2.0', 'tri-service-group': 'g1' }), call('/b/a')],
  ],
  [[{ type: 'host', condition: '==', value: 'shop.Example' }], [host('SHOP.example:8080')], [host('a.shop.example')]],
  [[{ type: 'host', condition: '!=', value: 'shop.example' }], [host('a.example')], [host('Shop.example:1')]],
  [
    [{ type: 'host', condition: 'in', value: ['a.example', '[::1]'] }],
    [host('[::1]:80'), host('a.example')],
    [host('a')],
  ],
  [[{ type: 'host', condition: 'notIn', value: ['a', '[::1]'] }], [host('ab')], [host('[::1]:80'), host('A:1')]],
  [[{ type: 'host', condition: 'prefix', value: 'beta.' }], [host('Beta.example:80')], [host('a.beta.example')]],
  [[{ type: 'host', condition: 'suffix', value: '.example' }], [host('a.Example:80')], [host('example:80')]],
  [[{ type: 'host', condition: 'regex', value: '[a-z]+[.]example' }], [host('Shop.Example:80')], [host('a.b.example')]],
  [[{ type: 'host', condition: 'exists' }], [{}], []],
  [[{ type: 'sourceIp', condition: 'in', value: ['198.51.100.0/24', '2001:db8::/32'] }], [], [{}]],
  [[{ type: 'sourceIp', condition: 'notIn', value: ['198.51.100.0/24', '::1'] }], [{}], []],
  [[{ type: 'sourceIp', condition: 'exists' }], [{}], []],
  // Nobody is known who calls an edge.
  [[{ ...ofCaller, condition: 'exists' }], [], [{}, source('app=b')]],
  [[{ ...ofCaller, condition: '!=', value: 'b' }], [{}, source('app=b')], []],
];

const rule = (name: string, spec: object): string =>
  `${JSON.stringify({
    apiVersion: 'traffic.opensergo.io/v1alpha1',
    kind: 'TrafficLabelRule',
    metadata: { name },
    spec: { selector: { app: 'gateway' }, trafficLabel: 'gray', ...spec },
  })}\n---\n`;

const ofCase = (name: string) => ({ condition: '==', type: 'header', key: 'x-case', value: name });
const lane = `apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLane
metadata: { name: lane }
spec:
  selector: { app: gateway }
  rules:
    traffic: { http: { headers: [{ X-User-Id: , exact: 12345 }], uri: { exact: /b/index } } }
    lane: { name: gray }
---
`;
const anyOf = [[{ ...ofHeader, condition: 'exists' }], [{ ...ofQuery, condition: '==', value: '1' }]];
const text = [
  ...cases.map(([conditions], index) => rule(`case-${index}`, { match: [ofCase(String(index)), ...conditions] })),
  rule('any-of', { match: [ofCase('any-of')], anyOf }),
  lane,
].join('');

describe('a gateway labels', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members: [{ service: 'b' }, { service: 'b', label: 'gray' }],
      gateway: { app: 'gateway' },
      rules: text,
    });
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  const slowly = { timeout: 20_000 };
  const use = async (rules: readonly string[], generation: number): Promise<void> => {
    writeFileSync(world.rulesFile, rules.join(''));
    const current = () => world.metric('gateway', 'lanekeeper_generation');
    await vi.waitFor(async () => expect(await current()).toBe(generation), slowly);
  };

  const answerTo = async (
    name: string,
    { method = 'GET', path: target = '/b', headers = {} }: Sent,
  ): Promise<string> => {
    const { body } = await world.viaGateway({ method, path: target, headers: { 'x-case': name, ...headers } });
    return body;
  };

  test.each(cases.map(([conditions, gray, base], index) => [JSON.stringify(conditions), gray, base, index] as const))(
    'where %s',
    async (_, gray, base, index) => {
      for (const sent of gray) expect([sent, await answerTo(String(index), sent)]).toEqual([sent, 'b-gray']);
      for (const sent of base) expect([sent, await answerTo(String(index), sent)]).toEqual([sent, 'b-base']);
    },
  );

  test('by match and one list of anyOf', async () => {
    for (const sent of [city('a'), query('user=1')]) expect(await answerTo('any-of', sent)).toBe('b-gray');
    for (const sent of [{}, query('user=2')]) expect(await answerTo('any-of', sent)).toBe('b-base');
    expect(await answerTo('other', city('a'))).toBe('b-base');
  });

  test('by a TrafficLane', async () => {
    const headers = { 'x-user-id': '12345' };
    expect(await answerTo('', { path: '/b/index?a', headers })).toBe('b-gray');
    expect(await answerTo('', { path: '/b/index', headers: { 'x-user-id': '1' } })).toBe('b-base');
    expect(await answerTo('', { headers })).toBe('b-base');
  });

  test('and asks for none of this', async () => {
    const before = await world.metric('gateway', 'lanekeeper_decisions_total');
    await answerTo('none', { path: '/b/other?user=2', headers: { cookie: 'a=b' } });
    expect(await world.metric('gateway', 'lanekeeper_decisions_total')).toBe(before);
  });

  // A caller on the loopback interface has Envoy's own address there: which one, the application sees.
  test('by the address that it saw itself, whatever the request says', async () => {
    await answerTo('', {});
    const seen = String(world.seen.at(-1)?.headers['x-forwarded-for']);
    const ofSource = { type: 'sourceIp', condition: '==' };
    const rules = [
      rule('itself', { match: [ofCase('itself'), { ...ofSource, value: seen }] }),
      rule('others', { match: [ofCase('others'), { ...ofSource, value: ['0.0.0.0/0', '::/0'] }] }),
      rule('not', { match: [ofCase('not'), { ...ofSource, condition: '!=', value: seen }] }),
      rule('spoofed', { match: [ofCase('spoofed'), { ...ofSource, value: '198.51.100.1' }] }),
    ];
    await use(rules, 2);
    await vi.waitFor(async () => expect(await answerTo('itself', {})).toBe('b-gray'), slowly);
    expect(await answerTo('others', {})).toBe('b-gray');
    expect(await answerTo('not', {})).toBe('b-base');
    const headers = { 'x-forwarded-for': '198.51.100.1', 'x-real-ip': '198.51.100.1' };
    expect(await answerTo('spoofed', { headers })).toBe('b-base');
    expect(await answerTo('itself', { headers })).toBe('b-gray');
  });

  test('one of a thousand rules, and asks for no other request', async () => {
    const many = Array.from({ length: 1_000 }, (_, at) => {
      const user = { ...ofCookie, condition: '==', value: `user-${at}` };
      return rule(`user-${at}`, { match: [user], trafficLabel: at % 2 ? 'gray' : 'blue' });
    });
    await use(many, 3);
    await vi.waitFor(async () => expect(await answerTo('', cookie('user=user-999'))).toBe('b-gray'), slowly);
    expect(await answerTo('', cookie('a=b; user=user-1'))).toBe('b-gray');
    const before = await world.metric('gateway', 'lanekeeper_decisions_total');
    expect(await answerTo('', cookie('user=user-1000'))).toBe('b-base');
    expect(await world.metric('gateway', 'lanekeeper_decisions_total')).toBe(before);
    expect(await world.metric('gateway', 'lanekeeper_route_updates_rejected_total')).toBe(0);
  });
});
