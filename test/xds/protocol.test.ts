// The rules of the conversation, against a client that does what an Envoy does only rarely.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { discovery } from '../../src/xds/protocol.ts';
import type { Refusal, Resources } from '../../src/xds/resources.ts';
import { openXdsServer, type XdsServer, type XdsServerOptions } from '../../src/xds/server.ts';
import { connect, type FakeEnvoy, summary } from './client.ts';
import { cluster, composite, endpoints, listener, nothing, type Patch, patched, staticCluster, table } from './mesh.ts';

let folder: string;
let socket: string;
let server: XdsServer;
let envoy: FakeEnvoy;
let current: Resources;
let refusals: (readonly Refusal[])[];
let errors: Error[];
const opened: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lanekeeper-xds-'));
  socket = join(folder, 'xds.sock');
  refusals = [];
  errors = [];
  current = nothing;
  server = await open();
  envoy = dial();
});

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
  rmSync(folder, { recursive: true, force: true });
  expect(errors).toEqual([]);
});

async function open(options: Partial<XdsServerOptions> = {}): Promise<XdsServer> {
  const one = await openXdsServer({
    socket,
    onRefusals: (all) => refusals.push(all),
    onError: (error) => errors.push(error),
    routeDelayMs: 0,
    ...options,
  });
  opened.push(one);
  return one;
}

async function reopen(options: Partial<XdsServerOptions>): Promise<void> {
  await envoy.close();
  await server.close();
  server = await open(options);
  envoy = dial();
}

function dial(): FakeEnvoy {
  const one = connect(socket);
  opened.push(one);
  return one;
}

function update(patch: Patch): void {
  current = patched(current, patch);
  server.update(current);
}

/** b and c, a table that routes to b, and a listener with it. */
const start: Patch = {
  clusters: { b: cluster('b'), c: cluster('c') },
  endpoints: { b: endpoints('b', 1), c: endpoints('c', 2) },
  routes: { main: table('main', { '/': 'b' }) },
  listeners: { main: listener('main', 10, 'main') },
};

/** Everything of `start`, taken and answered. */
async function begin(): Promise<Record<string, string>> {
  update(start);
  const versions: Record<string, string> = {};
  for (const [type, names] of [
    ['clusters', []],
    ['endpoints', ['b', 'c']],
    ['listeners', []],
    ['routes', ['main']],
  ] as const) {
    envoy.subscribe(type, names);
    const response = await envoy.take();
    for (const { name, version } of response.resources) versions[`${type}/${name}`] = version;
    envoy.answer(response);
  }
  expect(await rest()).toEqual([]);
  return versions;
}

async function rest(): Promise<string[]> {
  return (await envoy.everything()).map(summary);
}

/** An Envoy that comes back, with the versions of these. */
function comeBack(versions: Record<string, string>, without: readonly string[] = []): void {
  envoy = dial();
  for (const type of ['clusters', 'endpoints', 'listeners', 'routes'] as const) {
    const own = Object.entries(versions).filter(([key]) => key.startsWith(`${type}/`) && !without.includes(key));
    const known = Object.fromEntries(own.map(([key, version]) => [key.slice(type.length + 1), version]));
    envoy.subscribe(type, type === 'clusters' || type === 'listeners' ? [] : Object.keys(known), known);
  }
}

const badCluster = (name: string, more = {}) => cluster(name, { connect_timeout: '0s', ...more });

