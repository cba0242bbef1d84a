// Where a listener listens.
import type { Address } from '../../mesh/workload.ts';
import type { Resource } from '../resource.ts';

/** One listener on several addresses. */
export function listenAt(addresses: readonly Address[]): Resource {
  const [first, ...others] = addresses.map(({ address, port }) => ({
    address: { socket_address: { address, port_value: port } },
  }));
  return {
    ...first,
    ...(others.length > 0 && { additional_addresses: others }),
    enable_reuse_port: false, // else a second Envoy on a taken port starts and takes half of the connections, silently
  };
}
