// The bootstrap: what of Envoy's configuration does not change while it runs.

import type { Workload } from '../mesh/workload.ts';
import { control, dynamicResources } from './clusters/control.ts';
import { application, capturedClusters, databaseProxies, marking, processor } from './clusters/own.ts';
import { passListener } from './listeners/captured.ts';
import { type Resource, type RunPaths, rememberingKey } from './resource.ts';

export type BootstrapInput = {
  readonly workload: Workload;
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

export function renderBootstrap({ workload, paths, remembering }: BootstrapInput): Resource {
  const { inbound, interception } = workload;
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
      listeners: interception ? [passListener] : [],
      clusters: [
        processor(paths.processorSocket),
        control(paths.controlSocket),
        ...inbound.filter(({ captured }) => !captured).map(application),
        ...(interception ? capturedClusters(interception) : []),
        ...(interception?.databasePorts?.length ? [databaseProxies(paths.databaseSocket)] : []),
      ],
    },
    dynamic_resources: dynamicResources,
    ...(interception?.mark !== undefined && {
      cluster_manager: { upstream_bind_config: marking(interception.mark) },
    }),
  };
}