describe('an Envoy that subscribes', () => {
  test('is told nothing before there is something to tell: it would take away what it has', async () => {
    envoy.subscribe('clusters', [], { b: 'old' });
    envoy.subscribe('endpoints', ['b']);
    expect(await rest()).toEqual([]);
    update(start);
    expect(await envoy.taken()).toBe('clusters +b +c');
    expect(await envoy.taken()).toBe('endpoints +b');
  });

  test('is answered the first request of each type, if only with an empty response', async () => {
    server.update(nothing);
    envoy.subscribe('clusters');
    envoy.subscribe('listeners');
    envoy.subscribe('endpoints');
    expect(await rest()).toEqual(['clusters', 'listeners', 'endpoints']);
  });

  test('gets all clusters and listeners, and of endpoints and routes those that it names', async () => {
    update(start);
    envoy.subscribe('clusters');
    envoy.subscribe('endpoints', ['c']);
    expect([await envoy.taken(), await envoy.taken()]).toEqual(['clusters +b +c', 'endpoints +c']);
    envoy.subscribe('listeners');
    envoy.subscribe('routes', ['main']);
    expect([await envoy.taken(), await envoy.taken()]).toEqual(['listeners +main', 'routes +main']);
    update({ endpoints: { b: endpoints('b', 3), c: endpoints('c', 3) } });
    expect(await rest()).toEqual(['endpoints +c']);
  });

  test('by * and by name gets both, and less when it leaves one', async () => {
    update(start);
    envoy.subscribe('clusters', ['*', 'nobody']);
    expect(await envoy.taken()).toBe('clusters +b +c -nobody');
    envoy.subscribe('clusters', ['c']);
    expect(await envoy.taken()).toBe('clusters +c');
    envoy.unsubscribe('clusters', ['*']);
    expect(await rest()).toEqual([]);
    update({ clusters: { b: cluster('b', { alt_stat_name: 'x' }), c: cluster('c', { alt_stat_name: 'y' }) } });
    expect(await rest()).toEqual(['clusters +c']);
  });

  test('to what does not exist is told so at once', async () => {
    update(start);
    envoy.subscribe('endpoints', ['b', 'nobody']);
    expect(await envoy.taken()).toBe('endpoints +b -nobody');
    envoy.subscribe('routes', ['nowhere']);
    expect(await envoy.taken()).toBe('routes -nowhere');
  });

  test('to a type that is not served is told that there is nothing of it', async () => {
    expect(await rest()).toEqual([]);
  });

  test('again to a name is answered again, though it is unchanged or absent', async () => {
    await begin();
    envoy.subscribe('endpoints', ['b']);
    expect(await envoy.taken()).toBe('endpoints +b');
    envoy.subscribe('endpoints', ['nobody']);
    expect(await envoy.taken()).toBe('endpoints -nobody');
    envoy.subscribe('endpoints', ['nobody']);
    expect(await envoy.taken()).toBe('endpoints -nobody');
  });

  test('no more to a name hears no more of it', async () => {
    await begin();
    envoy.unsubscribe('endpoints', ['b']);
    await rest();
    update({ endpoints: { b: endpoints('b', 9) } });
    expect(await rest()).toEqual([]);
  });
});

describe('what changes', () => {
  test('is sent in order: clusters and endpoints, then routes and listeners, then what is gone', async () => {
    await begin();
    update({
      clusters: { b: undefined, d: cluster('d') },
      endpoints: { b: undefined, d: endpoints('d', 3) },
      routes: { main: table('main', { '/': 'd' }) },
      listeners: { main: undefined, other: listener('other', 11, 'main') },
    });
    const clusters = await envoy.take();
    expect(summary(clusters)).toBe('clusters +d');
    envoy.subscribe('endpoints', ['d']);
    expect([await envoy.taken(), await envoy.taken()].sort()).toEqual(['endpoints +d', 'listeners +other']);
    expect(await rest()).toEqual([]); // the routes wait for d, which is warming
    envoy.answer(clusters);
    const routes = await envoy.take();
    expect(summary(routes)).toBe('routes +main');
    expect(await rest()).toEqual([]); // nothing goes while routes may still name it
    envoy.answer(routes);
    const listeners = await envoy.take();
    expect(summary(listeners)).toBe('listeners -main');
    expect(await rest()).toEqual([]);
    envoy.answer(listeners);
    const gone = await envoy.take();
    expect(summary(gone)).toBe('clusters -b');
    envoy.unsubscribe('endpoints', ['b']);
    envoy.answer(gone);
    expect(await rest()).toEqual([]);
  });

  test('of endpoints never waits for the answer about clusters, which Envoy gives only when it has them', async () => {
    await begin();
    update({ clusters: { d: cluster('d') }, endpoints: { b: endpoints('b', 5), d: endpoints('d', 3) } });
    expect((await envoy.everything()).map(summary)).toEqual(['clusters +d', 'endpoints +b']);
  });

  test('of a cluster makes its endpoints owed again, though they are unchanged', async () => {
    await begin();
    update({ clusters: { c: cluster('c', { alt_stat_name: 'other' }) } });
    expect(await rest()).toEqual(['clusters +c', 'endpoints +c']);
  });

  test('of a cluster makes them owed also where the request for them was under way', async () => {
    const versions = await begin();
    await envoy.close();
    update({ clusters: { c: cluster('c', { alt_stat_name: 'other' }) } });
    comeBack(versions);
    const sent = await rest();
    expect(sent.slice(0, 2)).toEqual(['clusters +c', 'endpoints +c']);
  });

  test('goes out while an earlier response is unanswered as one, when that has been answered', async () => {
    await begin();
    update({ endpoints: { b: endpoints('b', 5) } });
    const first = await envoy.take();
    update({ endpoints: { b: endpoints('b', 6) } });
    update({ endpoints: { b: endpoints('b', 7), c: endpoints('c', 7) } });
    expect(await rest()).toEqual([]);
    envoy.answer(first);
    expect(await rest()).toEqual(['endpoints +b +c']);
  });

  test('and is the same object is not looked at', async () => {
    let reads = 0;
    const counted = {
      ...cluster('d'),
      get alt_stat_name() {
        reads++;
        return 'd';
      },
    };
    update({ clusters: { d: counted } });
    const once = reads;
    expect(once).toBeGreaterThan(0);
    update({ routes: { main: table('main', { '/': 'd' }) } });
    update({ clusters: { e: cluster('e') } });
    expect(reads).toBe(once);
  });

  test('and says the same in another object is not sent', async () => {
    await begin();
    update({
      clusters: { b: cluster('b') },
      endpoints: { b: endpoints('b', 1) },
      routes: { main: table('main', { '/': 'b' }) },
      listeners: { main: listener('main', 10, 'main') },
    });
    expect(await rest()).toEqual([]);
  });
});

