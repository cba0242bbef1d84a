// The article's three services, each in base and gray: who runs where, and how sidecars are told.
import { createServer, type Server } from 'node:net';
import { stringify } from 'yaml';

export const serviceNames = ['a', 'b', 'c'] as const;
export type ServiceName = (typeof serviceNames)[number];
export type Version = 'base' | 'gray';

export type Member = {
  /** `a-gray`. */
  readonly name: string;
  readonly service: ServiceName;
  readonly version: Version;
  /** Where callers reach it: its Envoy. */
  readonly port: number;
  readonly applicationPort: number;
  /** The service that it calls, and the local port by which. */
  readonly next?: { readonly service: ServiceName; readonly port: number };
};

/** Members with free ports, without those that `without` names (`c:gray`). */
export async function planMembers(without: readonly string[]): Promise<Member[]> {
  const present = serviceNames
    .flatMap((service) => (['base', 'gray'] as const).map((version) => ({ service, version })))
    .filter(({ service, version }) => !without.includes(`${service}:${version}`));
  const ports = await freePorts(present.length * 3);
  return present.map(({ service, version }, index) => {
    const [port = 0, applicationPort = 0, nextPort = 0] = ports.slice(index * 3, index * 3 + 3);
    const next = serviceNames[serviceNames.indexOf(service) + 1];
    const call = next && { next: { service: next, port: nextPort } };
    return { name: `${service}-${version}`, service, version, port, applicationPort, ...call };
  });
}

/** The document of every service; A is what the gateway routes `/a` to. */
export function serviceDocuments(members: readonly Member[]): string {
  return serviceNames
    .map((name) => {
      const own = members.filter(({ service }) => service === name);
      const instances = own.map((member) => ({ address: '127.0.0.1', port: member.port, labels: labelsOf(member) }));
      return stringify({
        apiVersion: 'lanekeeper.io/v1alpha1',
        kind: 'Service',
        metadata: { name },
        spec: { ports: [{ port: 80 }], instances, ...(name === 'a' && { paths: ['/a'] }) },
      });
    })
    .join('---\n');
}

export function labelsOf({ service, version }: Member): Record<string, string> {
  return { app: service, ...(version === 'gray' && { 'traffic.opensergo.io/label': 'gray' }) };
}

/**
 * Distinct ports that nobody listens on: held all at once, then let go. Below those that systems give to calls that go out
 * (32768 and up): one of these could be taken between here and its use.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = new Map<number, Server>();
  while (servers.size < count) {
    const port = 10_240 + Math.floor(Math.random() * 22_000);
    const server = servers.has(port) ? undefined : await listen(port).catch(() => undefined);
    if (server) servers.set(port, server);
  }
  await Promise.all([...servers.values()].map((server) => new Promise((resolve) => server.close(resolve))));
  return [...servers.keys()];
}

/** True where nobody listens on the port of this machine. */
export async function isFree(port: number): Promise<boolean> {
  const server = await listen(port).catch(() => undefined);
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  return server !== undefined;
}

function listen(port: number): Promise<Server> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server));
  });
}
