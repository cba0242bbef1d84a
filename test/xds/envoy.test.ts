// What a real Envoy makes of what it is sent: every row was measured before (ads.md 2 and 3), and must stay true.
import { readdirSync, readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { controlSource } from '../../src/envoy/clusters/control.ts';
import type { Resource } from '../../src/envoy/resource.ts';
import * as kinds from './kinds.ts';
import { cluster, composite, endpoints, listener, type Patch, patched, staticCluster, table } from './mesh.ts';
import { get, load, openStage, type Stage, type StageOptions } from './stage.ts';

let stage: Stage;
let port: number;
let b: number;
let c: number;
afterEach(() => stage?.close());

/** An Envoy that routes / to b. */
async function begin(options: StageOptions = {}): Promise<void> {
  stage = await openStage(options);
  port = stage.ports[0] ?? 0;
  b = await stage.application('b');
  c = await stage.application('c');
  stage.startEnvoy();
  await stage.update({
    clusters: { b: cluster('b') },
    endpoints: { b: endpoints('b', b) },
    routes: { main: table('main', { '/': 'b' }) },
    listeners: { main: listener('main', port, 'main') },
  });
  await serves('/', 'b');
}

/** A new route is there when Envoy's worker has it, a moment after the answer. */
async function serves(path: string, who: string): Promise<void> {
  await vi.waitFor(async () => expect(await stage.get(path)).toBe(who), { interval: 5, timeout: 10_000 });
}

const names = (refusals = stage.server.refusals) => refusals.map(({ type, name }) => `${type} ${name}`);

describe('an Envoy that starts', () => {
  beforeEach(() => begin());

  test('asks for one after the other, and has it all', async () => {
    await stage.isReady();
    const said = stage.relay.said();
    expect(said.toSorted()).toEqual(['clusters +b', 'endpoints +b', 'listeners +main', 'routes +main']);
    expect(said[0]).toBe('clusters +b');
  });

  test('names the tables of a listener before it answers: so settled() means all', () => {
    const heard = stage.relay.heard();
    expect(heard.indexOf('routes asks main')).toBeLessThan(heard.indexOf('listeners ok'));
    expect(heard.indexOf('endpoints asks b')).toBeLessThan(heard.indexOf('clusters ok'));
  });
});

describe('a change', () => {
  beforeEach(() => begin());

  test('that adds a cluster with its route loses no request after the first that arrives', async () => {
    const requests = load(port, '/c');
    await stage.update({
      clusters: { c: cluster('c') },
      endpoints: { c: endpoints('c', c) },
      routes: { main: table('main', { '/c': 'c', '/': 'b' }) },
    });
    await serves('/c', 'c');
    await requests.more(50);
    expect(Object.keys(await requests.stop()).sort()).toEqual(['b', 'c']);
  });

  test('that renames a cluster loses no request', async () => {
    const requests = load(port, '/');
    await requests.more(50);
    await stage.update({
      clusters: { b: undefined, b2: cluster('b2') },
      endpoints: { b: undefined, b2: endpoints('b2', c) },
      routes: { main: table('main', { '/': 'b2' }) },
    });
    await serves('/', 'c');
    await requests.more(50);
    expect(Object.keys(await requests.stop()).sort()).toEqual(['b', 'c']);
    expect(stage.relay.said().slice(-4)).toEqual(['clusters +b2', 'endpoints +b2', 'routes +main', 'clusters -b']);
  });

  test('of routes to a cluster that comes later is 503 until it is there, and then right', async () => {
    await stage.update({ routes: { main: table('main', { '/': 'c' }) } });
    await serves('/', '503');
    await stage.update({ clusters: { c: cluster('c') }, endpoints: { c: endpoints('c', c) } });
    await serves('/', 'c');
  });

  test('that removes a cluster which routes still name is 503, and nothing is refused', async () => {
    await stage.update({ clusters: { b: undefined }, endpoints: { b: undefined } });
    await serves('/', '503');
    expect(names()).toEqual([]);
  });

  test('of a cluster alone makes Envoy wait for its endpoints, and it gets them again', async () => {
    const since = stage.relay.lines.length;
    const at = performance.now();
    const requests = load(port, '/');
    await stage.update({ clusters: { b: cluster('b', { connect_timeout: '0.3s' }) } });
    expect(performance.now() - at).toBeLessThan(5_000); // 15 s without
    expect(stage.relay.said(since)).toEqual(['clusters +b', 'endpoints +b']);
    await requests.more(20);
    expect(Object.keys(await requests.stop())).toEqual(['b']);
  });

  test('of endpoints sends these alone', async () => {
    const since = stage.relay.lines.length;
    await stage.update({ endpoints: { b: endpoints('b', c) } });
    await serves('/', 'c');
    expect(stage.relay.said(since)).toEqual(['endpoints +b']);
  });

  test('of fifty endpoints one after the other loses no request', async () => {
    const requests = load(port, '/');
    await requests.more(20);
    for (let turn = 0; turn < 25; turn++) {
      await stage.update({ endpoints: { b: endpoints('b', c) } });
      await stage.update({ endpoints: { b: endpoints('b', b, c) } });
    }
    await requests.more(20);
    expect(Object.keys(await requests.stop()).sort()).toEqual(['b', 'c']);
  });

  test('that withdraws endpoints empties the cluster, which Envoy would not', async () => {
    await stage.update({ endpoints: { b: undefined } });
    await serves('/', '503');
    await stage.update({ endpoints: { b: endpoints('b', b) } });
    await serves('/', 'b');
  });

  test('that adds a cluster without endpoints has it at once, with empty ones', async () => {
    const at = performance.now();
    await stage.update({ clusters: { empty: cluster('empty') }, routes: { main: table('main', { '/': 'empty' }) } });
    expect(performance.now() - at).toBeLessThan(5_000);
    await serves('/', '503');
  });

  test('that removes a listener closes its port to new connections, and those that are open go on', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect(await get(port, '/', agent)).toBe('b');
    const [, other = 0] = stage.ports;
    await stage.update({ listeners: { other: listener('other', other, 'main') } });
    await stage.update({ listeners: { main: undefined } });
    await vi.waitFor(async () => expect(await stage.get('/')).toBe('ECONNREFUSED'), { interval: 5 });
    expect(await get(port, '/', agent)).toBe('b');
    expect(await stage.get('/', other)).toBe('b');
    agent.destroy();
  });

  test('that moves a port from one listener to another comes through', async () => {
    await stage.update({ listeners: { main: undefined, renamed: listener('renamed', port, 'main') } });
    await serves('/', 'b');
    expect(names()).toEqual([]);
    expect(stage.refusals.map((all) => names(all))).toEqual([['listeners renamed'], []]);
  });
});