describe('every EDS cluster gets endpoints', () => {
  test('empty ones where there are none', async () => {
    update({ clusters: { b: cluster('b'), d: staticCluster('d') } });
    envoy.subscribe('endpoints', ['b', 'd']);
    const response = await envoy.take();
    expect(summary(response)).toBe('endpoints +b -d');
    expect(String(Buffer.from(response.resources[0]?.resource?.value ?? []))).toContain('b');
  });

  test('by its service name, where it has one', async () => {
    const named = cluster('b', { eds_cluster_config: { eds_config: { ads: {} }, service_name: 'other' } });
    update({ clusters: { b: named } });
    envoy.subscribe('endpoints', ['other']);
    expect(await envoy.taken()).toBe('endpoints +other');
  });

  test('empty ones when they are withdrawn: Envoy would keep the last', async () => {
    await begin();
    update({ endpoints: { b: undefined } });
    expect(await rest()).toEqual(['endpoints +b']);
  });
});

describe('a table', () => {
  test('waits for a cluster that it names, alone, weighted, or as a member', async () => {
    const weighted = {
      name: 'weighted',
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            {
              match: { prefix: '/' },
              route: {
                weighted_clusters: {
                  clusters: [
                    { name: 'd', weight: 1 },
                    { name: 'b', weight: 1 },
                  ],
                },
              },
            },
          ],
        },
      ],
    };
    await begin();
    update({ clusters: { 'd+': composite('d+', ['d', 'b']) } });
    expect(await envoy.taken()).toBe('clusters +d+');
    envoy.subscribe('routes', ['weighted', 'member', 'alone', 'free']);
    expect(await envoy.taken()).toBe('routes -weighted -member -alone -free');
    update({
      clusters: { d: cluster('d') },
      routes: {
        weighted,
        member: table('member', { '/': 'd+' }),
        alone: table('alone', { '/': 'd' }),
        free: table('free', { '/': 'b' }),
      },
    });
    const clusters = await envoy.take();
    expect(summary(clusters)).toBe('clusters +d');
    expect(await rest()).toEqual(['routes +free']);
  });

  test('that changes alone does not wait for a cluster that is warming', async () => {
    await begin();
    update({ clusters: { slow: cluster('slow') } });
    expect(summary(await envoy.take())).toBe('clusters +slow');
    update({ routes: { main: table('main', { '/x': 'b', '/': 'c' }) } });
    expect(await rest()).toEqual(['routes +main']);
  });

  test('waits for a cluster that could not be sent yet', async () => {
    await begin();
    update({ clusters: { slow: cluster('slow') } });
    const slow = await envoy.take();
    update({ clusters: { d: cluster('d') }, routes: { main: table('main', { '/': 'd' }) } });
    expect(await rest()).toEqual([]);
    envoy.answer(slow);
    const next = await envoy.take();
    expect(summary(next)).toBe('clusters +d');
    expect(await rest()).toEqual([]);
    envoy.answer(next);
    expect(await rest()).toEqual(['routes +main']);
  });

  test('that names a cluster that does not exist goes at once', async () => {
    await begin();
    update({ routes: { main: table('main', { '/': 'nobody' }) } });
    expect(await rest()).toEqual(['routes +main']);
  });

  test('goes at once when it changes, and then once for all changes of the next 200 ms', async () => {
    await reopen({ routeDelayMs: 200 });
    await begin();
    await sleep(210);
    const at = performance.now();
    for (let port = 1; port <= 5; port++) update({ routes: { main: table('main', { '/': 'b', [`/${port}`]: 'c' }) } });
    const first = await envoy.take();
    envoy.answer(first);
    expect(performance.now() - at).toBeLessThan(150);
    expect(await rest()).toEqual([]);
    const second = await envoy.take();
    expect(performance.now() - at).toBeGreaterThanOrEqual(199);
    expect(String(Buffer.from(second.resources[0]?.resource?.value ?? []))).toContain('/5');
    envoy.answer(second);
    expect(await rest()).toEqual([]);
  });

  test('is held back, and neither endpoints, clusters nor listeners are, nor who asks for it anew', async () => {
    await reopen({ routeDelayMs: 60_000 });
    await begin();
    update({
      ...start,
      clusters: { d: cluster('d') },
      endpoints: { b: endpoints('b', 5) },
      routes: { main: table('main', { '/': 'c' }) },
      listeners: { more: listener('more', 12, 'main') },
    });
    expect((await rest()).sort()).toEqual(['clusters +d', 'endpoints +b', 'listeners +more']);
    envoy.subscribe('routes', ['main']);
    expect(await rest()).toEqual(['routes +main']);
  });

  test('that is held back keeps the cluster that it will name no more', async () => {
    await reopen({ routeDelayMs: 200 });
    await begin();
    update({ clusters: { b: undefined }, endpoints: { b: undefined }, routes: { main: table('main', { '/': 'c' }) } });
    expect(await rest()).toEqual([]);
    expect(await envoy.taken()).toBe('routes +main');
    expect(await envoy.taken()).toBe('clusters -b');
  });
});

