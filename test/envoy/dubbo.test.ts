// Rules about Dubbo calls by Triple: which interface, method, version and group; and a label that travels as an attachment.
import http2, { type ClientHttp2Session } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { trafficRule } from '../rules/fixture.ts';
import { type Call, callTriple, startTriple } from './triple-applications.ts';
import { startWorld, type World } from './world.ts';

const is = (type: string, value: string) => ({ condition: '==', type, value });
const selector = { app: 'a' };
const rules = [
  trafficRule('order', {
    selector,
    match: [
      is('dubboInterface', 'com.shop.OrderService'),
      is('dubboMethod', 'create'),
      is('dubboVersion', '1.2.0'),
      { condition: 'absent', type: 'dubboGroup' },
    ],
  }),
  trafficRule('gold', {
    selector,
    match: [is('dubboMethod', 'find'), { ...is('header', 'gold'), key: 'userTier' }],
  }),
  trafficRule('plain-grpc', { selector, match: [is('dubboInterface', 'shop.Cart')] }),
].join('');

describe('a call by Triple', () => {
  let world: World;
  let session: ClientHttp2Session;
  beforeAll(async () => {
    world = await startWorld({
      members: [
        { service: 'a', sidecar: true, calls: 'b' },
        { service: 'b', sidecar: true },
        { service: 'b', label: 'gray', sidecar: true },
      ],
      client: {},
      rules,
      application: startTriple,
      protocols: { a: 'http2', b: 'http2' },
      processes: ['a-base'], // a processor that shares a busy process is late
    });
    session = http2.connect(`http://127.0.0.1:${world.outboundPorts.get('a')}`);
  });
  afterAll(async () => {
    session?.destroy();
    await world?.close();
  });

  const traceparent = () => `00-${crypto.randomUUID().replaceAll('-', '')}-00f067aa0ba902b7-01`;
  const call = ({ attachments, ...rest }: Call) =>
    callTriple(session, { ...rest, attachments: { traceparent: traceparent(), ...attachments } });
  const create: Call = { path: '/com.shop.OrderService/create', version: '1.2.0' };

  test('is labelled by interface, method and version, and the gray provider answers', async () => {
    expect(await call(create)).toBe('a-base b-gray');
  });

  test('carries the label as an attachment, beside those of the caller', async () => {
    await call({ ...create, attachments: { 'user-tier': 'gold' } });
    const [atA, atB] = world.seen.slice(-2);
    expect(atA).toMatchObject({ member: 'a-base', label: 'gray', headers: { 'user-tier': 'gold' } });
    expect(atB).toMatchObject({ member: 'b-gray', label: 'gray', path: '/com.shop.StockService/reserve' });
    expect(atB?.headers).toMatchObject({
      'content-type': 'application/grpc+proto',
      'tri-service-version': '1.0.0',
      'order-id': '7',
      baggage: 'OpenSergo-Label=gray',
    });
  });

  test('is labelled by an attachment', async () => {
    const find = { path: '/com.shop.UserService/find' };
    expect(await call({ ...find, attachments: { usertier: 'gold' } })).toBe('a-base b-gray');
    expect(await call({ ...find, attachments: { usertier: 'silver' } })).toBe('a-base b-base');
  });

  test('is labelled by its interface where it is plain gRPC', async () => {
    expect(await call({ path: '/shop.Cart/Add' })).toBe('a-base b-gray');
  });

  test.each<[string, Call]>([
    ['of another method', { ...create, path: '/com.shop.OrderService/createAll' }],
    ['of another interface', { ...create, path: '/com.shop.OrderServiceV2/create' }],
    ['of another version', { ...create, version: '1.2.1' }],
    ['of no version', { path: create.path }],
    ['of a group', { ...create, group: 'g1' }],
  ])('%s is base, and nobody is asked for it', async (_, other) => {
    // Without a trace, with which a is asked to remember that it has no label.
    const before = await world.metric('a-base', 'lanekeeper_decisions_total', 'inbound');
    expect(await callTriple(session, other)).toBe('a-base b-base');
    expect(await world.metric('a-base', 'lanekeeper_decisions_total', 'inbound')).toBe(before);
  });
});
