// The whole way: what is registered in a real Nacos is where Envoy routes, within a second.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findNacos, type Installed } from '../../../src/demo/nacos/install.ts';
import { call } from '../../envoy/application.ts';
import { type NacosServer, openNacosServer } from '../../nacos/server.ts';
import { openStage, type Stage } from '../../sidecar/stage.ts';

let installed: Installed | undefined;
if (process.env['NACOS'] !== undefined) installed = await findNacos().catch(() => undefined); // real.test.ts says why not

const withinMs = 1_500; // a second, and a push may have waited for the one before

describe.skipIf(installed === undefined)('the route of a service in a real Nacos', () => {
  let server: NacosServer;
  let stage: Stage;
  const times: string[] = [];
  beforeAll(async () => {
    server = await openNacosServer({ installed: installed as Installed });
    stage = await openStage();
    rmSync(join(stage.folder, 'services.yaml'));
    await server.client.register('b', base());
    await stage.start(['--nacos', `127.0.0.1:${server.port}`, '--nacos-services', 'b', '--config', stage.rulesFile]);
  }, 240_000);
  afterAll(async () => {
    console.log(times.join('\n'));
    await stage?.close();
    await server?.close();
  });

  const base = () => ({ ip: '127.0.0.1', port: stage.bBase });
  const gray = (label: string) => ({
    ip: '127.0.0.1',
    port: stage.bGray,
    metadata: { 'traffic.opensergo.io/label': label },
  });

  /** Makes a change, and measures until a request with a label shows it. */
  async function follows(what: string, change: () => Promise<void>, label: string, member: string): Promise<void> {
    await change();
    const from = performance.now();
    const headers = { 'x-opensergo-traffic': label };
    for (;;) {
      const { body } = await call(stage.outbound, { headers });
      if (body === member) break;
      if (performance.now() - from > 10_000) throw new Error(`${what}: ${body} after 10 s, not ${member}`);
      await sleep(5);
    }
    const ms = performance.now() - from;
    times.push(`${server.kind}, ${what}: ${ms.toFixed(0)} ms until a request shows it`);
    expect(ms).toBeLessThan(withinMs);
  }

  test('follows what is registered, changed and deregistered', async () => {
    const { client } = server;
    expect(await call(stage.outbound)).toMatchObject({ status: 200, body: 'b-base' });
    // r-nacos gives an address that is registered again the metadata that it had before.
    const rounds = server.kind === 'nacos' ? 3 : 1;
    for (let round = 0; round < rounds; round++) {
      await follows('a gray instance is registered', () => client.register('b', gray('gray')), 'gray', 'b-gray');
      await follows('its label is changed', () => client.register('b', gray('blue')), 'blue', 'b-gray');
      await follows('it is deregistered', () => client.deregister('b', gray('blue')), 'blue', 'b-base');
    }
    expect(await call(stage.outbound)).toMatchObject({ status: 200, body: 'b-base' });
  }, 60_000);

  test('stays while the registry is away, and follows it again', async () => {
    const { client } = server;
    const label = server.kind === 'nacos' ? 'gray' : 'blue'; // the metadata of before, see above
    await follows('before the loss', () => client.register('b', gray('gray')), label, 'b-gray');
    await server.kill();
    await sleep(1_000); // the loss is noticed, and nothing comes of it
    expect(await call(stage.outbound)).toMatchObject({ body: 'b-base' });
    expect(await call(stage.outbound, { headers: { 'x-opensergo-traffic': label } })).toMatchObject({
      body: 'b-gray',
    });
    await server.start('keep');
    const beats = setInterval(() => void client.register('b', base()).catch(() => {}), 2_000);
    try {
      // Gray does not register again: it is kept for a while, because others need their time to notice, and then it is gone.
      for (const until = performance.now() + 90_000; performance.now() < until; await sleep(50)) {
        const { status, body } = await call(stage.outbound, { headers: { 'x-opensergo-traffic': label } });
        expect(status).toBe(200);
        if (body === 'b-base') return;
      }
    } finally {
      clearInterval(beats);
    }
    throw new Error('what is gone after the loss is not followed');
  }, 240_000);
});
