// Clients that reset every stream: Envoys without the graceful close do, and so may anybody.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, get } from 'node:http';
import http2 from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createDecider } from '../../src/decision/decide.ts';
import { freePorts } from '../../src/demo/topology.ts';
import { renderBootstrap } from '../../src/envoy/bootstrap.ts';
import { createRenderer } from '../../src/envoy/render.ts';
import { renderStandalone } from '../../src/envoy/standalone.ts';
import { externalProcessor, type ProcessingRequest } from '../../src/extproc/protocol.ts';
import { openServer, type ProcessorServer } from '../../src/extproc/server.ts';
import { createAssembler } from '../../src/mesh/assemble.ts';
import type { Workload } from '../../src/mesh/workload.ts';
import { envoyAdmin } from '../../src/supervisor/admin.ts';
import { findEnvoy } from '../../src/supervisor/binary/find.ts';

const streams = Number(process.env['SOAK_STREAMS'] ?? 100_000);
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const rules = `
apiVersion: traffic.opensergo.io/v1alpha1
kind: TrafficLabelRule
metadata: { name: gray }
spec: { trafficLabel: gray, match: [{ condition: "==", type: header, key: x-gray, value: "1" }] }`;

let folder: string;
let server: ProcessorServer;
let gateway: Workload;
let services: string;
const upstreams = ['base', 'gray'].map((lane) => createServer((_, response) => response.end(lane)));
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lanekeeper-resets-'));
  const ports = await Promise.all(
    upstreams.map(
      (upstream) =>
        new Promise<number>((resolve) =>
          upstream.listen(0, '127.0.0.1', () => resolve((upstream.address() as AddressInfo).port)),
        ),
    ),
  );
  const [port = 0] = await freePorts(1);
  gateway = {
    name: 'gateway',
    namespace: 'default',
    labels: {},
    propagation: 'trace',
    edgeTrace: 'strip',
    gateway: { address: '127.0.0.1', port },
    inbound: [],
    outbound: [],
  };
  services = `
apiVersion: lanekeeper.io/v1alpha1
kind: Service
metadata: { name: b }
spec:
  ports: [{ port: 80 }]
  paths: [/]
  instances:
  - { address: 127.0.0.1, port: ${ports[0]} }
  - { address: 127.0.0.1, port: ${ports[1]}, labels: { traffic.opensergo.io/label: gray } }`;
  const decider = createDecider({
    workload: gateway,
    memory: undefined,
    random: (bytes) => new Uint8Array(bytes).fill(1),
  });
  decider.use(mesh());
  server = await openServer({
    socket: join(folder, 'extproc.sock'),
    decide: (question) => ({ decision: decider.decide(question) }),
    onFailure: (error) => expect.fail(String(error)),
  });
  server.setServing(true);
});
afterAll(async () => {
  await server?.close(1_000);
  for (const upstream of upstreams) upstream.close();
  rmSync(folder, { recursive: true, force: true });
});

const mesh = () =>
  createAssembler()([
    { file: 'rules', text: rules },
    { file: 'services', text: services },
  ]).mesh;

/** Heap in use after a collection, in MB. */
function heapMb(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed / 1e6;
}

