// Pods as a cluster has them: the application, Envoy as another user, and the rules laid by lanekeeper redirect.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createNetwork, type Network } from '../../src/demo/pods/network.ts';
import { environment } from '../../src/demo/pods/support.ts';
import { findEnvoy } from '../../src/supervisor/binary/find.ts';
import { type Answer, type Ask, ports } from './application.ts';
import { applicationUid, describePods, installedBackends, redirect, runIn, startIn } from './pods.ts';
import { showServices, startSidecar } from './sidecar.ts';

const pods = ['a', 'b', 'b-gray', 'outside', 'data'] as const;
type PodName = (typeof pods)[number];
const withEnvoy: readonly PodName[] = ['a', 'b', 'b-gray'];

const has = (program: string): boolean => {
  const found = (() => {
    try {
      return execFileSync('sh', ['-c', `command -v ${program}`], { env: environment() }).length > 0;
    } catch {
      return false;
    }
  })();
  if (!found) console.error(`SKIPPED: ${program} is not here (Debian: packages mariadb-server-core, redis-server)`);
  return found;
};
const mariadb = has('mariadbd') && has('mariadb');
const redis = has('redis-server');
const mariadbWords = ['/usr/bin/env', 'mariadb', '--no-defaults', '--comments', '-P', '3306', '-u', 'root'];
const ofBase = `/*traceparent='00-${'b'.repeat(32)}-b7ad6b7169203331-01'*/`;