describe('a cluster that warms until its first health check has ended', () => {
  let silent: Server; // accepts, and never says what the check waits for
  let silentPort: number;
  beforeEach(async () => {
    silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    silentPort = (silent.address() as AddressInfo).port;
  });
  afterEach(() => void silent.close());

  const warming = (timeout: string): Patch => {
    const check = { interval: '1s', initial_jitter: '0s', unhealthy_threshold: 1, healthy_threshold: 1 };
    const expected = { send: { text: '00' }, receive: [{ text: '01' }] };
    return {
      clusters: { c: cluster('c', { health_checks: [{ ...check, timeout, tcp_health_check: expected }] }) },
      endpoints: { c: endpoints('c', silentPort) },
      routes: { main: table('main', { '/c': 'c', '/': 'b' }) },
    };
  };

  test('keeps the routes to it back, and nothing else', async () => {
    await begin();
    const [, other = 0] = stage.ports;
    const since = stage.relay.lines.length;
    const done = stage.update(warming('1.2s'));
    const sent = await stage.relay.until('server endpoints +c', since);
    await stage.relay.until('envoy endpoints ok', since);
    const free = {
      routes: { free: table('free', { '/': 'b' }) },
      listeners: { free: listener('free', other, 'free') },
    };
    stage.server.update(patched(stage.resources, free));
    const others = await stage.relay.until('server routes +free', since);
    const answered = await stage.relay.until('envoy clusters ok', since);
    const routes = await stage.relay.until('server routes +main', since);
    expect(answered.at - sent.at).toBeGreaterThan(1_000);
    expect(stage.relay.lines.indexOf(routes)).toBeGreaterThan(stage.relay.lines.indexOf(answered));
    expect(stage.relay.lines.indexOf(others)).toBeLessThan(stage.relay.lines.indexOf(answered));
    await done;
  });

  test('is waited for no longer than patience has', async () => {
    await begin({ patienceMs: 300 });
    const since = stage.relay.lines.length;
    const at = performance.now();
    stage.server.update(patched(stage.resources, warming('20s')));
    const routes = await stage.relay.until('server routes +main', since);
    expect(routes.at - at).toBeGreaterThanOrEqual(300);
    expect(stage.relay.heard(since)).not.toContain('clusters ok');
  });
});

