// The network that the tests of pods stand on.
import { spawn } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createNetwork, type Network } from '../../src/demo/pods/network.ts';
import { applicationUid, call, describePods, kind, listen, processesIn, runIn } from './pods.ts';

describePods('a network of pods', () => {
  let network: Network;
  beforeAll(async () => {
    network = await createNetwork({
      pods: ['a', 'b', 'b-gray'],
      services: [
        { name: 'b', port: 80, targetPort: 8080, pods: ['b', 'b-gray'] },
        { name: 'a', port: 80, targetPort: 8080, pods: ['a'] },
        { name: 'nobody', port: 80, targetPort: 8080, pods: [] },
      ],
    });
    for (const pod of ['a', 'b', 'b-gray']) await listen(network, pod, applicationUid, ['::/8080']);
  });
  afterAll(() => network?.close());

  const from = { pod: 'a' };
  const sh = async (script: string) => (await runIn(network, 'a', applicationUid, ['sh', '-c', script])).out;

  test('joins pods by both families of addresses', async () => {
    const [a, b] = [network.pod('a'), network.pod('b')];
    expect(await call(network, from, b.address, 8080)).toBe(`8080 of ${b.address}:8080 by ${a.address}`);
    expect(await call(network, from, b.address6, 8080)).toBe(`8080 of [${b.address6}]:8080 by ${a.address6}`);
  });

  test.each(['address', 'address6'] as const)(
    'spreads a service over its pods, of every version (%s)',
    async (family) => {
      const turns = [1, 2, 3, 4].map(() => call(network, from, network.service('b')[family], 80));
      const pods = (await Promise.all(turns)).map((line) => line.split(' ')[2]).sort();
      const written = ['b', 'b-gray']
        .map((name) => network.pod(name)[family])
        .map((ip) => (ip.includes(':') ? `[${ip}]` : ip));
      expect(pods).toEqual([0, 0, 1, 1].map((index) => `${written[index]}:8080`));
    },
  );

  test.each(['address', 'address6'] as const)('lets a pod reach itself by its service (%s)', async (family) => {
    expect(await call(network, from, network.service('a')[family], 80)).toMatch(/^8080 of /);
  });

  test('refuses a service without pods at once', async () => {
    for (const address of [network.service('nobody').address, network.service('nobody').address6])
      expect(await call(network, from, address, 80)).toBe('failed: Connection refused');
  });

  test('knows services and pods by name, and nothing else of this machine', async () => {
    expect((await sh('cat /etc/hosts')).trim().split('\n').slice(0, 3)).toEqual([
      '127.0.0.1 localhost',
      '::1 localhost',
      `${network.service('b').address} b b.demo b.demo.svc.cluster.local`,
    ]);
    expect(await sh('cat /etc/resolv.conf')).toBe('');
    expect((await sh('getent ahostsv4 b-gray.pod')).split(' ')[0]).toBe(network.pod('b-gray').address);
    expect((await sh('ls /sys/class/net /proc/sys/net/ipv4/conf')).includes('pod1')).toBe(false);
  });

  test.runIf(kind !== 'single user')(
    'runs programs as the user that is asked for, without any capability',
    async () => {
      expect(await sh('id -u; id -g; id -G; grep -E "Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs" /proc/self/status')).toBe(
        [
          '1000',
          '1000',
          '1000',
          ...['Prm', 'Eff', 'Bnd', 'Amb'].map((set) => `Cap${set}:\t${'0'.repeat(16)}`),
          'NoNewPrivs:\t1',
          '',
        ].join('\n'),
      );
    },
  );

  test('that is not there says which are', () => {
    expect(() => network.pod('c')).toThrow('c is not in this network, which has a, b, b-gray');
    expect(() => network.service('c')).toThrow('c is not in this network, which has b, a, nobody');
  });
});

describePods('a network of pods leaves nothing behind', () => {
  test('when it is closed', async () => {
    const network = await createNetwork({ pods: ['a'], services: [] });
    const child = await listen(network, 'a', applicationUid, ['::/8080']);
    const namespace = readlinkSync(`/proc/${child.pid}/ns/net`);
    expect(processesIn(namespace).length).toBeGreaterThan(1);
    await network.close();
    expect(processesIn(namespace)).toEqual([]);
  });

  test('when who made it is killed', async () => {
    const script = `
      import { spawn } from 'node:child_process';
      import { createNetwork } from ${JSON.stringify(new URL('../../src/demo/pods/network.ts', import.meta.url).href)};
      const network = await createNetwork({ pods: ['a'], services: [] });
      const [program, ...args] = network.pod('a').command(${applicationUid}, ['sleep', '1000']);
      const child = spawn(program, args, { stdio: 'ignore', detached: true });
      setTimeout(() => console.log(child.pid), 200);`;
    const maker = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = await new Promise<number>((resolve, reject) => {
      maker.stdout.once('data', (data) => resolve(Number(data)));
      maker.once('exit', () => reject(new Error('the maker ended')));
    });
    const namespace = readlinkSync(`/proc/${pid}/ns/net`);
    expect(processesIn(namespace).length).toBeGreaterThan(1);
    maker.kill('SIGKILL');
    await vi.waitFor(() => expect(processesIn(namespace)).toEqual([]), { timeout: 5_000 });
    expect(readdirSync(tmpdir()).filter((name) => /^lanekeeper-pods-(?!test)/.test(name))).toEqual([]);
  });
});