describePods.each(installedBackends)('pods whose connections %s leads through Envoy', (backend) => {
  let network: Network;
  let folder: string;
  const applications = new Map<PodName, Application>();
  const sidecars = new Map<PodName, Sidecar>();
  const ask = (pod: PodName, what: Ask) => application(pod).ask(what);
  const application = (pod: PodName) => applications.get(pod) as Application;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lanekeeper-pods-test-'));
    chmodSync(folder, 0o755);
    network = await createNetwork({
      pods,
      services: [
        { name: 'b', port: 80, targetPort: ports.http, pods: ['b', 'b-gray'] },
        { name: 'b-grpc', port: ports.grpc, targetPort: ports.grpc, pods: ['b', 'b-gray'] },
        { name: 'data', port: 3306, targetPort: 3306, pods: ['data'] },
        { name: 'greeting', port: ports.greeting, targetPort: ports.greeting, pods: ['data'] },
      ],
    });
    await Promise.all(pods.map(async (pod) => applications.set(pod, await startApplication(network, pod))));
    // As before an injection, and before the kernel tracks anything in this pod.
    expect(await ask('a', { kind: 'open', host: network.pod('data').address6, port: ports.greeting })).toMatchObject({
      body: 'welcome to data',
    });
    const envoy = await findEnvoy({ envoy: undefined, say: console.log });
    showServices(network, folder);
    for (const pod of withEnvoy) sidecars.set(pod, await startSidecar({ network, pod, envoy, folder }));
    for (const pod of withEnvoy)
      expect(await redirect(network, pod, ['--backend', backend])).toMatchObject({ code: 0, err: '' });
  }, 120_000);
  afterAll(async () => {
    await network?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('a connection that is older than the rules lives', async () => {
    expect(await ask('a', { kind: 'say', text: 'still here' })).toMatchObject({ body: 'still here' });
  });

  test.each(['address', 'address6'] as const)(
    'HTTP to a service goes to its lane, else to base (%s)',
    async (family) => {
      const url = `http://${inUrl(network.service('b')[family])}/`;
      for (const [label, name] of [
        ['gray', 'b-gray'],
        ['none', 'b'],
        ['gray', 'b-gray'],
        ['none', 'b'],
      ] as const) {
        const headers = { host: 'b', 'x-opensergo-traffic': label };
        const { status, body } = await ask('a', { kind: 'http', url, headers });
        // By Envoy of the called pod, over either family: its application sees the sign of it.
        const peer = expect.stringMatching(/^(127\.0\.0\.6|::6)$/);
        expect([status, JSON.parse(body)]).toEqual([200, { name, host: 'b', peer }]);
      }
    },
  );

  test('HTTP by name goes the same way', async () => {
    for (const host of ['b', 'b.demo', 'b.demo.svc.cluster.local'])
      expect(JSON.parse((await ask('a', { kind: 'http', url: `http://${host}/` })).body)).toMatchObject({
        name: 'b',
        host,
      });
  });

  test('an instance that the client picked itself is kept where its lane is right, and replaced where it is wrong', async () => {
    for (const [family, peer] of [
      ['address', '127.0.0.6'],
      ['address6', '::6'],
    ] as const)
      for (const [picked, label, name] of [
        ['b', undefined, 'b'],
        ['b', 'gray', 'b-gray'],
        ['b-gray', 'gray', 'b-gray'],
        ['b-gray', undefined, 'b'],
      ] as const) {
        const host = `${inUrl(network.pod(picked)[family])}:${ports.http}`;
        const headers = label === undefined ? {} : { 'x-opensergo-traffic': label };
        const { status, body } = await ask('a', { kind: 'http', url: `http://${host}/`, headers });
        expect([status, JSON.parse(body).name, JSON.parse(body).host]).toEqual([200, name, host]);
        if (picked === name) expect(JSON.parse(body).peer).toBe(peer);
      }
  });

  test('what is about one instance is left to it, whatever the lane', async () => {
    const url = `http://${network.pod('b-gray').address}:${ports.http}/actuator/health`;
    expect(JSON.parse((await ask('a', { kind: 'http', url })).body).name).toBe('b-gray');
  });

  test('who has no Envoy is spread by the service over every version, and comes in by the Envoy of the pod', async () => {
    for (const [family, peer] of [
      ['address', '127.0.0.6'],
      ['address6', '::6'],
    ] as const) {
      const url = `http://${inUrl(network.service('b')[family])}/`;
      const answers = [await ask('outside', { kind: 'http', url }), await ask('outside', { kind: 'http', url })];
      const bodies = answers.map(({ body }) => JSON.parse(body));
      expect(bodies.map(({ name }) => name).sort()).toEqual(['b', 'b-gray']);
      expect(bodies.map((body) => body.peer)).toEqual([peer, peer]);
    }
  });

  test('h2c stays h2c on its whole way', async () => {
    const url = `http://${network.pod('b').address}:${ports.http2}/`;
    const { status, body } = await ask('a', { kind: 'http2', url });
    expect([status, JSON.parse(body)]).toMatchObject([200, { name: 'b', peer: '127.0.0.6' }]);
  });

  test('gRPC goes to its lane call by call, on one connection', async () => {
    for (const target of [network.service('b-grpc').address, `[${network.service('b-grpc').address6}]`]) {
      const call = (label?: string) =>
        ask('a', {
          kind: 'grpc',
          target: `ipv${target.startsWith('[') ? 6 : 4}:${target}:${ports.grpc}`,
          authority: 'b-grpc',
          message: 'hello',
          ...(label && { label }),
        });
      expect((await call('gray')).body).toBe('b-gray:hello');
      expect((await call()).body).toBe('b:hello');
      expect((await call('gray')).body).toBe('b-gray:hello');
    }
  });

  test('a pod that calls its own service reaches itself through its Envoy, once', async () => {
    const own = await ask('b', { kind: 'http', url: 'http://b/' });
    const peer = expect.stringMatching(/^(127\.0\.0\.6|::6)$/);
    expect([own.status, JSON.parse(own.body)]).toEqual([200, { name: 'b', host: 'b', peer }]);
    const other = await ask('b', { kind: 'http', url: 'http://b/', headers: { 'x-opensergo-traffic': 'gray' } });
    expect(JSON.parse(other.body)).toMatchObject({ name: 'b-gray' });
    for (const host of [network.pod('b').address, `[${network.pod('b').address6}]`, '127.0.0.1', '[::1]']) {
      const { body } = await ask('b', { kind: 'http', url: `http://${host}:${ports.http}/` });
      expect(JSON.parse(body)).toMatchObject({ name: 'b', peer: host.replace(/[[\]]/g, '') });
    }
  });

  test.each(['address', 'address6'] as const)('a server that speaks first is heard at once (%s)', async (family) => {
    for (const host of [network.pod('data')[family], network.service('greeting')[family]]) {
      const { body, ms } = await ask('a', { kind: 'open', host, port: ports.greeting });
      expect(body).toBe('welcome to data');
      expect(ms).toBeLessThan(1_000);
      expect((await ask('a', { kind: 'say', text: 'thank you' })).body).toBe('thank you');
    }
    const inward = await ask('outside', { kind: 'open', host: network.pod('b')[family], port: ports.greeting });
    expect(inward.body).toBe('welcome to b');
    expect(inward.ms).toBeLessThan(1_000);
  });

  test.runIf(mariadb)(
    'MariaDB answers through Envoy',
    async () => {
      await startMariadb(network, folder);
      for (const host of [network.service('data').address, network.service('data').address6]) {
        const greeting = await ask('a', { kind: 'open', host, port: 3306 });
        expect(greeting.body).toContain('MariaDB');
        expect(greeting.ms).toBeLessThan(1_000);
        const argv = [...mariadbWords, '-h', host, '-Ne', 'select 6*7'];
        expect(await runIn(network, 'a', applicationUid, argv)).toMatchObject({ code: 0, out: '42\n' });
      }
    },
    60_000,
  );

  test.runIf(mariadb)(
    'what a gray pod writes to MariaDB is in its shadow alone, and base is asked for a carrier, whatever the address',
    async () => {
      const query = (pod: PodName, host: string, sql: string) =>
        runIn(network, pod, applicationUid, [...mariadbWords, '-h', host, '-Ne', sql]);
      const { address } = network.service('data');
      const table = '(location varchar(20))';
      const made = `create database shop; use shop; create table orders${table}; create table orders_gray${table}`;
      expect(await query('outside', network.pod('data').address, made)).toMatchObject({ code: 0 });
      for (const host of [address, network.service('data').address6, network.pod('data').address6]) {
        expect(await query('b-gray', host, "insert into shop.orders values ('gray')")).toMatchObject({
          code: 0,
          err: '',
        });
        // It has served labelled requests by now: what says nothing might be theirs.
        const silent = await query('b', host, "insert into shop.orders values ('silent')");
        expect([silent.code, silent.err]).toEqual([1, expect.stringContaining('lanekeeper: unattributed')]);
        expect(await query('b', host, `insert into shop.orders values ('base') ${ofBase}`)).toMatchObject({
          code: 0,
          err: '',
        });
      }
      expect(await query('b-gray', address, 'select distinct location from shop.orders')).toMatchObject({
        out: 'gray\n',
      });
      const rows =
        'select location, count(*) from shop.orders group by 1; select location, count(*) from shop.orders_gray group by 1';
      expect((await query('outside', network.pod('data').address, rows)).out).toBe('base\t3\ngray\t3\n');
      const refused = await query('b-gray', address, 'update mysql.user set user=1');
      expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('lanekeeper')]);
    },
  );

  test.runIf(redis)('Redis answers through Envoy', async () => {
    const argv = [
      '/usr/bin/env',
      'redis-server',
      '--port',
      '6379',
      '--bind',
      '0.0.0.0',
      '::',
      '--protected-mode',
      'no',
      '--save',
      '',
    ];
    await startIn(network, 'data', applicationUid, argv, 'Ready to accept connections');
    const { body } = await ask('a', { kind: 'open', host: network.pod('data').address, port: 6379, send: 'PING\r\n' });
    expect(body).toBe('+PONG\r\n');
  });

  // Last but one, because it takes a pod away.
  test('a pod is drained without a lost request: out of the registry, then SIGTERM', async () => {
    const url = `http://${network.service('b').address}/`;
    const answers = new Map<string, number>();
    let ended = false;
    const load = Array.from({ length: 4 }, async () => {
      while (!ended) {
        const { status, body } = await ask('a', { kind: 'http', url, headers: { 'x-opensergo-traffic': 'gray' } });
        const who = status === 200 ? JSON.parse(body).name : `${status} ${body}`;
        answers.set(who, (answers.get(who) ?? 0) + 1);
      }
    });
    await vi.waitFor(() => expect(answers.get('b-gray')).toBeGreaterThan(100), { timeout: 20_000 });
    showServices(network, folder, ['b-gray']);
    await vi.waitFor(() => expect(answers.get('b')).toBeGreaterThan(100), { timeout: 20_000 });
    const { process: leaving } = sidecars.get('b-gray') as Sidecar;
    const exited = new Promise((resolve) => leaving.once('exit', resolve));
    leaving.kill('SIGTERM');
    expect(await exited).toBe(0);
    ended = true;
    await Promise.all(load);
    expect([...answers.keys()].sort()).toEqual(['b', 'b-gray']);
  }, 60_000);

  test('who connects to the ports of Envoy itself is cut off, without a loop', async () => {
    const { address, address6 } = network.pod('a');
    const attempts: [PodName, string][] = [
      ['a', '127.0.0.1'],
      ['a', '::1'],
      ['a', address],
      ['outside', address],
      ['outside', address6],
    ];
    const before = await connections(sidecars.get('a') as Sidecar);
    for (const [pod, host] of attempts)
      for (const port of [15001, 15006]) {
        const { status, body } = await ask(pod, { kind: 'open', host, port, send: 'hello' });
        expect([status, body]).toEqual([0, expect.stringMatching(/closed|ECONNRESET|ECONNREFUSED|EPIPE/)]);
      }
    // All but that to its own address at 15001, where nobody listens. Envoy may cut a connection before it counts it.
    const taken = async () => (await connections(sidecars.get('a') as Sidecar)) - before;
    await vi.waitFor(async () => expect(await taken()).toBe(attempts.length * 2 - 1));
  });
});

