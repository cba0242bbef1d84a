import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { fieldsFile, renderFields } from '../../scripts/fields.ts';
import { encode } from '../../src/xds/encoding/encode.ts';
import { loadTypes } from '../../src/xds/encoding/fields.ts';
import { scalars } from '../../src/xds/encoding/scalars.ts';
import { type Judge, openJudge } from './judge.ts';
import * as kinds from './kinds.ts';

type Resource = Readonly<Record<string, unknown>>;
type Configuration = { static_resources: { listeners?: Resource[]; clusters?: Resource[] } };

const cluster = 'envoy.config.cluster.v3.Cluster';
const listener = 'envoy.config.listener.v3.Listener';
const routes = 'envoy.config.route.v3.RouteConfiguration';
const endpoints = 'envoy.config.endpoint.v3.ClusterLoadAssignment';
const examples = new URL('../../envoy/', import.meta.url);

let judge: Judge;
beforeAll(async () => {
  judge = await openJudge();
});

function bytesOf(type: string, json: unknown): Buffer {
  const encoding = encode(type, json as Resource);
  if (!encoding.ok) throw new Error(encoding.mistakes.join('\n'));
  return encoding.bytes;
}

function mistakesOf(type: string, json: Resource): readonly string[] {
  const encoding = encode(type, json);
  return encoding.ok ? [] : encoding.mistakes;
}

describe('the table of fields', () => {
  test('is what the descriptors in the binary of Envoy say', () => {
    expect(readFileSync(fieldsFile, 'utf8')).toBe(renderFields(judge.registry));
  });

  test('names no type that cannot be encoded', () => {
    const { messages, enums } = loadTypes();
    const types = [...messages.values()].flatMap(({ fields }) => [...fields.values()].map(({ type }) => type));
    const known = (type: string) => scalars[type] !== undefined || messages.has(type) || enums.has(type);
    const wellKnown =
      /^google\.protobuf\.(Any|Duration|Struct|Value|ListValue|(Bool|String|Double|U?Int(32|64))Value)$/;
    expect([...new Set(types)].filter((type) => !known(type) && !wellKnown.test(type))).toEqual([]);
  });
});

describe('a resource becomes the bytes that another implementation makes of it:', () => {
  const files = readdirSync(examples).filter((name) => /^(gateway|sidecar.*)\.yaml$/.test(name));

  test.each(files)('every listener and cluster of envoy/%s', (file) => {
    const { static_resources } = parse(readFileSync(new URL(file, examples), 'utf8')) as Configuration;
    const all = [
      ...(static_resources.listeners ?? []).map((json) => ({ type: listener, json })),
      ...(static_resources.clusters ?? []).map((json) => ({ type: cluster, json })),
    ];
    expect(all.length).toBeGreaterThan(3);
    for (const { type, json } of all) expect(bytesOf(type, json).equals(judge.encode(type, json))).toBe(true);
  });

  test.each([
    ['clusters', cluster, kinds.clusters],
    ['endpoints', endpoints, kinds.endpoints],
    ['routes', routes, kinds.routes],
    ['listeners', listener, kinds.listeners(1)],
  ] as const)('%s of every other kind', (_, type, all) => {
    for (const { '@type': _, ...json } of all) expect(bytesOf(type, json).equals(judge.encode(type, json))).toBe(true);
  });

  test('one that is larger than all before', () => {
    const domains = Array.from({ length: 40_000 }, (_, index) => `host-${index}.example`);
    const json = { name: 'large', virtual_hosts: [{ name: 'all', domains }] };
    expect(bytesOf(routes, json).equals(judge.encode(routes, json))).toBe(true);
  });

  test('whatever can be said in the messages of the table', () => {
    fc.assert(
      fc.property(judge.arbitrary(4), ({ type, json }) => {
        expect(bytesOf(type, json).toString('hex')).toBe(judge.encode(type, json).toString('hex'));
      }),
      { numRuns: 1500 },
    );
  });
});

describe('both spellings of a field are taken:', () => {
  test('as in YAML and as in JSON', () => {
    const snake = bytesOf(cluster, { name: 'a', connect_timeout: '1s', alt_stat_name: 'b' });
    expect(bytesOf(cluster, { name: 'a', connectTimeout: '1s', altStatName: 'b' }).equals(snake)).toBe(true);
  });

  test('an enum by name or by number', () => {
    expect(bytesOf(cluster, { type: 3 }).equals(bytesOf(cluster, { type: 'EDS' }))).toBe(true);
  });

  test('its own @type, which is not encoded', () => {
    const json = { '@type': `type.googleapis.com/${routes}`, name: 'a' };
    expect(bytesOf(routes, json).equals(bytesOf(routes, { name: 'a' }))).toBe(true);
  });
});

