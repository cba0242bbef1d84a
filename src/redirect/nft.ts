// The rules as nft takes them: one table of both families, laid or taken away in one transaction.
import { type Exempt, inboundSource, type PortRange, type Redirect } from './redirect.ts';

export const nftTable = 'inet lanekeeper';

// Added before it is deleted, because nft 1.0.6 cannot delete what may not be there.
const gone = `table ${nftTable}\ndelete table ${nftTable}\n`;

export function renderNftRemoval(): string {
  return gone;
}

/** Takes the place of what was laid before. */
export function renderNft({ inbound, outbound, exempt }: Redirect): string {
  const skipped = inbound && ports(inbound.except);
  const chains = [
    ...(inbound ? [chain('inbound', 'prerouting', [...newTcp, 'iifname "lo" return', ...to(inbound)])] : []),
    chain('outbound', 'output', [
      ...newTcp,
      // Envoy → the application: has been through the inbound listener.
      `oifname "lo" ip saddr ${inboundSource[4]} return`,
      `oifname "lo" ip6 saddr ${inboundSource[6]} return`,
      // Envoy → its own pod: a call to itself enters as any other does.
      ...(inbound && skipped
        ? [
            `oifname "lo" tcp dport { ${skipped} } return`,
            ...exempt.flatMap((who) => [
              `oifname "lo" ${matching(who)} ip daddr != 127.0.0.0/8 ${redirectTo(inbound.port)}`,
              `oifname "lo" ${matching(who)} ip6 daddr != ::1 ${redirectTo(inbound.port)}`,
            ]),
          ]
        : []),
      'oifname "lo" return',
      ...(outbound
        ? [
            ...exempt.map((who) => `${matching(who)} return`),
            ...outbound.exceptRanges.map(
              ({ address, prefix }) => `${address.includes(':') ? 'ip6' : 'ip'} daddr ${address}/${prefix} return`,
            ),
            ...to(outbound),
          ]
        : []),
    ]),
  ];
  return `${gone}table ${nftTable} {\n${chains.join('')}}\n`;
}

// Only what opens a connection: one that is older than the rules, and unknown to the kernel's tracking, would be reset.
const newTcp = ['meta l4proto != tcp return', 'tcp flags & (fin | syn | rst | ack) != syn return'];

/** A number for the priority: nft 1.0.6 knows `dstnat` only in prerouting. */
function chain(name: string, hook: 'prerouting' | 'output', rules: readonly string[]): string {
  const lines = [`type nat hook ${hook} priority -100; policy accept;`, ...rules];
  return `  chain ${name} {\n${lines.map((line) => `    ${line}\n`).join('')}  }\n`;
}

function to({ port, except }: { port: number; except: readonly PortRange[] }): string[] {
  return [...(except.length > 0 ? [`tcp dport { ${ports(except)} } return`] : []), redirectTo(port)];
}

/** `redirect to` is refused where the very rule does not say which protocol it is about. */
function redirectTo(port: number): string {
  return `meta l4proto tcp redirect to :${port}`;
}

function ports(ranges: readonly PortRange[]): string {
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(', ');
}

function matching({ by, value }: Exempt): string {
  return `meta ${{ uid: 'skuid', gid: 'skgid', mark: 'mark' }[by]} ${value}`;
}
