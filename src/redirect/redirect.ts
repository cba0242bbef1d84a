// What of a pod's TCP is led through its Envoy: the words that every backend renders.
import type { Range } from '../mesh/workload.ts';

/** From one port to another, both of them in. */
export type PortRange = { readonly first: number; readonly last: number };

/** Whose connections go out untouched: those of Envoy and lanekeeper, which would else come back to themselves. */
export type Exempt = { readonly by: 'uid' | 'gid' | 'mark'; readonly value: number };

export type Redirect = {
  /** What reaches the pod; absent: it is left alone. */
  readonly inbound?: { readonly port: number; readonly except: readonly PortRange[] };
  /** What leaves the pod; absent: it is left alone. */
  readonly outbound?: {
    readonly port: number;
    readonly except: readonly PortRange[];
    readonly exceptRanges: readonly Range[];
  };
  readonly exempt: readonly Exempt[];
};

/** Envoy's admin, lanekeeper's admin, readiness and Prometheus: never through Envoy's inbound listener. */
export const ownPorts: readonly number[] = [15000, 15020, 15021, 15090];

/**
 * Where Envoy's inbound connections to the application come from: the sign that they have been through it. The first
 * is on every loopback interface, the second has to be added to it.
 */
export const inboundSource = { 4: '127.0.0.6', 6: '::6' } as const;

/** One program to run, and what it reads. */
export type Step = { readonly command: readonly string[]; readonly input?: string };

export const backends = ['nft', 'iptables-nft', 'iptables-legacy'] as const;
export type Backend = (typeof backends)[number];

/** In order, none twice, neighbours joined: an interval set takes no two that overlap. */
export function mergePorts(ranges: readonly PortRange[]): PortRange[] {
  const merged: PortRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before === undefined || range.first > before.last + 1) merged.push(range);
    else if (range.last > before.last) merged.splice(-1, 1, { ...before, last: range.last });
  }
  return merged;
}