describe('a mistake says where it is, what was found and what was expected:', () => {
  const manager =
    'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const cases: readonly [what: string, type: string, json: Resource, mistake: string][] = [
    [
      'a field that is not there',
      cluster,
      { name: 'a', lb_polcy: 'RANDOM' },
      'lb_polcy: found "RANDOM", expected a field of envoy.config.cluster.v3.Cluster, which has none of this name',
    ],
    [
      'a field that Envoy has deprecated',
      routes,
      { virtual_hosts: [{ routes: [{ match: { headers: [{ name: 'a', exact_match: 'b' }] } }] }] },
      'virtual_hosts[0].routes[0].match.headers[0].exact_match: found "b", expected a field of envoy.config.route.v3.HeaderMatcher, which has none of this name',
    ],
    [
      'an enum without this name',
      cluster,
      { type: 'STATICAL' },
      'type: found "STATICAL", expected one of STATIC, STRICT_DNS, LOGICAL_DNS, EDS, ORIGINAL_DST',
    ],
    [
      'an enum without this number',
      cluster,
      { type: 9 },
      'type: found 9, expected one of STATIC, STRICT_DNS, LOGICAL_DNS, EDS, ORIGINAL_DST',
    ],
    ['text that is a number', cluster, { name: 5 }, 'name: found 5, expected text'],
    ['text that is not UTF-8', cluster, { name: '\ud800' }, 'name: found "\\ud800", expected text'],
    [
      'a number that is text',
      endpoints,
      { endpoints: [{ priority: '1' }] },
      'endpoints[0].priority: found "1", expected a whole number from 0 to 4294967295',
    ],
    [
      'a wrapped number that is too large',
      endpoints,
      { endpoints: [{ load_balancing_weight: 2 ** 32 }] },
      'endpoints[0].load_balancing_weight: found 4294967296, expected a whole number from 0 to 4294967295',
    ],
    [
      'a number below zero',
      listener,
      { address: { socket_address: { port_value: -1 } } },
      'address.socket_address.port_value: found -1, expected a whole number from 0 to 4294967295',
    ],
    [
      'a number of 64 bits that lost its digits',
      listener,
      { socket_options: [{ level: 2 ** 60 }] },
      'socket_options[0].level: found 1152921504606847000, expected a whole number from -9223372036854775808 to 9223372036854775807',
    ],
    [
      'a flag that is text',
      routes,
      { validate_clusters: 'yes' },
      'validate_clusters: found "yes", expected true or false',
    ],
    [
      'a duration without its unit',
      cluster,
      { connect_timeout: '0.25' },
      'connect_timeout: found "0.25", expected a duration in seconds, as 0.25s',
    ],
    [
      'a duration of another form',
      cluster,
      { connect_timeout: { seconds: 1 } },
      'connect_timeout: found {"seconds":1}, expected a duration in seconds, as 0.25s',
    ],
    [
      'bytes that are not base64',
      listener,
      { socket_options: [{ buf_value: 'a b' }] },
      'socket_options[0].buf_value: found "a b", expected text in base64',
    ],
    ['a list that is none', routes, { virtual_hosts: {} }, 'virtual_hosts: found {}, expected a list'],
    [
      'an object that is a list',
      cluster,
      { metadata: [] },
      'metadata: found [], expected an object, envoy.config.core.v3.Metadata',
    ],
    [
      'a map that is a list',
      cluster,
      { metadata: { filter_metadata: [] } },
      'metadata.filter_metadata: found [], expected an object',
    ],
    ['nothing', cluster, { name: null }, 'name: found null, expected text'],
    [
      'two of which one may be set',
      cluster,
      { type: 'EDS', cluster_type: { name: 'a' } },
      'cluster_type: found {"name":"a"}, expected only one of type and cluster_type',
    ],
    [
      'one field under both its names',
      cluster,
      { alt_stat_name: 'a', altStatName: 'b' },
      'altStatName: found "b", expected only one of alt_stat_name',
    ],
    [
      'an extension of a type that is not in the table',
      listener,
      { filter_chains: [{ filters: [{ name: 'a', typed_config: { '@type': 'type.googleapis.com/nobody.Knows' } }] }] },
      'filter_chains[0].filters[0].typed_config.@type: found "type.googleapis.com/nobody.Knows", expected type.googleapis.com/ and a message that fields.txt has',
    ],
    [
      'an extension without a type',
      listener,
      { filter_chains: [{ filters: [{ typed_config: {} }] }] },
      'filter_chains[0].filters[0].typed_config.@type: found undefined, expected type.googleapis.com/ and a message that fields.txt has',
    ],
    [
      'a field of an extension',
      listener,
      { filter_chains: [{ filters: [{ typed_config: { '@type': manager, codec: 'AUTO' } }] }] },
      'filter_chains[0].filters[0].typed_config.codec: found "AUTO", expected a field of envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, which has none of this name',
    ],
    [
      'an @type that is another',
      cluster,
      { '@type': `type.googleapis.com/${routes}` },
      `@type: found "type.googleapis.com/${routes}", expected type.googleapis.com/${cluster}`,
    ],
    [
      'what is long is cut',
      cluster,
      { connect_timeout: 'x'.repeat(200) },
      `connect_timeout: found "${'x'.repeat(79)}…, expected a duration in seconds, as 0.25s`,
    ],
  ];

  test.each(cases)('%s', (_, type, json, mistake) => {
    expect(mistakesOf(type, json)).toEqual([mistake]);
  });

  test('all of them at once, those of unknown fields last', () => {
    const json = { name: 1, type: 'X', transport_socket: { name: 2 }, circuit_breakers: { thresholds: 3 }, eds: {} };
    expect(mistakesOf(cluster, json).map((text) => text.split(':')[0])).toEqual([
      'name',
      'type',
      'circuit_breakers.thresholds',
      'transport_socket.name',
      'eds',
    ]);
  });

  test('what is not there is left out, as JSON does', () => {
    expect(bytesOf(cluster, { name: 'a', type: undefined }).equals(bytesOf(cluster, { name: 'a' }))).toBe(true);
  });
});
