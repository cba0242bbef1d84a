// The bootstrap: everything of Envoy's configuration that is not a route table.

import type { Mesh } from '../mesh/mesh.ts';
import type { Address, Inbound, Workload } from '../mesh/workload.ts';
import type { Direction } from '../traffic/agreement.ts';
import { renderClusters } from './clusters.ts';
import { connectionManager } from './connection.ts';
import { edgeMutations, meshMutations, outboundMutations } from './headers.ts';
import { type Resource, type RunPaths, rememberingKey } from './resource.ts';
import { inboundTable, isEdge, untrustedTable } from './routes/tables.ts';

export type BootstrapInput = {
  readonly workload: Workload;
  readonly mesh: Mesh;
  readonly paths: RunPaths;
  /** Whether labels are remembered at this moment: Envoy forgets its runtime values when it restarts. */
  readonly remembering: boolean;
};

/** What of Envoy's behaviour the rest of the configuration counts on. */
export const runtime = {
  // Read when the filter is built: without it Envoy resets every stream to the processor (envoy-ext-proc.md 1).
  'envoy.reloadable_features.ext_proc_graceful_grpc_close': true,
  // A repeated header is all its lines joined, for rules and so for the gate. Envoy 1.40 would match each line alone.
  'envoy.reloadable_features.match_headers_individually': false,
  // Else a pattern of more than a hundred steps (a value of ninety letters) makes Envoy refuse the whole table.
  're2.max_program_size.error_level': 1_000_000,
};

export function renderBootstrap({ workload, mesh, paths, remembering }: BootstrapInput): Resource {
  return {
    node: { id: workload.name, cluster: 'lanekeeper' },
    // A socket, not a port: an application of the pod must not reach /quitquitquit.
    admin: { address: { pipe: { path: paths.adminSocket, mode: 0o600 } } },
    application_log_config: {
      log_format: { json_format: { time: '%Y-%m-%dT%T.%eZ', level: '%l', name: 'envoy.%n', msg: '%j' } },
    },
    layered_runtime: {
      layers: [
        {
          name: 'static',
          static_layer: { ...runtime, [rememberingKey]: remembering ? 100 : 0 },
        },
        { name: 'admin', admin_layer: {} }, // last, so that what is set live wins
      ],
    },
    stats_config: {
      // cluster.b|gray.upstream_rq_total → envoy_cluster_upstream_rq_total{lanekeeper_service="b",lanekeeper_lane="gray"}
      stats_tags: [
        { tag_name: 'lanekeeper_service', regex: '^cluster\\.(([^|.]+)\\|)' },
        { tag_name: 'lanekeeper_lane', regex: '^cluster\\.[^|.]+\\|(([^|.]+)\\.)' },
      ],
    },
    static_resources: {
      listeners: renderListeners(workload, mesh, paths),
      clusters: renderClusters(workload, mesh, paths.processorSocket),
    },
  };
}

function renderListeners(workload: Workload, mesh: Mesh, paths: RunPaths): Resource[] {
  const edge = edgeMutations(workload.edgeTrace);
  const { gateway, inbound, outbound, trustedPeers } = workload;
  return [
    ...(gateway ? [listener('gateway', [gateway], [chain('gateway', 'gateway', edge)], 'INBOUND')] : []),
    ...inbound.map((port) => listener(inboundTable(port), [port.listen], inboundChains(port), 'INBOUND')),
    ...(outbound.length > 0
      ? [
          listener(
            'outbound',
            outbound.map(({ listen }) => listen),
            [chain('outbound', 'outbound', outboundMutations)],
            'OUTBOUND',
          ),
        ]
      : []),
  ];

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

function listener(
  name: string,
  addresses: readonly Address[],
  chains: readonly Resource[],
  direction?: string,
): Resource {
  const [first, ...others] = addresses.map(({ address, port }) => ({
    address: { socket_address: { address, port_value: port } },
  }));
  return {
    name,
    ...first,
    ...(others.length > 0 && { additional_addresses: others }),
    ...(direction !== undefined && { traffic_direction: direction }),
    enable_reuse_port: false, // else a second Envoy on a taken port starts and takes half of the connections, silently
    filter_chains: chains,
  };
}
