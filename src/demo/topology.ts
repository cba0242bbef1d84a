// The article's three services, each in base and gray: who is there, and whom they call.
import { createServer, type Server } from 'node:net';

export const serviceNames = ['a', 'b', 'c'] as const;
export type ServiceName = (typeof serviceNames)[number];
export type Version = 'base' | 'gray';

export type Member = {
  /** `a-gray`. */
  readonly name: string;
  readonly service: ServiceName;
  readonly version: Version;
  /** The service that it calls. */
  readonly next?: ServiceName;
};

/** Every version of every service, without those that `without` names (`c:gray`). */
export function planMembers(without: readonly string[]): Member[] {
  return serviceNames
    .flatMap((service) => (['base', 'gray'] as const).map((version) => ({ service, version })))
    .filter(({ service, version }) => !without.includes(`${service}:${version}`))
    .map(({ service, version }) => {
      const next = serviceNames[serviceNames.indexOf(service) + 1];
      return { name: `${service}-${version}`, service, version, ...(next && { next }) };
    });
}

export function labelsOf({ service, version }: Member): Record<string, string> {
  return { app: service, ...(version === 'gray' && { 'traffic.opensergo.io/label': 'gray' }) };
}

const ports = { first: 10_240, count: 22_000 };
let next = (process.pid * 64) % ports.count;

/**
 * Distinct ports that nobody listens on: held all at once, then let go. Below those that systems give to calls that go out
 * (32768 and up): one of these could be taken between here and its use. So could one by another process that looks for free
 * ports; each begins at a place of its own and goes on from there, as of random ones two were the same once in some runs.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = new Map<number, Server>();
  while (servers.size < count) {
    const port = ports.first + next;
    next = (next + 1) % ports.count;
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

/** On the loopback interface. */
export function listen(port: number): Promise<Server> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server));
  });
}
