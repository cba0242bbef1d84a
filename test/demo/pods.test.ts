// The demo in pods: the rows of the plain one, with nothing in the applications' settings but names of services.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { articleRules } from '../../src/demo/demo.ts';
import { freePorts } from '../../src/demo/topology.ts';
import { applicationUid, describePods, envoyUid, kind, processesIn } from '../pods/pods.ts';
import { type Command, folderOf, interrupt, processesOf, startCommand } from './command.ts';

// Each test starts a demo of 37 processes, or two.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const base = 'A[base] -> B[base] -> C[base]';
const gray = 'A[gray] -> B[gray] -> C[gray]';
const shenzhen = { location: 'cn-shenzhen' };
const labelled = { 'x-opensergo-traffic': 'gray' };

describePods('the article in pods', () => {
  let demo: Command;
  beforeAll(async () => {
    demo = await startCommand(['--pods', '--access-log']);
  });
  afterAll(() => demo && interrupt(demo));
  const file = (name: string) => join(folderOf(demo.port), name);

  /** What a program in that pod is answered. */
  const callFrom = (pod: string, url: string, headers: Record<string, string> = {}) => {
    const script =
      'fetch(process.argv[1], { headers: JSON.parse(process.argv[2]) }).then(async (a) => console.log(await a.text()))';
    return inPod(pod, [process.execPath, '-e', script, url, JSON.stringify(headers)]);
  };
  const inPod = (pod: string, argv: readonly string[]) =>
    execFileSync(file(join('pods', pod)), argv, { encoding: 'utf8', timeout: 20_000 }).trim();
  const instance = (name: string) => `http://${new RegExp(`(\\S+) \\(${name}\\)`).exec(demo.output())?.[1]}/`;

  test('base answers through base, gray through gray, and a spoofed label goes to base', async () => {
    // Gray first: the node gives the first call to a service to its base pod.
    expect(await demo.chain(shenzhen)).toBe(gray);
    expect(await demo.chain()).toBe(base);
    expect(await demo.chain(labelled)).toBe(base);
    expect(await demo.chain({ baggage: 'OpenSergo-Label=gray' })).toBe(base);
  });

  test('a service called by its name goes to the lane of the label, else of who calls', () => {
    for (const _ of [1, 2]) {
      expect(callFrom('a-base', 'http://b/')).toBe('B[base] -> C[base]');
      expect(callFrom('a-base', 'http://b/', labelled)).toBe('B[gray] -> C[gray]');
      expect(callFrom('a-gray', 'http://b/')).toBe('B[gray] -> C[gray]');
    }
  });

  test.each([
    ['a-base', 'b-base', {}, 'B[base] -> C[base]'],
    ['a-base', 'b-gray', {}, 'B[base] -> C[base]'],
    ['a-base', 'b-base', labelled, 'B[gray] -> C[gray]'],
    ['a-base', 'b-gray', labelled, 'B[gray] -> C[gray]'],
    ['a-gray', 'b-base', {}, 'B[gray] -> C[gray]'],
    ['b-base', 'c-gray', {}, 'C[base]'],
  ] as const)('%s picks %s by its address with %j, and is answered by %s', (caller, picked, headers, answer) => {
    expect(callFrom(caller, instance(picked), headers)).toBe(answer);
  });

  test.runIf(kind !== 'single user')('the application and the sidecar of a pod are two users without any power', () => {
    const [sidecar = ''] = processesOf(demo.port).filter((line) => line.includes('--name a-base '));
    const pids = processesIn(networkOf(sidecar));
    const users = inPod('a-base', ['ps', '-o', 'uid=,args=', '-p', pids.join(',')]).split('\n');
    const userOf = (part: string) =>
      users.filter((line) => line.includes(part)).map((line) => Number.parseInt(line, 10));
    expect(userOf('/apps/a.')).toEqual([applicationUid]);
    expect(userOf(' sidecar --name a-base ')).toEqual([envoyUid]);
    expect(userOf(`--config-path ${file('a-base')}/`)).toEqual([envoyUid]);
  });

  test('what passes an Envoy is in the access log', async () => {
    await demo.chain(shenzhen);
    const lines = () => readFileSync(file('access.log'), 'utf8');
    await vi.waitFor(() => expect(lines()).toContain('"cluster":"c|gray+"'), { timeout: 15_000 }); // Envoy writes late
  });

  test('Ctrl-C leaves nothing: no process, no namespace, no file', async () => {
    const namespaces = networksOf(demo.port);
    expect(namespaces.length).toBe(7);
    expect(await interrupt(demo)).toBe(0);
    expect(processesOf(demo.port)).toEqual([]);
    expect(namespaces.flatMap(processesIn)).toEqual([]);
    expect(existsSync(folderOf(demo.port))).toBe(false);
  });
});

