// The bootstrap: everything of Envoy's configuration that is not a route table.

import type { Mesh } from '../mesh/mesh.ts';
import type { Address, Workload } from '../mesh/workload.ts';
import type { Direction } from '../traffic/agreement.ts';
import { renderClusters } from './clusters.ts';
import { connectionManager } from './connection.ts';
import { edgeMutations, meshMutations, outboundMutations } from './headers.ts';
import { type Resource, type RunPaths, rememberingKey } from './resource.ts';
import { inboundTable, isEdge } from './routes.ts';

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
  const gateway = workload.gateway && [
    listener(
      'gateway',
      [workload.gateway],
      connectionManager({ direction: 'gateway', table: 'gateway', mutations: edge, paths }),
    ),
  ];
  const inbound = workload.inbound.map((port) => {
    const direction: Direction = isEdge(port, workload, mesh) ? 'edge' : 'inbound';
    const mutations = direction === 'edge' ? edge : meshMutations;
    return listener(
      inboundTable(port),
      [port.listen],
      connectionManager({ direction, table: inboundTable(port), mutations, paths }),
      'INBOUND',
    );
  });
  const addresses = workload.outbound.map(({ listen }) => listen);
  const manager = connectionManager({ direction: 'outbound', table: 'outbound', mutations: outboundMutations, paths });
  const outbound = addresses.length > 0 ? [listener('outbound', addresses, manager, 'OUTBOUND')] : [];
  return [...(gateway ?? []), ...inbound, ...outbound];
}

function listener(
  name: string,
  addresses: readonly Address[],
  manager: Resource,
  direction?: Resource[string],
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
    filter_chains: [{ filters: [manager] }],
  };
}
