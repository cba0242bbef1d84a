// ::6 on the loopback interface, where Envoy's inbound connections over IPv6 come from; 127.0.0.6 is there anyway.
import { readFileSync } from 'node:fs';
import type { Reversible } from './backend.ts';
import { inboundSource, type Step } from './redirect.ts';

const address = `${inboundSource[6]}/128`;
const add: Step = { command: ['ip', '-6', 'addr', 'add', address, 'dev', 'lo', 'nodad'] };
const remove: Step = { command: ['ip', '-6', 'addr', 'del', address, 'dev', 'lo'] };

export type Ipv6State = 'off' | 'without the address' | 'with the address';

export function ipv6State(): Ipv6State {
  try {
    if (readFileSync('/proc/sys/net/ipv6/conf/lo/disable_ipv6', 'utf8').trim() !== '0') return 'off';
    const has = /^0{31}6 .* lo$/m.test(readFileSync('/proc/net/if_inet6', 'utf8'));
    return has ? 'with the address' : 'without the address';
  } catch {
    return 'off';
  }
}

export function addressSteps(state: Ipv6State, wanted: boolean): Reversible[] {
  if (state === 'off' || wanted === (state === 'with the address')) return [];
  return wanted ? [{ ...add, undo: remove }] : [{ ...remove, undo: add }];
}
