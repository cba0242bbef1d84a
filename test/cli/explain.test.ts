import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { shellWords } from '../../src/explain/curl.ts';
import { trafficRule } from '../rules/fixture.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const config = ['--config', 'src/demo/rules,envoy/services.yaml', '--labels', 'app=spring-cloud-zuul'];

function explain(...args: string[]): string {
  return execFileSync(process.execPath, ['src/main.ts', 'explain', ...config, ...args], {
    cwd: root,
    encoding: 'utf8',
  });
}

test('explain says whether lanekeeper is asked, each rule, the label, its carriers, and the lane at every service', () => {
  const text = explain('-H', 'location: cn-shenzhen', 'http://shop/b?x=1').replace(/traceparent: .*/, 'traceparent: …');
  expect(text.trimEnd().split('\n')).toEqual([
    'request     GET /b?x=1',
    'at          gateway (app=spring-cloud-zuul)',
    'asked       yes, by route b/base:ask',
    'rules       default/my-traffic-label-rule: matches: gray',
    'label       gray, because rule',
    'carried by  x-opensergo-traffic: gray',
    '            baggage: OpenSergo-Label=gray',
    '            traceparent: …',
    'route       b/gray:asked → b|gray+',
    'then        default/b: gray (10.0.0.2:8080), else base (10.0.0.1:8080)',
    '            default/s: gray (10.0.0.5:8080)',
  ]);
});

test.each([
  ['as flags', ['-H', 'location: cn-shenzhen', '/b']],
  ['as a line of curl behind --', ['--', 'curl', '-H', 'location: cn-shenzhen', 'http://shop/b']],
  ['as one pasted text', ['--curl', `curl -X GET \\\n  -H 'location: cn-shenzhen' "http://shop/b"`]],
])('the request may be given %s', (_, args) => {
  expect(JSON.parse(explain('--format', 'json', ...args))).toMatchObject({
    label: 'gray',
    decision: { reason: 'rule' },
    final: { name: 'b/gray:asked' },
  });
});

test('a spoofed label is seen to be removed at a gateway, and believed at a mesh port', () => {
  const spoofed = ['-H', 'x-opensergo-traffic: gray', '/b'];
  expect(JSON.parse(explain('--format', 'json', ...spoofed)).label).toBeUndefined();
  expect(JSON.parse(explain('--format', 'json', '--at', 'inbound', ...spoofed)).label).toBe('gray');
});

test('who calls is given as Envoy says it, and counts at a mesh port only', () => {
  const at = (place: string, source: string) =>
    JSON.parse(
      explain(
        ...['--format', 'json', '--config', 'envoy/rules.yaml', '--labels', 'app=a', '--at', place],
        ...['-H', `x-lane-source: ${source}`, '/a'],
      ),
    );
  expect(at('inbound', 'app=testbench&version=v2')).toMatchObject({ first: { asks: true }, label: 'gray' });
  expect(at('inbound', 'app=b')).toMatchObject({
    first: { asks: false },
    rules: [{ rule: 'default/by-caller', outcome: 'sourceLabel app is not "testbench"' }],
  });
  expect(at('edge', 'app=testbench').label).toBeUndefined();
});

test('a call by Triple is given by its path and headers', () => {
  const is = (type: string, value: string) => ({ condition: '==', type, value });
  const match = [
    is('dubboInterface', 'com.shop.OrderService'),
    is('dubboMethod', 'create'),
    is('dubboVersion', '1.2.0'),
  ];
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-explain-'));
  writeFileSync(join(folder, 'rules.yaml'), trafficRule('order', { selector: { app: 'a' }, match }));
  const of = (...call: string[]) =>
    JSON.parse(explain('--format', 'json', '--config', folder, '--labels', 'app=a', '--at', 'inbound', ...call));
  const version = ['-H', 'tri-service-version: 1.2.0'];
  const create = 'http://shop/com.shop.OrderService/create';
  try {
    expect(of('-X', 'POST', ...version, create)).toMatchObject({ first: { asks: true }, label: 'gray' });
    expect(of('-d', '["Ada"]', '-H', 'content-type: application/json', ...version, create).label).toBe('gray');
    for (const [call, reason] of [
      [['-X', 'POST', ...version, `${create}All`], 'dubboMethod is not "create"'],
      [['-X', 'POST', create], 'dubboVersion is not "1.2.0"'],
      [[...version, create], 'dubboInterface is not "com.shop.OrderService"'],
    ] as const)
      expect(of(...call)).toMatchObject({
        first: { asks: false },
        rules: [{ rule: 'default/order', outcome: reason }],
      });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe('wrong usage is said, with exit code 64:', () => {
  test.each([
    [['--at', 'door', '/b'], '--at: found "door", expected one of gateway, edge, inbound'],
    [['-H', 'no header', '/b'], '--header: found "no header", expected a header such as \'location: cn-shenzhen\''],
    [[], 'found no URL, expected one such as http://shop/orders; see lanekeeper explain --help'],
    [['/a', '/b'], 'found 2 URLs, expected one: /a /b'],
    [['http://['], 'found "http://[", expected a URL or a path such as http://shop/orders or /orders'],
  ])('%j', (args, message) => {
    const { status, stderr } = spawnSync(process.execPath, ['src/main.ts', 'explain', ...config, ...args], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(stderr.trimEnd()).toBe(`lanekeeper explain: ${message}`);
    expect(status).toBe(64);
  });
});

test.each([
  [`curl -H 'a: b c' "x y" z`, ['curl', '-H', 'a: b c', 'x y', 'z']],
  [`curl -H "a: \\"b\\" \\$c" d\\ e`, ['curl', '-H', 'a: "b" $c', 'd e']],
  ['curl \\\n  \'it\'"s"', ['curl', 'its']],
  ['', []],
])('a shell line is parted as a shell does: %j', (line, words) => {
  expect(shellWords(line)).toEqual(words);
});
