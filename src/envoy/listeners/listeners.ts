// Listeners: where callers reach this pod, and where its application calls others.

import type { Mesh } from '../../mesh/mesh.ts';
import type { Address, Inbound, Interception, Workload } from '../../mesh/workload.ts';
import type { Direction } from '../../traffic/agreement.ts';
import type { Resource, RunPaths } from '../resource.ts';
import { inboundPorts, inboundTable, isEdge, untrustedTable } from '../routes/tables.ts';
import { listenAt } from './address.ts';
import { databaseExit, inboundCapture, outboundCapture } from './captured.ts';
import { connectionManager } from './connection.ts';
import { edgeMutations, meshMutations, outboundMutations } from './headers.ts';

/** Every listener of a pod. `httpPorts` are those that its services are called at: with interception, what is read as HTTP. */
export function renderListeners(
  workload: Workload,
  mesh: Mesh,
  { paths, httpPorts }: { readonly paths: RunPaths; readonly httpPorts: readonly number[] },
): Resource[] {
  const edge = edgeMutations(workload.edgeTrace);
  const { gateway, outbound, trustedPeers, interception } = workload;
  const ports = inboundPorts(workload, mesh);
  const captured = ports.filter((port) => port.captured);
  return [
    ...(gateway ? [listener('gateway', [gateway], [chain('gateway', 'gateway', edge)], 'INBOUND')] : []),
    ...ports
      .filter((port) => !port.captured)
      .map((port) => listener(inboundTable(port), [port.listen], inboundChains(port), 'INBOUND')),
    ...(outbound.length > 0
      ? [
          listener(
            'outbound',
            outbound.map(({ listen }) => listen),
            [outboundChain()],
            'OUTBOUND',
          ),
        ]
      : []),
    ...(interception
      ? [
          outboundCapture(interception, httpPorts, outboundChain()),
          inboundCapture(
            interception,
            captured.flatMap((port) => inboundChains(port).map((each) => atPort(each, port))),
          ),
          ...(isMarked(interception) ? [databaseExit(paths.databaseExitSocket)] : []),
        ]
      : []),
  ];

  function outboundChain(): Resource {
    return chain('outbound', 'outbound', outboundMutations);
  }

  /** Callers that are no trusted peers are met as at an edge, on the same port. */
  function inboundChains(port: Inbound): Resource[] {
    const name = inboundTable(port);
    if (isEdge(port, workload, mesh)) return [chain('edge', name, edge)];
    const trusted = chain('inbound', name, meshMutations);
    if (trustedPeers === undefined) return [trusted];
    const ranges = trustedPeers.map(({ address, prefix }) => ({ address_prefix: address, prefix_len: prefix }));
    return [
      { ...trusted, name: 'trusted', filter_chain_match: { source_prefix_ranges: ranges } },
      { ...chain('edge', untrustedTable(port), edge), name: 'untrusted' },
    ];
  }

  function chain(direction: Direction, table: string, mutations: readonly Resource[]): Resource {
    return { filters: [connectionManager({ direction, table, mutations, paths, trustedHops: workload.trustedHops })] };
  }
}

/** True where lanekeeper cannot open connections to databases itself. */
export function isMarked({ mark, databasePorts = [] }: Interception): boolean {
  return mark !== undefined && databasePorts.length > 0;
}

/** A chain of a port, among those of others on one listener. */
function atPort(chain: Resource, { listen }: Inbound): Resource {
  const { name, filter_chain_match: match } = chain;
  return {
    ...chain,
    name: `${listen.port}${name === undefined ? '' : `_${name}`}`,
    filter_chain_match: { ...(match as Resource | undefined), destination_port: listen.port },
  };
}

function listener(
  name: string,
  addresses: readonly Address[],
  chains: readonly Resource[],
  direction: 'INBOUND' | 'OUTBOUND',
): Resource {
  return { name, ...listenAt(addresses), traffic_direction: direction, filter_chains: chains };
}
