// What Envoy is told of the ADS server beside it: where it is, and that clusters, endpoints, listeners and routes come from it.
import { type Resource, typeUrl } from './resource.ts';

/** The static cluster of the ADS server. */
export const xdsCluster = 'xds';

/** A config source: the ADS stream, for `rds` and `eds_cluster_config`. */
export const fromAds: Resource = { ads: {}, resource_api_version: 'V3' };

// An Envoy that starts while nobody serves waits this long for clusters, and then for listeners, before it serves what it has:
// 15 s each unless set.
const fetchTimeout = '1s';

/**
 * `dynamic_resources` of the bootstrap. Without the back-off Envoy comes back 1 to 12 s after the server does; with it within
 * half a second.
 */
export const dynamicResources: Resource = {
  ads_config: {
    api_type: 'DELTA_GRPC',
    transport_api_version: 'V3',
    set_node_on_first_message_only: true,
    grpc_services: [
      {
        envoy_grpc: {
          cluster_name: xdsCluster,
          retry_policy: { retry_back_off: { base_interval: '0.1s', max_interval: '1s' } },
        },
      },
    ],
  },
  cds_config: { ...fromAds, initial_fetch_timeout: fetchTimeout },
  lds_config: { ...fromAds, initial_fetch_timeout: fetchTimeout },
};

export function renderXdsCluster(socket: string): Resource {
  return {
    name: xdsCluster,
    type: 'STATIC',
    connect_timeout: '1s',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': typeUrl('extensions.upstreams.http.v3.HttpProtocolOptions'),
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: xdsCluster,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: socket } } } }] }],
    },
  };
}