describe('what Envoy refuses', () => {
  const seven: Patch = { clusters: Object.fromEntries('abcdefg'.split('').map((name) => [name, staticCluster(name)])) };

  /** Answers as an Envoy that throws away every response with a bad cluster in it; what was in each. */
  async function judge(isBad: (name: string) => boolean): Promise<string[]> {
    const seen: string[] = [];
    for (;;) {
      const responses = await envoy.everything();
      if (responses.length === 0) return seen;
      for (const response of responses) {
        seen.push(summary(response));
        if (response.resources.some(({ name }) => isBad(name))) envoy.refuse(response, 'bad');
        else envoy.answer(response);
      }
    }
  }

  test('is found by halves: the good ones are in, the bad one is named', async () => {
    update(seven);
    envoy.subscribe('clusters');
    expect(await judge((name) => name === 'e')).toEqual([
      'clusters +a +b +c +d +e +f +g',
      'clusters +a +b +c',
      'clusters +d +e +f +g',
      'clusters +d +e',
      'clusters +d',
      'clusters +e',
      'clusters +f +g',
    ]);
    expect(server.refusals).toEqual([{ type: 'clusters', name: 'e', reason: 'bad' }]);
    expect(refusals).toEqual([server.refusals]);
  });

  test('is found by halves, two of them', async () => {
    update(seven);
    envoy.subscribe('clusters');
    await judge((name) => name === 'a' || name === 'g');
    expect(server.refusals.map(({ name }) => name)).toEqual(['a', 'g']);
  });

  test('is not sent again until it changes, and is reported as mended', async () => {
    update(seven);
    envoy.subscribe('clusters');
    await judge((name) => name === 'e');
    update({ clusters: { h: staticCluster('h') } });
    update({ clusters: { e: staticCluster('e') } }); // the same in another object
    expect(await judge(() => false)).toEqual(['clusters +h']);
    update({ clusters: { e: staticCluster('e', { alt_stat_name: 'x' }) } });
    expect(await judge(() => false)).toEqual(['clusters +e']);
    expect(server.refusals).toEqual([]);
    expect(refusals.map((all) => all.length)).toEqual([1, 0]);
  });

  test('and is taken away is no refusal any more', async () => {
    update(seven);
    envoy.subscribe('clusters');
    await judge((name) => name === 'e');
    update({ clusters: { e: undefined } });
    expect(refusals.at(-1)).toEqual([]);
  });

  test('keeps its last good form, also for an Envoy that starts anew', async () => {
    const versions = await begin();
    update({ routes: { main: table('main', { '/': 'c' }) } });
    envoy.refuse(await envoy.take(), 'no');
    expect(await rest()).toEqual([]);
    const other = dial();
    other.subscribe('routes', ['main']);
    const response = await other.take();
    expect(response.resources.map(({ name, version }) => [name, version])).toEqual([['main', versions['routes/main']]]);
  });

  test('is not taken from an Envoy that has an earlier form, of which this process knows nothing', async () => {
    update(start);
    envoy.subscribe('clusters', [], { b: 'old' });
    const all = await envoy.take();
    envoy.refuse(all, 'bad');
    for (const response of [await envoy.take()]) envoy.refuse(response, 'bad b');
    expect(await envoy.taken()).toBe('clusters +c');
    expect(await rest()).toEqual([]);
    envoy.subscribe('endpoints', ['b'], { b: 'old' });
    await envoy.close();
    comeBack({ 'clusters/b': 'old' });
    expect((await rest())[0]).toBe('clusters +c');
    expect(server.refusals).toEqual([{ type: 'clusters', name: 'b', reason: 'bad b' }]);
  });

  test('is said to be absent where Envoy waits for it and has none', async () => {
    update({ clusters: { b: cluster('b') }, endpoints: { b: endpoints('b', 1) } });
    envoy.subscribe('endpoints', ['b']);
    envoy.refuse(await envoy.take(), 'no');
    expect(await rest()).toEqual(['endpoints -b']);
  });

  test('late, when it has been replaced, does not concern what replaced it', async () => {
    await reopen({ patienceMs: 50 });
    await begin();
    update({ clusters: { b: badCluster('b') } });
    const first = await envoy.take();
    envoy.answer(await envoy.take()); // its endpoints
    update({ clusters: { b: cluster('b', { alt_stat_name: 'good' }) } });
    const second = await envoy.take();
    expect([summary(first), summary(second)]).toEqual(['clusters +b', 'clusters +b']);
    envoy.refuse(first, 'bad');
    envoy.answer(second);
    await rest();
    expect(server.refusals).toEqual([]);
  });

  test('of listeners for a port that another still had is tried once more when that one is closed', async () => {
    await begin();
    update({ listeners: { main: undefined, other: listener('other', 10, 'main') } });
    const refused = await envoy.take();
    expect(summary(refused)).toBe('listeners +other');
    envoy.refuse(refused, 'has duplicate address');
    expect(await envoy.taken()).toBe('listeners -main');
    expect(await envoy.taken()).toBe('listeners +other');
    expect(await rest()).toEqual([]);
    expect(refusals.map((all) => all.length)).toEqual([1, 0]);
  });
});

