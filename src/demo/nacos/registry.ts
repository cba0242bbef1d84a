// The registry of the demo: a real Nacos, and in it the instances that the demo's applications would register themselves.
import { join } from 'node:path';
import type { Instance, Registry } from '../registry.ts';
import { freePorts, isFree } from '../topology.ts';
import { findNacos } from './install.ts';
import { launchNacos } from './launch.ts';

export type NacosRegistry = Registry & { stop(): Promise<void> };

export type NacosRegistryOptions = {
  readonly folder: string;
  readonly rules: string;
  readonly say: (text: string) => void;
};

/** Nacos forgets who has not been heard of for 15 s. */
const beatMs = 4_000;

/** Rejects where there is no Nacos to be had, with what it takes. */
export async function nacosRegistry({ folder, rules, say }: NacosRegistryOptions): Promise<NacosRegistry> {
  say('Looking for a Nacos (the first time it is downloaded, 150 MB)');
  const installed = await findNacos().catch((error: unknown) => {
    throw new Error(`--nacos needs a Nacos: java 17 and mvn, or a binary of r-nacos named by RNACOS. ${String(error)}`);
  });
  const port = await freeBase();
  say(`Starting ${installed.kind}${installed.kind === 'nacos' ? ' (about half a minute)' : ''}`);
  const nacos = await launchNacos(installed, { port, home: join(folder, 'nacos') });
  let registered: readonly Instance[] = [];
  const beat = setInterval(() => {
    for (const each of registered) void send('POST', each).catch(() => {}); // the next beat says it again
  }, beatMs);
  return {
    flags: ['--config', rules, '--nacos', `127.0.0.1:${port}`],
    files: [],
    async publish(instances) {
      const keys = new Set(instances.map(keyOf));
      for (const gone of registered.filter((each) => !keys.has(keyOf(each)))) await send('DELETE', gone);
      for (const each of instances) await send('POST', each);
      registered = instances;
    },
    async stop() {
      clearInterval(beat);
      await nacos.stop();
    },
  };

  /** Registering again is what keeps an instance alive. */
  async function send(method: 'POST' | 'DELETE', instance: Instance): Promise<void> {
    const { service, address, port: at, labels } = instance;
    // What a gateway routes to A is said by its instances.
    const metadata = { ...labels, ...(service === 'a' && { 'lanekeeper.io/paths': '/a' }) };
    const form = { serviceName: service, ip: address, port: String(at), metadata: JSON.stringify(metadata) };
    const url = `http://127.0.0.1:${port}/nacos/v1/ns/instance?${new URLSearchParams(form)}`;
    const response = await fetch(url, { method });
    if (!response.ok) throw new Error(`Nacos answered ${response.status} to ${method} of an instance of ${service}`);
  }
}

function keyOf({ service, address, port }: Instance): string {
  return `${service} ${address} ${port}`;
}

/** It takes the ports 1000 below, and 1000 and 1001 above as well. */
export async function freeBase(): Promise<number> {
  for (;;) {
    const [port = 0] = await freePorts(1);
    if (port < 12_000 || port > 30_000) continue;
    const others = await Promise.all([port - 1_000, port + 1_000, port + 1_001].map(isFree));
    if (others.every(Boolean)) return port;
  }
}
