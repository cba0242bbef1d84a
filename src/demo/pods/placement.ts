// The demo in pods, as a cluster has them: every application on the same port, called by the name of its service.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, moduleFile, startChild, type Within } from '../child.ts';
import type { Placement } from '../placement.ts';
import { listen, type Member, serviceNames } from '../topology.ts';
import { createNetwork, type Network } from './network.ts';
import { kindFor } from './users.ts';

const port = 8080;
const applicationUid = 1000;
const sidecarUid = 1337;
const mark = '0x539';
const gatewayName = 'gateway';

export type PodsOptions = {
  readonly members: readonly Member[];
  /** The gateway's, on this machine. */
  readonly gatewayPort: number;
  readonly folder: string;
  /** What the processes have to read. */
  readonly files: readonly string[];
  readonly say: (text: string) => void;
};

/** Resolves when the pods are there and connections in them are led; rejects with what this machine lacks. */
export async function placeInPods({ members, gatewayPort, folder, files, say }: PodsOptions): Promise<Placement> {
  const kind = kindFor({ files: [...files, process.execPath, moduleFile('../main')], folder }, say);
  const names = [...members.map(({ name }) => name), gatewayName];
  say(`Making ${names.length} pods (${kind})`);
  const network = await createNetwork({
    kind,
    folder,
    pods: names,
    services: serviceNames.map((name) => {
      const pods = members.filter(({ service }) => service === name).map((member) => member.name);
      return { name, port: 80, targetPort: port, pods };
    }),
  });
  const single = kind === 'single user';
  try {
    await Promise.all(members.map(({ name }) => redirect(network, name, single ? ['--mark', mark] : [])));
    writeScripts(network, names, join(folder, 'pods'));
  } catch (error) {
    await network.close();
    throw error;
  }
  const within = (name: string, uid: number) => (argv: readonly string[]) => network.pod(name).command(uid, argv);
  const intercept = single ? `15001:15006:${mark}` : 'yes';
  return {
    endpoint: ({ name }) => ({ address: network.pod(name).address, port }),
    addresses: (service) => [network.service(service).address, network.service(service).address6],
    application({ name, next }) {
      const url = next && { [`${next.toUpperCase()}_URL`]: `http://${next}` };
      return { within: within(name, applicationUid), env: { HOST: '::', PORT: String(port), ...url } };
    },
    sidecar: ({ name }) => ({
      within: within(name, sidecarUid),
      flags: ['--intercept', intercept, '--inbound', String(port)],
    }),
    gateway: { within: within(gatewayName, sidecarUid), flags: ['--gateway', `0.0.0.0:${port}`] },
    async share({ read, write }) {
      if (single) return;
      // By group: this user stays the owner, who can remove what others have written there.
      const script = `chgrp ${sidecarUid} "$@" && chmod g+rX "$@" && shift ${read.length} && chmod g+w "$@"`;
      await network.pod(gatewayName).run(['sh', '-c', script, 'sh', ...read, ...write]);
    },
    openPort: () => [forward(gatewayPort, within(gatewayName, applicationUid), folder)],
    hint: hint(network, members, folder),
    close: network.close,
  };
}

async function redirect(network: Network, name: string, flags: readonly string[]): Promise<void> {
  await network.pod(name).run([process.execPath, moduleFile('../main'), 'redirect', ...flags]);
}

/** `pods/a-base curl http://b/` is run in that pod, as its application. */
function writeScripts(network: Network, names: readonly string[], folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of names) {
    const words = network.pod(name).command(applicationUid, ['"$@"']);
    writeFileSync(join(folder, name), `#!/bin/sh\nexec ${words.join(' ')}\n`, { mode: 0o700 });
  }
}

async function forward(gatewayPort: number, within: Within, folder: string): Promise<Child> {
  const socket = await listen(gatewayPort);
  try {
    return await startChild({
      name: 'port-forward',
      args: [moduleFile('./pods/port-forward'), String(port)],
      env: {},
      logFile: join(folder, 'port-forward.log'),
      ready: 'message',
      within,
      socket,
    });
  } finally {
    socket.close();
  }
}

function hint(network: Network, members: readonly Member[], folder: string): string {
  const places = members.map(({ name }) => `${network.pod(name).address}:${port} (${name})`);
  return `Every application is in a pod of its own. A program in the pod of a-base, as its application:

  ${join(folder, 'pods', 'a-base')} curl http://b/

Instances, should it pick one itself: ${places.join(', ')}`;
}
