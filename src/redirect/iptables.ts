// The rules as iptables-restore takes them, a family at a time; each text is one transaction.
import { type Exempt, inboundSource, type PortRange, type Redirect } from './redirect.ts';

export type Family = 4 | 6;

const chains = ['LANEKEEPER_IN', 'LANEKEEPER_OUT'] as const;
const loopback = { 4: '127.0.0.0/8', 6: '::1/128' } as const;
const host = { 4: 32, 6: 128 } as const;

/** The rules of one family, in the words of iptables-save. */
export function iptablesRules({ inbound, outbound, exempt }: Redirect, family: Family): string[] {
  const skipped = inbound?.except ?? [];
  return [
    ...(inbound ? ['-A PREROUTING -p tcp -j LANEKEEPER_IN'] : []),
    '-A OUTPUT -p tcp -j LANEKEEPER_OUT',
    ...(inbound
      ? [
          newOnly('LANEKEEPER_IN'),
          '-A LANEKEEPER_IN -i lo -j RETURN',
          ...multiport(skipped).map((ports) => `-A LANEKEEPER_IN -p tcp ${ports} -j RETURN`),
          `-A LANEKEEPER_IN -p tcp ${redirectTo(inbound.port)}`,
        ]
      : []),
    newOnly('LANEKEEPER_OUT'),
    // Envoy → the application: has been through the inbound listener.
    `-A LANEKEEPER_OUT -s ${inboundSource[family]}/${host[family]} -o lo -j RETURN`,
    // Envoy → its own pod: a call to itself enters as any other does.
    ...(inbound
      ? [
          ...multiport(skipped).map((ports) => `-A LANEKEEPER_OUT -o lo -p tcp ${ports} -j RETURN`),
          ...exempt.map(
            (who) =>
              `-A LANEKEEPER_OUT ! -d ${loopback[family]} -o lo -p tcp ${matching(who)} ${redirectTo(inbound.port)}`,
          ),
        ]
      : []),
    '-A LANEKEEPER_OUT -o lo -j RETURN',
    ...(outbound
      ? [
          ...exempt.map((who) => `-A LANEKEEPER_OUT ${matching(who)} -j RETURN`),
          ...outbound.exceptRanges
            .filter(({ address }) => address.includes(':') === (family === 6))
            .map(({ address, prefix }) => `-A LANEKEEPER_OUT -d ${address}/${prefix} -j RETURN`),
          ...multiport(outbound.except).map((ports) => `-A LANEKEEPER_OUT -p tcp ${ports} -j RETURN`),
          `-A LANEKEEPER_OUT -p tcp ${redirectTo(outbound.port)}`,
        ]
      : []),
  ];
}

/** Our rules in the output of iptables-save: the chains, and the jumps to them. */
export function ownRules(saved: string): string[] {
  return saved.split('\n').filter((line) => line.startsWith('-A ') && line.includes('LANEKEEPER_'));
}

/** Input of `iptables-restore --noflush`: our `present` rules make way for the `wanted` ones, none for none. */
export function renderRestore(present: readonly string[], wanted: readonly string[]): string {
  const lines = [
    '*nat',
    ...chains.map((name) => `:${name} - [0:0]`), // made where it is not there, else emptied
    ...present.filter((line) => !line.startsWith('-A LANEKEEPER_')).map((line) => line.replace('-A', '-D')),
    ...wanted,
    ...chains.filter((name) => !wanted.some((line) => line.startsWith(`-A ${name} `))).map((name) => `-X ${name}`),
    'COMMIT',
  ];
  return `${lines.join('\n')}\n`;
}

// Only what opens a connection: one that is older than the rules, and unknown to the kernel's tracking, would be reset.
function newOnly(name: string): string {
  return `-A ${name} -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j RETURN`;
}

function redirectTo(port: number): string {
  return `-j REDIRECT --to-ports ${port}`;
}

/** Fifteen places to a rule at most, and a range takes two of them. */
function multiport(ranges: readonly PortRange[]): string[] {
  const lists: { places: number; ports: string[] }[] = [];
  for (const { first, last } of ranges) {
    const places = first === last ? 1 : 2;
    const text = first === last ? `${first}` : `${first}:${last}`;
    const list = lists.at(-1);
    if (list === undefined || list.places + places > 15) lists.push({ places, ports: [text] });
    else {
      list.places += places;
      list.ports.push(text);
    }
  }
  return lists.map(({ ports }) => `-m multiport --dports ${ports.join(',')}`);
}

function matching({ by, value }: Exempt): string {
  return by === 'mark' ? `-m mark --mark 0x${value.toString(16)}` : `-m owner --${by}-owner ${value}`;
}