describe('what cannot be encoded', () => {
  test('is a refusal with its place, and the others go on', async () => {
    update({ ...start, clusters: { b: cluster('b', { lb_polcy: 'RANDOM', connect_timeout: '1' }), c: cluster('c') } });
    expect(server.refusals).toEqual([
      {
        type: 'clusters',
        name: 'b',
        reason:
          'connect_timeout: found "1", expected a duration in seconds, as 0.25s; ' +
          'lb_polcy: found "RANDOM", expected a field of envoy.config.cluster.v3.Cluster, which has none of this name',
      },
    ]);
    envoy.subscribe('clusters');
    expect(await envoy.taken()).toBe('clusters +c');
    update({ clusters: { b: cluster('b') } });
    expect(await envoy.taken()).toBe('clusters +b');
    expect(refusals.map((all) => all.length)).toEqual([1, 0]);
  });

  test('keeps its last good form', async () => {
    const versions = await begin();
    update({ clusters: { b: cluster('b', { nope: 1 }) }, endpoints: { b: endpoints('b', 5) } });
    expect(await rest()).toEqual(['endpoints +b']);
    const other = dial();
    other.subscribe('clusters');
    const sent = (await other.take()).resources.map(({ name, version }) => [name, version]);
    expect(sent).toEqual(['b', 'c'].map((name) => [name, versions[`clusters/${name}`]]));
    update({ clusters: { b: cluster('b') } });
    expect(await rest()).toEqual([]);
    expect(server.refusals).toEqual([]);
  });

  test('keeps the last good form that Envoy took, where it refused the last', async () => {
    const versions = await begin();
    update({ routes: { main: table('main', { '/': 'c' }) } });
    envoy.refuse(await envoy.take(), 'no');
    await rest();
    update({ routes: { main: { name: 'main', nope: 1 } } });
    expect(await rest()).toEqual([]);
    const other = dial();
    other.subscribe('routes', ['main']);
    expect((await other.take()).resources.map(({ version }) => version)).toEqual([versions['routes/main']]);
  });
});

