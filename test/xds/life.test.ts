// Either side goes away and comes back (ads.md 7): what runs goes on, and nothing is sent twice.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Resources } from '../../src/xds/resources.ts';
import { answering, cluster, endpoints, listener, nothing, patched, table } from './mesh.ts';
import { type ServerProcess, startServer } from './process.ts';
import { get, load, openStage, type Stage, type StageOptions } from './stage.ts';

let stage: Stage;
let server: ServerProcess;
let port: number;
let everything: Resources;
let changed: Resources;
afterEach(async () => {
  await server?.kill();
  await stage?.close();
});

/** / is b; `changed` has no b, and c in its place; /c is c in both. */
async function prepare(options: StageOptions = {}): Promise<void> {
  stage = await openStage({ absent: true, ...options });
  port = stage.ports[0] ?? 0;
  const [b, c] = [await stage.application('b'), await stage.application('c')];
  everything = patched(nothing, {
    clusters: { b: cluster('b'), c: cluster('c') },
    endpoints: { b: endpoints('b', b), c: endpoints('c', c) },
    routes: { main: table('main', { '/c': 'c', '/': 'b' }) },
    listeners: { main: listener('main', port, 'main') },
  });
  changed = patched(everything, {
    clusters: { b: undefined, d: cluster('d') },
    endpoints: { b: undefined, d: endpoints('d', c) },
    routes: { main: table('main', { '/c': 'c', '/': 'd' }) },
  });
}

async function begin(options: StageOptions = {}): Promise<void> {
  await prepare(options);
  server = await startServer(stage.socket);
  stage.startEnvoy();
  await server.update(everything);
  await serves('/', 'b');
}

async function serves(path: string, who: string): Promise<void> {
  await vi.waitFor(async () => expect(await stage.get(path)).toBe(who), { interval: 5, timeout: 15_000 });
}

describe('when the server', () => {
  test('is killed and comes back, no request fails, and nothing is sent twice', async () => {
    await begin();
    const requests = load(port, '/');
    await server.kill();
    await requests.more(100);
    const since = stage.relay.lines.length;
    server = await startServer(stage.socket);
    const at = performance.now();
    await server.update(everything);
    expect(performance.now() - at).toBeLessThan(3_000);
    expect(stage.relay.said(since).toSorted()).toEqual(['clusters', 'endpoints', 'listeners', 'routes']);
    expect(Object.keys(await requests.stop())).toEqual(['b']);
  });

  test('is killed and comes back without a cluster and with another, bystanders lose nothing', async () => {
    await begin();
    const bystander = load(port, '/c');
    const concerned = load(port, '/');
    await server.kill();
    const since = stage.relay.lines.length;
    server = await startServer(stage.socket);
    await server.update(changed);
    await serves('/', 'c');
    await bystander.more(50);
    expect(stage.relay.said(since)).toContain('clusters -b');
    expect(stage.relay.said(since)).not.toContain('listeners +main');
    expect(await bystander.stop()).toEqual({ c: expect.any(Number) });
    expect(Object.keys(await concerned.stop()).sort()).toEqual(['b', 'c']);
  });

  test('hangs, requests go on, and a change arrives when it goes on', async () => {
    await begin();
    const requests = load(port, '/');
    server.signal('SIGSTOP');
    server.send(changed);
    await requests.more(200);
    expect(await stage.get('/')).toBe('b');
    const settled = server.settled();
    server.signal('SIGCONT');
    await settled;
    await serves('/', 'c');
    expect(Object.keys(await requests.stop()).sort()).toEqual(['b', 'c']);
  });

  test('is absent when Envoy starts, Envoy is ready without anything, and has everything when it comes', async () => {
    await prepare();
    stage.startEnvoy();
    await stage.isReady();
    expect(await stage.get('/')).toBe('ECONNREFUSED'); // so Envoy's own readiness says nothing about ours
    // It tries every second at least; of itself it would wait up to half a minute.
    await vi.waitFor(() => expect(stage.relay.opened).toBeGreaterThanOrEqual(8), { timeout: 8_000 });
    server = await startServer(stage.socket);
    await server.update(everything);
    await serves('/', 'b');
  });

  test('is absent or hangs when Envoy starts, a static listener serves after the time for clusters and for listeners', async () => {
    await prepare();
    await stage.close();
    const [own = 0] = stage.ports;
    const statics = { listeners: [answering('static', own)] };
    for (const hangs of [false, true]) {
      stage = await openStage({ absent: true, direct: true, statics });
      if (hangs) {
        server = await startServer(stage.socket);
        server.signal('SIGSTOP');
      }
      const at = performance.now();
      stage.startEnvoy();
      await vi.waitFor(async () => expect(await get(own, '/')).toBe('static'), { interval: 20, timeout: 15_000 });
      expect(performance.now() - at).toBeGreaterThan(1_900);
      expect(performance.now() - at).toBeLessThan(8_000); // 30 s unless set
      await stage.close();
    }
    stage = await openStage({ absent: true });
  });

  test('closes for the next one, Envoy goes there at once and is sent nothing twice', async () => {
    await prepare({ absent: false });
    stage.startEnvoy();
    stage.server.update(everything);
    await serves('/', 'b');
    const requests = load(port, '/');
    const since = stage.relay.lines.length;
    await stage.server.close();
    await stage.serve();
    stage.server.update(everything);
    await stage.server.settled();
    await requests.more(50);
    expect(stage.relay.said(since).toSorted()).toEqual(['clusters', 'endpoints', 'listeners', 'routes']);
    expect(Object.keys(await requests.stop())).toEqual(['b']);
  });
});

describe('when Envoy', () => {
  beforeEach(() => prepare({ absent: false }));

  test('is killed, the next one has everything, and traffic at once', async () => {
    stage.startEnvoy();
    stage.server.update(everything);
    await serves('/', 'b');
    await stage.killEnvoy();
    await vi.waitFor(() => expect(stage.server.isConnected).toBe(false));
    const at = performance.now();
    stage.startEnvoy();
    await stage.server.settled();
    await serves('/', 'b');
    expect(performance.now() - at).toBeLessThan(4_000);
  });

  test('is killed while a table is refused, the next one gets the last good one', async () => {
    stage.startEnvoy();
    stage.server.update(everything);
    await stage.server.settled();
    const two = ['one', 'two'].map((name) => ({ name, domains: ['*'], routes: [] }));
    stage.server.update(patched(everything, { routes: { main: { name: 'main', virtual_hosts: two } } }));
    await stage.server.settled();
    expect(stage.server.refusals.length).toBe(1);
    await stage.killEnvoy();
    stage.startEnvoy();
    await serves('/', 'b');
    expect(stage.server.refusals.length).toBe(1);
  });

  test('is killed while the server sends, the server goes on', async () => {
    stage.startEnvoy();
    stage.server.update(everything);
    await serves('/', 'b');
    for (let turn = 0; turn < 20; turn++) {
      stage.server.update(turn % 2 === 0 ? changed : everything);
      if (turn === 10) await stage.killEnvoy();
      await new Promise(setImmediate);
    }
    stage.startEnvoy();
    await stage.server.settled();
    await serves('/', 'b');
  });
});