describe('of what Envoy refuses', () => {
  beforeEach(() => begin());

  test('one bad cluster of two: the good one is in, the bad one is named, and a repair works', async () => {
    await stage.update({
      clusters: { bad: cluster('bad', { connect_timeout: '0s' }), c: cluster('c') },
      endpoints: { c: endpoints('c', c) },
      routes: { main: table('main', { '/c': 'c', '/bad': 'bad', '/': 'b' }) },
    });
    await serves('/c', 'c');
    expect(names()).toEqual(['clusters bad']);
    expect(stage.server.refusals[0]?.reason).toContain('ConnectTimeout: value must be greater than');
    const since = stage.relay.lines.length;
    await stage.update({ clusters: { d: staticCluster('d') } });
    expect(stage.relay.said(since)).toEqual(['clusters +d']);
    await stage.update({ clusters: { bad: cluster('bad') }, endpoints: { bad: endpoints('bad', c) } });
    await serves('/bad', 'c');
    expect(stage.refusals.map((all) => all.length)).toEqual([1, 0]);
  });

  test('a cluster whose meaning is bad, for which Envoy gives no answer: the good one is in, and a repair works', async () => {
    await stage.close();
    await begin({ patienceMs: 300 });
    const ring = { lb_policy: 'RING_HASH', ring_hash_lb_config: { minimum_ring_size: 9, maximum_ring_size: 3 } };
    const since = stage.relay.lines.length;
    stage.server.update(
      patched(stage.resources, {
        clusters: { ring: cluster('ring', ring), c: cluster('c') },
        endpoints: { c: endpoints('c', c), ring: endpoints('ring', c) },
        routes: { main: table('main', { '/c': 'c', '/ring': 'ring', '/': 'b' }) },
      }),
    );
    await serves('/c', 'c');
    expect(stage.relay.heard(since)).not.toContain('clusters ok');
    expect(stage.relay.heard(since)).not.toContain('clusters refused');
    await stage.update({
      clusters: { ring: cluster('ring'), c: cluster('c') },
      endpoints: { c: endpoints('c', c), ring: endpoints('ring', c) },
      routes: { main: table('main', { '/c': 'c', '/ring': 'ring', '/': 'b' }) },
    });
    await serves('/ring', 'c');
    expect(stage.relay.heard(since)).toContain('clusters refused'); // late, and of what is there no more
    expect(names()).toEqual([]);
  });

  test('a bad route table: the old one stays whole', async () => {
    const twice = { ...table('main', { '/': 'b' }) } as { virtual_hosts: Resource[] };
    const bad = { name: 'main', virtual_hosts: [...twice.virtual_hosts, ...twice.virtual_hosts] };
    const requests = load(port, '/');
    await stage.update({ routes: { main: bad } });
    await requests.more(50);
    expect(Object.keys(await requests.stop())).toEqual(['b']);
    expect(names()).toEqual(['routes main']);
    expect(stage.server.refusals[0]?.reason).toContain('Only a single wildcard domain is permitted in route main');
    await stage.update({ routes: { main: table('main', { '/': 'b', '/x': 'b' }) } });
    expect(names()).toEqual([]);
  });

  test('endpoints by a host name: the old ones stay', async () => {
    const address = { socket_address: { address: 'a.host.name', port_value: 1 } };
    const bad = { cluster_name: 'b', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] };
    await stage.update({ endpoints: { b: bad } });
    expect(names()).toEqual(['endpoints b']);
    expect(await stage.statistic('cluster.b.update_rejected')).toBe(1);
    expect(await stage.get('/')).toBe('b');
  });

  test('endpoints of a new cluster: it is empty, and nothing waits for it', async () => {
    const address = { socket_address: { address: 'a.host.name', port_value: 1 } };
    const bad = { cluster_name: 'c', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] };
    const at = performance.now();
    await stage.update({
      clusters: { c: cluster('c') },
      endpoints: { c: bad },
      routes: { main: table('main', { '/': 'c' }) },
    });
    expect(performance.now() - at).toBeLessThan(4_500);
    await serves('/', '503');
    expect(names()).toEqual(['endpoints c']);
  });

  test('a bad listener: the others are in, and the reason names it', async () => {
    const [, other = 0, third = 0] = stage.ports;
    const bad = { ...listener('bad', third, 'main'), listener_filters: [{ name: 'nope' }] };
    await stage.update({ listeners: { bad, other: listener('other', other, 'main') } });
    expect(await stage.get('/', other)).toBe('b');
    expect(names()).toEqual(['listeners bad']);
    expect(stage.server.refusals[0]?.reason).toMatch(/listener\(s\) bad: .*'nope'/);
  });

  test('and what cannot be encoded: the others are in', async () => {
    await stage.update({
      clusters: { b: cluster('b', { lb_policy: 'NOPE' }), c: cluster('c') },
      endpoints: { c: endpoints('c', c) },
      routes: { main: table('main', { '/c': 'c', '/': 'b' }) },
    });
    await serves('/c', 'c');
    expect(await stage.get('/')).toBe('b');
    expect(stage.server.refusals.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^lb_policy: found "NOPE", expected one of ROUND_ROBIN, /),
    ]);
  });
});