test(`${streams} streams that are reset after their answer: each answered, on one connection, with flat memory`, async () => {
  const definition = externalProcessor['Process'];
  const message: ProcessingRequest = {
    requestHeaders: {
      headers: {
        headers: [
          { key: ':path', rawValue: Buffer.from('/') },
          { key: 'x-gray', rawValue: Buffer.from('1') },
        ],
      },
    },
  };
  const payload = definition?.requestSerialize(message) ?? Buffer.alloc(0);
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, payload.length]), payload]);
  const session = http2.connect('http://localhost', { createConnection: () => connect(join(folder, 'extproc.sock')) });
  const ends: string[] = [];
  session
    .on('goaway', () => ends.push('goaway'))
    .on('close', () => ends.push('close'))
    .on('error', (error) => ends.push(String(error)));

  const once = () =>
    new Promise<void>((resolve, reject) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': definition?.path ?? '',
        'content-type': 'application/grpc',
        te: 'trailers',
        'lanekeeper-direction': 'gateway',
      });
      stream.on('error', reject).on('data', (data: Buffer) => {
        if (!data.includes('gray')) reject(new Error('no label'));
        stream.close(http2.constants.NGHTTP2_CANCEL);
      });
      stream.on('close', resolve);
      stream.write(frame);
    });
  const burst = async (count: number) => {
    for (let done = 0; done < count; done += 50) await Promise.all(Array.from({ length: 50 }, once));
  };
  await burst(5_000);
  const before = heapMb();
  await burst(streams - 5_000);
  const after = heapMb();
  console.log(`heap ${before.toFixed(1)} MB → ${after.toFixed(1)} MB over ${streams} streams`);
  expect(ends).toEqual([]);
  expect(after - before).toBeLessThan(10);
  session.destroy();
}, 600_000);

test(`${streams} requests of a stock Envoy, which resets every stream: 0 labels lost, on the connections that it had, with flat memory`, async () => {
  const paths = {
    adminSocket: join(folder, 'admin.sock'),
    processorSocket: join(folder, 'extproc.sock'),
    controlSocket: join(folder, 'xds.sock'),
    databaseSocket: join(folder, 'database.sock'),
    databaseExitSocket: join(folder, 'database-exit.sock'),
  };
  const bootstrap = renderStandalone(
    renderBootstrap({ workload: gateway, paths, remembering: false }),
    createRenderer(gateway, paths)(mesh()),
  );
  const text = JSON.stringify(bootstrap).replace(
    '"envoy.reloadable_features.ext_proc_graceful_grpc_close":true',
    '"envoy.reloadable_features.ext_proc_graceful_grpc_close":false',
  );
  writeFileSync(join(folder, 'stock.json'), text);
  expect(readFileSync(join(folder, 'stock.json'), 'utf8')).toContain('graceful_grpc_close":false');
  const envoy = spawn(
    await findEnvoy({ envoy: undefined, say: () => {} }),
    ['-c', join(folder, 'stock.json'), '--concurrency', '1', '--disable-hot-restart', '--log-level', 'error'],
    { stdio: 'inherit' },
  );
  const admin = envoyAdmin(paths.adminSocket);
  try {
    await vi.waitFor(
      async () => expect(await admin.get('/clusters')).toContain('extproc.sock::health_flags::healthy'),
      { timeout: 10_000 },
    );
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    const count: Record<string, number> = {};
    const once = () =>
      new Promise<void>((resolve, reject) => {
        get({ port: gateway.gateway?.port, agent, headers: { 'x-gray': '1' } }, (response) => {
          let body = '';
          response.on('data', (chunk) => {
            body += chunk;
          });
          response.on('end', () => {
            count[body] = (count[body] ?? 0) + 1;
            resolve();
          });
        }).on('error', reject);
      });
    const worker = async (times: number) => {
      for (let done = 0; done < times; done++) await once();
    };
    await Promise.all(Array.from({ length: 16 }, () => worker(300)));
    const before = heapMb();
    const rest = Math.ceil((streams - 16 * 300) / 16);
    await Promise.all(Array.from({ length: 16 }, () => worker(rest)));
    const after = heapMb();
    const stats = await admin.get(
      '/stats?filter=cluster.lane_processor.(upstream_cx_total|upstream_rq_tx_reset|upstream_cx_close_notify)$',
    );
    console.log(
      JSON.stringify(count),
      `heap ${before.toFixed(1)} MB → ${after.toFixed(1)} MB`,
      stats.trim().replaceAll('\n', ', '),
    );
    expect(Object.keys(count)).toEqual(['gray']);
    expect(Number(/tx_reset: (\d+)/.exec(stats)?.[1])).toBeGreaterThan(streams * 0.99);
    expect(Number(/close_notify: (\d+)/.exec(stats)?.[1])).toBe(0);
    expect(after - before).toBeLessThan(10);
    agent.destroy();
  } finally {
    envoy.kill();
  }
}, 900_000);
