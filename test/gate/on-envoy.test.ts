// The evaluator of this folder stands for Envoy: here the real one is asked the same questions.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { freePorts } from '../../src/demo/topology.ts';
import { runtime } from '../../src/envoy/bootstrap.ts';
import { type Resource, typeUrl } from '../../src/envoy/resource.ts';
import { gatesOf, pathMatch } from '../../src/envoy/routes/gate.ts';
import { patternInBytes } from '../../src/envoy/routes/pattern.ts';
import { compilePattern } from '../../src/rules/conditions/pattern.ts';
import { findEnvoy } from '../../src/supervisor/binary/find.ts';
import { rulesOf } from '../rules/fixture.ts';
import { type Case, cases, portablePatterns, ruleText } from './cases.ts';
import { isLetThrough, passes, type Sent } from './evaluator.ts';

type Answer = 'asked' | 'passed' | 'elsewhere';

/** Of many cases, so many that each answer is well among them. */
const drawn = fc.sample(cases, { seed: 11, numRuns: 3_000 }).filter(({ sent }) => isAccepted(sent));
const chosen = ['asked', 'passed', 'elsewhere'].flatMap((answer) =>
  drawn.filter((given) => expected(given) === answer).slice(0, answer === 'elsewhere' ? 20 : 150),
);

/** Patterns of the syntax that is given to Envoy, each with a value: one that is refused would keep Envoy from starting. */
const patterns = fc.sample(portablePatterns, { seed: 13, numRuns: 400 });

let folder: string;
let port: number;
let envoy: ChildProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lanekeeper-gate-'));
  [port = 0] = await freePorts(1);
  writeFileSync(
    join(folder, 'envoy.json'),
    JSON.stringify(bootstrap([...chosen.map(hostOf), ...patterns.map(patternHost)])),
  );
  const binary = await findEnvoy({ envoy: undefined, say: () => {} });
  const flags = ['--disable-hot-restart', '--concurrency', '1', '--log-level', 'error'];
  envoy = spawn(binary, ['--config-path', join(folder, 'envoy.json'), ...flags], { stdio: 'inherit' });
  await vi.waitFor(() => send({ path: '/', headers: [] }, 'nobody'), { timeout: 30_000 });
}, 300_000);

afterAll(async () => {
  const ended = new Promise((resolve) => envoy.once('exit', resolve));
  envoy.kill('SIGKILL');
  await ended;
  rmSync(folder, { recursive: true, force: true });
});

test('Envoy lets through exactly what the evaluator does', async () => {
  const wrong: unknown[] = [];
  for (const [index, given] of chosen.entries()) {
    const answer = await send(given.sent, `case-${index}`);
    if (answer !== expected(given)) wrong.push({ answer, expected: expected(given), ...given });
  }
  expect(wrong).toEqual([]);
  const count = (answer: Answer): number => chosen.filter((given) => expected(given) === answer).length;
  expect([count('asked'), count('passed')]).toEqual([150, 150]);
});

test('Envoy takes every pattern that it is given, and reads it as re2js does', async () => {
  const answers: boolean[] = [];
  for (const [index, [pattern, value]] of patterns.entries()) {
    const compiled = compilePattern(pattern);
    if (!compiled.ok) throw new Error(`${pattern}: ${compiled.message}`);
    const answer = await send({ path: '/', headers: [['x', value]] }, `pattern-${index}`);
    const isMatching = compiled.matches(value);
    // What is no UTF-8 matches nothing here, and may match there: more is asked then, never less.
    if (isMatching || !value.includes('\xff'))
      expect([pattern, value, answer]).toEqual([pattern, value, isMatching ? 'asked' : 'passed']);
    answers.push(isMatching);
  }
  expect(answers.filter((matches) => matches).length).toBeGreaterThan(60);
});

test.each(['/a#b', '/a?b#c', '/\xff', '/a?\xc3\xb6'])(
  'Envoy answers 400 to %j, so that no gate needs to hold there',
  async (path) => {
    expect(await send({ path, headers: [] }, 'nobody')).toBe('HTTP/1.1 400 Bad Request');
  },
);

/** What HTTP/1 may carry: Envoy answers 400 to the rest before it looks for a route. */
function isAccepted({ path }: Sent): boolean {
  return /^[!-"$-~]*$/.test(path);
}

function expected({ prefix, sent, ...given }: Case): Answer {
  if (!passes(pathMatch(prefix), sent)) return 'elsewhere';
  return isLetThrough(gatesOf(rulesOf(ruleText({ prefix, sent, ...given })).traffic, prefix), sent)
    ? 'asked'
    : 'passed';
}

function hostOf(given: Case, index: number): Resource {
  const gates = gatesOf(rulesOf(ruleText(given)).traffic, given.prefix);
  const routes = [
    ...gates.map((match) => answer(match, 'asked')),
    answer(pathMatch(given.prefix), 'passed'),
    answer({ prefix: '/' }, 'elsewhere'),
  ];
  return { name: `case-${index}`, domains: [`case-${index}`], routes };
}

function patternHost([pattern]: readonly [string, string], index: number): Resource {
  const headers = [{ name: 'x', string_match: { safe_regex: { regex: patternInBytes(pattern) } } }];
  const routes = [answer({ prefix: '/', headers }, 'asked'), answer({ prefix: '/' }, 'passed')];
  return { name: `pattern-${index}`, domains: [`pattern-${index}`], routes };
}

function answer(match: Resource, text: Answer): Resource {
  return { match, direct_response: { status: 200, body: { inline_string: text } } };
}

function bootstrap(hosts: readonly Resource[]): Resource {
  const nobody = { name: 'nobody', domains: ['*'], routes: [answer({ prefix: '/' }, 'elsewhere')] };
  const manager = {
    '@type': typeUrl('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'gate',
    delayed_close_timeout: '0s',
    route_config: { name: 'gate', vhost_header: 'x-case', virtual_hosts: [...hosts, nobody] },
    http_filters: [{ name: 'router', typed_config: { '@type': typeUrl('extensions.filters.http.router.v3.Router') } }],
  };
  const listener = {
    name: 'gate',
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    filter_chains: [{ filters: [{ name: 'manager', typed_config: manager }] }],
  };
  return {
    layered_runtime: { layers: [{ name: 'static', static_layer: runtime }] },
    static_resources: { listeners: [listener] },
  };
}

/** By hand, because Node's client would refuse or change some of the bytes. */
function send({ method = 'GET', host = 'shop.example', path, headers }: Sent, name: string): Promise<string> {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `host: ${host}`,
    `x-case: ${name}`,
    'connection: close',
    ...headers.map((line) => line.join(': ')),
  ];
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.setTimeout(2_000, () => socket.destroy(new Error(`no answer to ${JSON.stringify(lines)}`)));
    socket.on('close', () => {
      const [head = '', body = ''] = text.split('\r\n\r\n');
      resolve(head.startsWith('HTTP/1.1 200') ? body : (head.split('\r\n')[0] ?? ''));
    });
  });
}
