// The registry of the demo: a real Nacos, and in it the instances that the demo's applications would register themselves.
import { join } from 'node:path';
import { freePorts, isFree } from '../topology.ts';
import { findNacos } from './install.ts';
import { launchNacos } from './launch.ts';

export type Registration = {
  readonly service: string;
  readonly ip: string;
  readonly port: number;
  readonly metadata: Readonly<Record<string, string>>;
};

export type Registry = {
  readonly kind: string;
  /** `127.0.0.1:8848`: what `--nacos` takes. */
  readonly server: string;
  register(registration: Registration): Promise<void>;
  stop(): Promise<void>;
};

/** Nacos forgets who has not been heard of for 15 s. */
const beatMs = 4_000;

/** Rejects where there is no Nacos to be had, with what it takes. */
export async function openRegistry(folder: string, say: (text: string) => void): Promise<Registry> {
  say('Looking for a Nacos (the first time it is downloaded, 150 MB)');
  const installed = await findNacos().catch((error: unknown) => {
    throw new Error(`--nacos needs a Nacos: java 17 and mvn, or a binary of r-nacos named by RNACOS. ${String(error)}`);
  });
  const port = await freeBase();
  say(`Starting ${installed.kind} (half a minute where it is Java's)`);
  const nacos = await launchNacos(installed, { port, home: join(folder, 'nacos') });
  const registrations: Registration[] = [];
  const beat = setInterval(() => {
    for (const each of registrations) void send(each).catch(() => {}); // the next beat says it again
  }, beatMs);
  return {
    kind: installed.kind,
    server: `127.0.0.1:${port}`,
    async register(registration) {
      await send(registration);
      registrations.push(registration);
    },
    async stop() {
      clearInterval(beat);
      await nacos.stop();
    },
  };

  /** Registering again is what keeps an instance alive. */
  async function send({ service, metadata, ...where }: Registration): Promise<void> {
    const form = { serviceName: service, ...where, port: String(where.port), metadata: JSON.stringify(metadata) };
    const url = `http://127.0.0.1:${port}/nacos/v1/ns/instance`;
    const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
    if (!response.ok) throw new Error(`Nacos answered ${response.status} to the registration of ${service}`);
  }
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
