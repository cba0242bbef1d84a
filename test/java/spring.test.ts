// Spring Cloud with Nacos, unchanged: its own load balancer picks, and every call is in its lane all the same.
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findNacos, type Installed } from '../../src/demo/nacos/install.ts';
import { launchNacos } from '../../src/demo/nacos/launch.ts';
import { createNetwork, type Network } from '../../src/demo/pods/network.ts';
import { environment } from '../../src/demo/pods/support.ts';
import { findEnvoy } from '../../src/supervisor/binary/find.ts';
import { applicationUid, describePods, installedBackends, redirect, runIn } from '../pods/pods.ts';
import { labelKey, startSidecar } from '../pods/sidecar.ts';
import { buildApplication } from './build.ts';

const baseCalls = 2_000;
const grayCalls = 500;
const port = 8080;

/** By argument Spring keeps the slash only in brackets; by environment without them it drops it: both are seen in the wild. */
const metadata = `spring.cloud.nacos.discovery.metadata`;
const instances: Readonly<Record<string, { args?: readonly string[]; env?: Readonly<Record<string, string>> }>> = {
  'b-1': {},
  'b-2': {},
  'b-gray-1': { args: [`--${metadata}.[${labelKey}]=gray`] },
  'b-gray-2': { env: { SPRING_APPLICATION_JSON: JSON.stringify({ [`${metadata}.${labelKey}`]: 'gray' }) } },
};
const pods = ['a', ...Object.keys(instances)];

const parts = await Promise.all([findNacos(), buildApplication()]).catch((error: unknown) => String(error));
if (typeof parts === 'string') console.error(`SKIPPED: tests of Spring Cloud need java 17 and mvn: ${parts}`);
const [backend = 'nft'] = installedBackends;

(typeof parts === 'string' ? describe.skip : describePods)('Spring Cloud applications with Nacos', () => {
  let network: Network;
  let folder: string;

  beforeAll(async () => {
    const [nacos, jar] = parts as [Installed, string];
    folder = mkdtempSync(join(tmpdir(), 'lanekeeper-spring-test-'));
    chmodSync(folder, 0o755);
    network = await createNetwork({ pods: ['registry', ...pods], services: [] });
    const place = { port: 8848, home: join(folder, 'nacos'), address: '0.0.0.0' };
    await launchNacos(nacos, place, (argv) => network.pod('registry').command(0, argv));
    const server = `${network.pod('registry').address}:8848`;
    for (const pod of pods) startApplication(pod, jar, server);
    await eventually('all instances of b', async () => (await ask('/instances')) === '4');
    const envoy = await findEnvoy({ envoy: undefined, say: console.log });
    for (const pod of pods) {
      const service = pod === 'a' ? 'a' : 'b';
      await startSidecar({ network, pod, envoy, folder, service, source: ['--nacos', server] });
      expect(await redirect(network, pod, ['--backend', backend])).toMatchObject({ code: 0, err: '' });
    }
  }, 400_000);
  afterAll(async () => {
    await network?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What the application a answers, asked from its own pod. */
  async function ask(path: string): Promise<string> {
    const script = 'fetch(process.argv[1]).then(async (a) => process.stdout.write(await a.text()))';
    const argv = [process.execPath, '-e', script, `http://127.0.0.1:${port}${path}`];
    return (await runIn(network, 'a', applicationUid, argv)).out;
  }

  async function calls(path: string): Promise<Record<string, number>> {
    const answers = JSON.parse(await ask(path)) as Record<string, number>;
    console.log(path, JSON.stringify(answers));
    return answers;
  }

  function startApplication(pod: string, jar: string, server: string): void {
    const home = join(folder, 'home', pod);
    mkdirSync(home, { recursive: true });
    chmodSync(home, 0o777);
    const { args = [], env = {} } = instances[pod] ?? {};
    const jvm = ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', `-Duser.home=${home}`];
    const settings = {
      member: pod,
      'server.port': port,
      'spring.application.name': pod === 'a' ? 'a' : 'b',
      'spring.cloud.nacos.discovery.server-addr': server,
      'spring.cloud.nacos.discovery.ip': network.pod(pod).address,
    };
    const words = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
    const argv = ['/usr/bin/env', 'java', ...jvm, '-jar', jar, ...words, ...args];
    const [program = '', ...rest] = network.pod(pod).command(applicationUid, argv);
    spawn(program, rest, { env: { ...environment(), ...env }, stdio: 'ignore', cwd: home });
  }

  test(`base: ${baseCalls} calls, 0 on gray instances`, async () => {
    const answers = await calls(`/calls?count=${baseCalls}`);
    expect(Object.keys(answers).sort()).toEqual(['b-1', 'b-2']);
    expect(Object.values(answers).reduce((sum, count) => sum + count, 0)).toBe(baseCalls);
  }, 120_000);

  test(`gray: ${grayCalls} calls, all on gray instances, whichever spelling their label has`, async () => {
    const answers = await calls(`/calls?count=${grayCalls}&label=gray`);
    expect(Object.keys(answers).sort()).toEqual(['b-gray-1', 'b-gray-2']);
  }, 120_000);

  test('without the rules the same application reaches gray instances: the test can fail', async () => {
    expect(await redirect(network, 'a', ['--remove'])).toMatchObject({ code: 0 });
    const answers = await calls('/calls?count=100');
    expect(Object.keys(answers)).toEqual(expect.arrayContaining(['b-gray-1', 'b-gray-2']));
  }, 60_000);
});

async function eventually(what: string, isThere: () => Promise<boolean>): Promise<void> {
  for (const until = performance.now() + 180_000; !(await isThere().catch(() => false)); await sleep(500))
    if (performance.now() > until) throw new Error(`${what}: not within three minutes`);
}