describe('an Envoy that comes back', () => {
  test('with all it needs gets four empty answers', async () => {
    const versions = await begin();
    await envoy.close();
    comeBack(versions);
    expect((await rest()).sort()).toEqual(['clusters', 'endpoints', 'listeners', 'routes']);
  });

  test('to another process gets them too: versions are of the content', async () => {
    const versions = await begin();
    await reopen({});
    comeBack(versions);
    server.update(patched(nothing, start)); // after it has come
    expect((await rest()).sort()).toEqual(['clusters', 'endpoints', 'listeners', 'routes']);
  });

  test('to another process keeps the last good form, where the first change is refused', async () => {
    const versions = await begin();
    await reopen({});
    comeBack(versions);
    update({});
    for (const response of await envoy.everything()) envoy.answer(response);
    update({ routes: { main: table('main', { '/': 'c' }) } });
    envoy.refuse(await envoy.take(), 'no');
    await rest();
    const other = dial();
    other.subscribe('routes', ['main']);
    expect((await other.take()).resources.map(({ version }) => version)).toEqual([versions['routes/main']]);
  });

  test('loses what was removed while it was away, after it has what is new', async () => {
    const versions = await begin();
    await envoy.close();
    update({
      clusters: { b: undefined, d: cluster('d') },
      endpoints: { b: undefined, d: endpoints('d', 1) },
      routes: { main: table('main', { '/': 'd' }) },
    });
    comeBack(versions);
    const seen: string[] = [];
    for (;;) {
      const responses = await envoy.everything();
      if (responses.length === 0) break;
      for (const response of responses) {
        seen.push(summary(response));
        if (summary(response) === 'clusters +d') envoy.subscribe('endpoints', ['d']);
        if (summary(response) === 'clusters -b') envoy.unsubscribe('endpoints', ['b']);
        envoy.answer(response);
      }
    }
    expect(seen).toEqual(['clusters +d', 'endpoints', 'listeners', 'routes +main', 'endpoints +d', 'clusters -b']);
  });
});