describe('Envoy takes over ADS', () => {
  const folder = new URL('../../envoy/', import.meta.url);
  type Part = Record<string, unknown>;

  test.each(readdirSync(folder).filter((name) => /^(gateway|sidecar.*)\.yaml$/.test(name)))(
    'all of envoy/%s, with its tables apart',
    async (file) => {
      stage = await openStage();
      const { static_resources: example } = parse(readFileSync(new URL(file, folder), 'utf8')) as {
        static_resources: { listeners: Resource[]; clusters: Resource[] };
      };
      const ports = [...stage.ports];
      const tables: Record<string, Resource> = {};
      const byName = (all: readonly Resource[]) => Object.fromEntries(all.map((each) => [String(each['name']), each]));
      const listeners = apart(example.listeners) as Resource[];
      stage.startEnvoy();
      await stage.update({ clusters: byName(example.clusters), listeners: byName(listeners), routes: tables });
      expect(stage.server.refusals).toEqual([]);
      expect(Object.keys(tables).length).toBeGreaterThan(0);
      expect(await stage.statistic('listener_manager.total_listeners_active')).toBe(listeners.length);

      /** Ports of our own, and every table by its name. */
      function apart(part: unknown): unknown {
        if (Array.isArray(part)) return part.map(apart);
        if (typeof part !== 'object' || part === null) return part;
        return Object.fromEntries(
          Object.entries(part as Part).map(([name, value]) => {
            if (name === 'port_value') return [name, ports.pop()];
            if (name !== 'route_config') return [name, apart(value)];
            const { name: own } = value as { name: string };
            tables[own] = value as Resource;
            return ['rds', { route_config_name: own, config_source: controlSource }];
          }),
        );
      }
    },
  );

  test('resources of every other kind', async () => {
    stage = await openStage();
    stage.startEnvoy();
    const byName = (all: readonly Resource[], key = 'name') =>
      Object.fromEntries(all.map((each) => [String(each[key]), each]));
    await stage.update({
      clusters: byName(kinds.clusters),
      endpoints: byName(kinds.endpoints, 'cluster_name'),
      routes: byName(kinds.routes),
      listeners: byName(kinds.listeners(stage.ports[0] ?? 0)),
    });
    expect(stage.server.refusals).toEqual([]);
    expect(await stage.statistic('listener_manager.total_listeners_active')).toBe(2);
  });

  test('a cluster that tries others, in one response with them', async () => {
    await begin();
    await stage.update({
      clusters: { c: cluster('c'), 'c+': composite('c+', ['c', 'b']) },
      endpoints: { c: endpoints('c', c) },
      routes: { main: table('main', { '/': 'c+' }) },
    });
    await serves('/', 'c');
    await stage.update({ endpoints: { c: undefined } });
    await serves('/', 'b');
  });
});
