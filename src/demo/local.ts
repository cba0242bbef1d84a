// The demo on this machine as it is: every process has ports of its own, and applications call local ones.
import type { Placement } from './placement.ts';
import { freePorts, type Member } from './topology.ts';

export async function placeLocally(members: readonly Member[], gatewayPort: number): Promise<Placement> {
  const free = await freePorts(members.length * 3);
  const ports = new Map(
    members.map(({ name }, index) => {
      const [port = 0, application = 0, next = 0] = free.slice(index * 3);
      return [name, { port, application, next }];
    }),
  );
  const portsOf = ({ name }: Member) => ports.get(name) ?? { port: 0, application: 0, next: 0 };
  const here = { within: (argv: readonly string[]) => argv };
  const anyAdmin = ['--admin', '0'];
  return {
    endpoint: (member) => ({ address: '127.0.0.1', port: portsOf(member).port }),
    addresses: () => [],
    application(member) {
      const { application, next } = portsOf(member);
      const url = member.next && { [`${member.next.toUpperCase()}_URL`]: `http://127.0.0.1:${next}` };
      return { ...here, env: { PORT: String(application), ...url } };
    },
    sidecar(member) {
      const { port, application, next } = portsOf(member);
      const outbound = member.next ? ['--outbound', `${next}=${member.next}`] : [];
      return { ...here, flags: [...anyAdmin, '--inbound', `${port}=${application}`, ...outbound] };
    },
    gateway: { ...here, flags: [...anyAdmin, '--gateway', String(gatewayPort)] },
    share: async () => {},
    openPort: () => [],
    hint: '',
    close: async () => {},
  };
}