describe('an answer that does not come', () => {
  test('is waited for no longer than patience has: routes go on, and more clusters', async () => {
    await reopen({ patienceMs: 150 });
    await begin();
    const at = performance.now();
    update({ clusters: { d: cluster('d') }, routes: { main: table('main', { '/': 'd' }) } });
    expect(summary(await envoy.take())).toBe('clusters +d');
    expect(summary(await envoy.take())).toBe('routes +main');
    expect(performance.now() - at).toBeGreaterThanOrEqual(150);
    update({ clusters: { b: undefined, e: cluster('e') }, endpoints: { b: undefined } });
    expect(summary(await envoy.take())).toBe('clusters +e');
    expect(summary(await envoy.take())).toBe('clusters -b');
    let isSettled = false;
    server.settled().then(
      () => {
        isSettled = true;
      },
      () => {},
    );
    await sleep(400); // nothing is waited for any more
    expect(await rest()).toEqual(['endpoints -b']);
    expect(isSettled).toBe(false);
  });

  test('keeps settled() waiting, and the end of the stream does not end that', async () => {
    let isSettled = false;
    update(start);
    const settled = server.settled().then(() => {
      isSettled = true;
    });
    envoy.subscribe('clusters');
    const response = await envoy.take();
    await rest();
    expect(isSettled).toBe(false);
    envoy.answer(response);
    envoy.subscribe('endpoints', ['b', 'c']);
    await envoy.taken();
    await rest();
    expect(isSettled).toBe(false); // it has not asked for listeners yet
    envoy.subscribe('listeners');
    await envoy.taken();
    await settled;
    expect(isSettled).toBe(true);
  });

  test('to what was refused is none that settled() waits for', async () => {
    update(start);
    envoy.subscribe('listeners');
    envoy.refuse(await envoy.take(), 'no');
    envoy.subscribe('clusters');
    await envoy.taken();
    await server.settled();
    expect(server.refusals.length).toBe(1);
  });
});

describe('two Envoys at a time', () => {
  test('are served each for itself', async () => {
    await begin();
    const other = dial();
    other.subscribe('clusters');
    expect(await other.taken()).toBe('clusters +b +c');
    update({ clusters: { d: cluster('d') } });
    expect(await envoy.taken()).toBe('clusters +d');
    expect(await other.taken()).toBe('clusters +d');
    await other.close();
    update({ clusters: { e: cluster('e') } });
    expect(await envoy.taken()).toBe('clusters +e');
  });

  test('learn of one refusal', async () => {
    update(start);
    envoy.subscribe('routes', ['main']);
    envoy.refuse(await envoy.take(), 'no');
    await rest();
    const other = dial();
    other.subscribe('routes', ['main']);
    expect(await other.taken()).toBe('routes -main');
  });
});

describe('the server', () => {
  test('is for its own user alone, and with a group for that', async () => {
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    const path = join(folder, 'group.sock');
    await open({ socket: path, socketGroup: process.getgid?.() });
    expect(statSync(path).mode & 0o777).toBe(0o660);
  });

  test('says whether somebody is connected', async () => {
    expect(server.isConnected).toBe(false);
    await begin();
    expect(server.isConnected).toBe(true);
    await envoy.close();
    await vi.waitFor(() => expect(server.isConnected).toBe(false));
  });

  test('rejects where its path is taken', async () => {
    await expect(open()).rejects.toThrow('EADDRINUSE');
  });

  test('ends its streams when it closes, and another listens under the same path', async () => {
    const versions = await begin();
    const waiting = server.settled().then(() => server.settled());
    await waiting;
    const at = performance.now();
    await server.close();
    await envoy.ended;
    expect(performance.now() - at).toBeLessThan(900);
    server = await open();
    server.update(current);
    comeBack(versions);
    expect((await rest()).length).toBe(4);
  });

  test('closes also while a client keeps its connection and reads nothing', async () => {
    const idle = createConnection(socket);
    await new Promise((resolve) => idle.once('connect', resolve));
    await server.close();
    idle.destroy();
  });

  test('survives who speaks something else', async () => {
    const stranger = createConnection(socket);
    stranger.end('GET / HTTP/1.1\r\n\r\n');
    await new Promise((resolve) => stranger.once('close', resolve).resume());
    const client = new Client(`unix:${socket}`, credentials.createInsecure());
    const { path } = discovery.DeltaAggregatedResources;
    const call = client.makeBidiStreamRequest<Buffer, Buffer>(
      path,
      (all) => all,
      (all) => all,
    );
    const status = new Promise<number>((resolve) =>
      call.on('error', ({ code }: { code?: number }) => resolve(code ?? 0)),
    );
    call.write(Buffer.from('no message'));
    expect(await status).toBe(13);
    client.close();
    await begin();
  });

  test('rejects who waits when it closes', async () => {
    const settled = expect(server.settled()).rejects.toThrow('was closed');
    await server.close();
    await settled;
  });
});
