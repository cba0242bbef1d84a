// The demo on this machine as it is: every process has ports of its own, and applications call local ones.
import type { Placement } from './placement.ts';
import { freePorts, type Member } from './topology.ts';

/** `databasePort`: of a server on this machine, which every application calls through its sidecar. */
export async function placeLocally(
  members: readonly Member[],
  gatewayPort: number,
  databasePort: number | undefined,
): Promise<Placement> {
  const free = await freePorts(members.length * 4);
  const ports = new Map(
    members.map(({ name }, index) => {
      const [port = 0, application = 0, next = 0, database = 0] = free.slice(index * 4);
      return [name, { port, application, next, database }];
    }),
  );
  const portsOf = ({ name }: Member) => ports.get(name) ?? { port: 0, application: 0, next: 0, database: 0 };
  const here = { within: (argv: readonly string[]) => argv };
  const anyAdmin = ['--admin', '0'];
  return {
    endpoint: (member) => ({ address: '127.0.0.1', port: portsOf(member).port }),
    addresses: () => [],
    application(member) {
      const { application, next, database } = portsOf(member);
      const url = member.next && { [`${member.next.toUpperCase()}_URL`]: `http://127.0.0.1:${next}` };
      const rows = databasePort !== undefined && { DATABASE_URL: `mysql://root@127.0.0.1:${database}/mse-demo` };
      return { ...here, env: { PORT: String(application), ...url, ...rows } };
    },
    sidecar(member) {
      const { port, application, next, database } = portsOf(member);
      const outbound = member.next ? ['--outbound', `${next}=${member.next}`] : [];
      const rows = databasePort === undefined ? [] : ['--database', `${database}=127.0.0.1:${databasePort}`];
      return { ...here, flags: [...anyAdmin, '--inbound', `${port}=${application}`, ...outbound, ...rows] };
    },
    gateway: { ...here, flags: [...anyAdmin, '--gateway', String(gatewayPort)] },
    share: async () => {},
    openPort: () => [],
    hint: '',
    close: async () => {},
  };
}