/** How many connections the two listeners of an Envoy have taken. */
async function connections({ admin }: Sidecar): Promise<number> {
  const body = await admin.get('/stats?filter=^listener.*downstream_cx_total$');
  return [...body.matchAll(/^listener\.[^w]*_150\d\d\.downstream_cx_total: (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
}

type Sidecar = Awaited<ReturnType<typeof startSidecar>>;

type Application = { ask(what: Ask): Promise<Answer> };

async function startApplication(network: Network, pod: PodName): Promise<Application> {
  const script = fileURLToPath(new URL('application.ts', import.meta.url));
  const [program = '', ...args] = network.pod(pod).command(applicationUid, [process.execPath, script, pod]);
  const child: ChildProcess = spawn(program, args, { env: environment(), stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child
      .once('error', reject)
      .once('exit', (code) => reject(new Error(`the application of ${pod} ended with ${code}`)));
  });
  const open = new Map<number, (answer: Answer) => void>();
  child.on('message', ({ id, answer }: { id: number; answer: Answer }) => open.get(id)?.(answer));
  let last = 0;
  return {
    ask(what) {
      const id = ++last;
      return new Promise((resolve) => {
        open.set(id, resolve);
        child.send({ id, ask: what });
      });
    },
  };
}

async function startMariadb(network: Network, folder: string): Promise<void> {
  const data = join(folder, 'mariadb');
  mkdirSync(data);
  chmodSync(data, 0o777);
  // It runs as root only where it is told to, and where all are one user, that one is root.
  const user = network.kind === 'single user' ? ['--user=root'] : [];
  const paths = [`--datadir=${data}`, `--socket=${data}/socket`, `--pid-file=${data}/pid`];
  const argv = [
    '/usr/bin/env',
    'mariadbd',
    '--no-defaults',
    ...user,
    ...paths,
    '--bind-address=*',
    '--skip-grant-tables',
  ];
  await startIn(network, 'data', applicationUid, [...argv, '--innodb-flush-method=fsync'], 'ready for connections');
}

function inUrl(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