describePods('the demo in pods', () => {
  test.each([
    [['--without', 'c:gray'], 'A[gray] -> B[gray] -> C[base]'],
    [['--without', 'b:gray'], 'A[gray] -> B[base] -> C[gray]'],
    [['--without', 'a:gray', '--without', 'c:gray'], 'A[base] -> B[gray] -> C[base]'],
  ])('carries the label through base applications: %j', async (args, chain) => {
    const demo = await startCommand(['--pods', ...args]);
    try {
      expect(await demo.chain(shenzhen)).toBe(chain);
      expect(await demo.chain()).toBe(base);
    } finally {
      expect(await interrupt(demo)).toBe(0);
    }
  });

  test('beside another one: each goes by its own settings, and with propagation off the gray rows go red', async () => {
    const without = ['--pods', '--without', 'a:gray', '--without', 'c:gray'];
    const demos = await Promise.all([startCommand(without), startCommand([...without, '--propagation', 'header'])]);
    try {
      const chains = await Promise.all(demos.map((demo) => demo.chain(shenzhen)));
      expect(chains).toEqual(['A[base] -> B[gray] -> C[base]', base]);
    } finally {
      expect(await Promise.all(demos.map(interrupt))).toEqual([0, 0]);
    }
  });

  test('that was killed hard leaves nothing that the next one does not clear', async () => {
    const first = await startCommand(['--pods', '--without', 'c:gray']);
    const processes = networksOf(first.port).flatMap(processesIn);
    expect(processes.length).toBeGreaterThan(6 * 4);
    first.child.kill('SIGKILL');
    await first.exited;
    const second = await startCommand(['--pods'], first.port);
    try {
      expect(processes.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
      expect(await second.chain(shenzhen)).toBe(gray);
    } finally {
      expect(await interrupt(second)).toBe(0);
    }
    expect(processesOf(first.port)).toEqual([]);
    expect(existsSync(folderOf(first.port))).toBe(false);
  });

  test('takes rules that only their owner may read, with a single user in the pods', async () => {
    const rules = mkdtempSync(join(tmpdir(), 'lanekeeper-rules-'));
    cpSync(articleRules, rules, { recursive: true });
    const file = join(rules, 'traffic-label-rule.yaml');
    chmodSync(rules, 0o755);
    chmodSync(file, 0o600);
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('cn-shenzhen', 'cn-hangzhou'));
    const demo = await startCommand(['--pods', '--rules', relative(process.cwd(), rules)]);
    try {
      expect(demo.output()).toContain('Making 7 pods (single user)');
      if (kind !== 'single user') expect(demo.output()).toContain(`: other users may not read ${file}\n`);
      expect(await demo.chain({ location: 'cn-hangzhou' })).toBe(gray);
      expect(await demo.chain(shenzhen)).toBe(base);
    } finally {
      expect(await interrupt(demo)).toBe(0);
      rmSync(rules, { recursive: true, force: true });
    }
  });

  test('says what a machine lacks that can have none, with exit code 1, and leaves nothing', async () => {
    const [port = 0] = await freePorts(1);
    const starting = startCommand(['--pods'], port, { LANEKEEPER_PODS: 'none' });
    await expect(starting).rejects.toThrow(
      /^the demo ended \(1\):\nlanekeeper demo: --pods needs leave to make network namespaces: run as root, or /,
    );
    expect(existsSync(folderOf(port))).toBe(false);
  });
});

/** The network namespace of a line of `ps`. */
function networkOf(line: string): string {
  return readlinkSync(`/proc/${line.trim().split(' ')[0]}/ns/net`);
}

/** Those that a demo has made. */
function networksOf(port: number): string[] {
  const all = new Set(processesOf(port).map(networkOf));
  all.delete(readlinkSync('/proc/self/ns/net'));
  return [...all];
}
