// Applications that pick for themselves: resolved through a real Nacos, called by address, and in their lane all the same.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findNacos, type Installed } from '../../src/demo/nacos/install.ts';
import { launchNacos } from '../../src/demo/nacos/launch.ts';
import { createNetwork, type Network } from '../../src/demo/pods/network.ts';
import { environment } from '../../src/demo/pods/support.ts';
import { findEnvoy } from '../../src/supervisor/binary/find.ts';
import { packageFolder } from '../nacos/package.ts';
import type { Ask, Calls } from './picker.ts';
import { applicationUid, describePods, installedBackends, redirect } from './pods.ts';
import { labelKey, startSidecar } from './sidecar.ts';

const baseCalls = 10_000;
const grayCalls = 2_000;
const instances = ['b-1', 'b-2', 'b-gray-1', 'b-gray-2'] as const;
const pods = ['a', ...instances] as const;

const nacos: Installed | string = await findNacos().catch((error: unknown) => String(error));
if (typeof nacos === 'string') console.error(`SKIPPED: tests of picks: ${nacos}`);
const [backend = 'nft'] = installedBackends;

(typeof nacos === 'string' ? describe.skip : describePods)(
  'applications that pick instances themselves, by Nacos',
  () => {
    let network: Network;
    let folder: string;
    const applications = new Map<string, Application>();
    const ask = <T>(pod: string, what: Ask) => applications.get(pod)?.ask(what) as Promise<T>;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'lanekeeper-picks-test-'));
      chmodSync(folder, 0o755);
      network = await createNetwork({ pods: ['registry', ...pods], services: [] });
      const place = { port: 8848, home: join(folder, 'nacos'), address: '0.0.0.0' };
      const registry = await launchNacos(nacos as Installed, place, (argv) => network.pod('registry').command(0, argv));
      console.log(`picks: ${registry.kind}`);
      const server = `${network.pod('registry').address}:${registry.port}`;
      const packages = await packageFolder();
      for (const pod of pods) applications.set(pod, await startPicker(network, pod, server, packages));
      for (const pod of instances) {
        const metadata = pod.includes('gray') ? { [labelKey]: 'gray' } : {};
        await ask(pod, { kind: 'register', service: 'b', ip: network.pod(pod).address, metadata });
      }
      while (!(await ask<boolean>('a', { kind: 'resolve', service: 'b', count: instances.length }))) await sleep(200);
      const envoy = await findEnvoy({ envoy: undefined, say: console.log });
      for (const pod of pods) {
        const service = pod === 'a' ? 'a' : 'b';
        await startSidecar({ network, pod, envoy, folder, service, source: ['--nacos', server] });
        expect(await redirect(network, pod, ['--backend', backend])).toMatchObject({ code: 0, err: '' });
      }
    }, 300_000);
    afterAll(async () => {
      await network?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    test(`base: ${baseCalls} calls, 0 on gray instances, and a pick of base is kept`, async () => {
      const { answers, kept } = await ask<Calls>('a', { kind: 'calls', service: 'b', count: baseCalls, headers: {} });
      console.log(JSON.stringify({ answers, kept }));
      expect(Object.keys(answers).sort()).toEqual(['b-1', 'b-2']);
      expect(Object.values(answers).reduce((sum, count) => sum + count, 0)).toBe(baseCalls);
      for (const name of ['b-1', 'b-2']) expect(kept[name]?.kept).toBe(kept[name]?.picked);
      for (const name of ['b-gray-1', 'b-gray-2']) expect(kept[name]?.picked, 'it was picked').toBeGreaterThan(0);
    }, 120_000);

    test(`gray: ${grayCalls} calls, all on gray instances, and a pick of gray is kept`, async () => {
      const headers = { 'x-opensergo-traffic': 'gray' };
      const { answers, kept } = await ask<Calls>('a', { kind: 'calls', service: 'b', count: grayCalls, headers });
      console.log(JSON.stringify({ answers, kept }));
      expect(Object.keys(answers).sort()).toEqual(['b-gray-1', 'b-gray-2']);
      for (const name of ['b-gray-1', 'b-gray-2']) expect(kept[name]?.kept).toBe(kept[name]?.picked);
    }, 120_000);

    test('a pick that is dead, and registered still, is answered by another of its lane', async () => {
      applications.get('b-1')?.kill();
      applications.get('b-gray-1')?.kill();
      const base = await ask<Calls>('a', { kind: 'calls', service: 'b', count: 300, headers: {} });
      expect(base.answers).toEqual({ 'b-2': 300 });
      const headers = { 'x-opensergo-traffic': 'gray' };
      const gray = await ask<Calls>('a', { kind: 'calls', service: 'b', count: 300, headers });
      expect(gray.answers).toEqual({ 'b-gray-2': 300 });
    }, 60_000);

    test('without the rules the same application reaches gray instances: the test can fail', async () => {
      expect(await redirect(network, 'a', ['--remove'])).toMatchObject({ code: 0 });
      const { answers } = await ask<Calls>('a', { kind: 'calls', service: 'b', count: 200, headers: {} });
      expect(Object.keys(answers)).toEqual(expect.arrayContaining(['b-gray-2']));
      expect(await redirect(network, 'a', ['--backend', backend])).toMatchObject({ code: 0, err: '' });
    }, 60_000);
  },
);

type Application = { ask(what: Ask): Promise<unknown>; kill(): Promise<unknown> };

async function startPicker(network: Network, pod: string, registry: string, packages: string): Promise<Application> {
  const script = fileURLToPath(new URL('picker.ts', import.meta.url));
  const argv = [process.execPath, script, pod, registry, packages];
  const [program = '', ...args] = network.pod(pod).command(applicationUid, argv);
  const child: ChildProcess = spawn(program, args, {
    env: { ...environment(), HOME: tmpdir() },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('error', reject).once('exit', (code) => reject(new Error(`the application of ${pod}: ${code}`)));
  });
  const open = new Map<number, PromiseWithResolvers<unknown>>();
  child.on('message', ({ id, value, error }: { id: number; value?: unknown; error?: string }) => {
    if (error === undefined) open.get(id)?.resolve(value);
    else open.get(id)?.reject(new Error(`${pod}: ${error}`));
  });
  let last = 0;
  return {
    kill() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      return gone;
    },
    ask(what) {
      const id = ++last;
      const answer = Promise.withResolvers<unknown>();
      open.set(id, answer);
      child.send({ id, ask: what });
      return answer.promise;
    },
  };
}
