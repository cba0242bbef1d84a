// The control plane beside Envoy: this very process, which serves what changes over a socket.
import { controlCluster, type Resource } from '../resource.ts';
import { http2, socketAssignment } from './own.ts';

/** Where a resource comes from that changes while Envoy runs. */
export const controlSource: Resource = { ads: {}, resource_api_version: 'V3' };

// An Envoy that starts while nobody serves waits this long for clusters, and then for listeners, before it serves what it has:
// 15 s each unless set.
const fetchTimeout = '1s';

/**
 * Delta: what did not change is not sent again after a restart of either side. Without the back-off of its own Envoy came
 * back 1 to 12 s after a restart of lanekeeper; with it, 0.1 to 0.5 s (ads.md 1).
 */
export const dynamicResources: Resource = {
  ads_config: {
    api_type: 'DELTA_GRPC',
    transport_api_version: 'V3',
    set_node_on_first_message_only: true,
    grpc_services: [
      {
        envoy_grpc: {
          cluster_name: controlCluster,
          retry_policy: { retry_back_off: { base_interval: '0.1s', max_interval: '1s' } },
        },
      },
    ],
  },
  cds_config: { ...controlSource, initial_fetch_timeout: fetchTimeout },
  lds_config: { ...controlSource, initial_fetch_timeout: fetchTimeout },
};

export function control(socket: string): Resource {
  return {
    name: controlCluster,
    type: 'STATIC',
    connect_timeout: '1s',
    typed_extension_protocol_options: http2({}),
    load_assignment: socketAssignment(controlCluster, socket),
  };
}
