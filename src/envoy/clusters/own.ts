// Clusters that no service is behind: the application of the pod, the processor, and wherever a connection was going.

import type { Inbound, Interception } from '../../mesh/workload.ts';
import { processorConnectionMs } from '../../traffic/agreement.ts';
import {
  applicationCluster,
  blackholeCluster,
  capturedCluster,
  databaseCluster,
  passthroughCluster,
  pickedCluster,
  processorCluster,
  type Resource,
  typeUrl,
} from '../resource.ts';

/** The application behind a port that callers know. */
export function application(inbound: Inbound): Resource {
  const { address, port } = inbound.application;
  const name = applicationCluster(inbound);
  const endpoint = { endpoint: { address: { socket_address: { address, port_value: port } } } };
  return {
    name,
    connect_timeout: '0.25s',
    ...unlimited,
    typed_extension_protocol_options: sameProtocol,
    type: 'STATIC',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] },
  };
}

/**
 * Where connections go that the kernel redirected: to the application (whose peer is then 127.0.0.6 or ::6, by which the
 * kernel's rules know what has been here already), to the instance that a client picked, or to an address nobody knows.
 */
export function capturedClusters({ mark }: Interception): Resource[] {
  const sources = {
    source_address: { address: '127.0.0.6', port_value: 0 },
    extra_source_addresses: [{ address: { address: '::6', port_value: 0 } }],
    ...marking(mark),
  };
  return [
    { ...originalDestination(capturedCluster, '0.25s'), upstream_bind_config: sources },
    originalDestination(pickedCluster, '0.25s'),
    originalDestination(passthroughCluster, '5s'),
    { name: blackholeCluster, type: 'STATIC', connect_timeout: '1s' },
  ];
}

/** The proxies of databases in lanekeeper: a PROXY header says where the application was going. */
export function databaseProxies(socket: string): Resource {
  return {
    name: databaseCluster,
    type: 'STATIC',
    connect_timeout: '1s',
    ...unlimited,
    transport_socket: {
      name: 'envoy.transport_sockets.upstream_proxy_protocol',
      typed_config: {
        '@type': typeUrl('extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport'),
        config: { version: 'V1' },
        transport_socket: {
          name: 'envoy.transport_sockets.raw_buffer',
          typed_config: { '@type': typeUrl('extensions.transport_sockets.raw_buffer.v3.RawBuffer') },
        },
      },
    },
    load_assignment: socketAssignment(databaseCluster, socket),
  };
}

/** SO_MARK on what is opened. */
export function marking(mark: number | undefined): Resource {
  if (mark === undefined) return {};
  return { socket_options: [{ level: 1, name: 36, int_value: mark, state: 'STATE_PREBIND' }] };
}

function originalDestination(name: string, timeout: string): Resource {
  return {
    name,
    type: 'ORIGINAL_DST',
    lb_policy: 'CLUSTER_PROVIDED',
    connect_timeout: timeout,
    ...unlimited,
    typed_extension_protocol_options: sameProtocol,
  };
}

/**
 * Its gRPC health check takes a hanging processor out within half a second (a TCP check would not notice: the kernel
 * accepts), and `max_requests` bounds who waits until then. Who finds it full loses the label, so it is far above what a
 * burst brings (at 64, of 250 questions of 150 calls at once 122 were not asked). `max_requests: 0` by runtime is the kill switch.
 */
export function processor(socket: string): Resource {
  const every = '0.5s';
  return {
    name: processorCluster,
    type: 'STATIC',
    connect_timeout: '0.2s',
    common_lb_config: liveHealth,
    circuit_breakers: { thresholds: [{ max_requests: 1024, max_pending_requests: 1024 }] },
    health_checks: [
      {
        timeout: '0.25s',
        interval: every,
        unhealthy_interval: every,
        no_traffic_interval: every, // 60 s unless set
        unhealthy_threshold: 1,
        healthy_threshold: 1,
        grpc_health_check: {},
      },
    ],
    typed_extension_protocol_options: http2({ max_connection_duration: `${processorConnectionMs / 1000}s` }),
    load_assignment: socketAssignment(processorCluster, socket),
  };
}

/**
 * Panic would keep requests on instances that are known to be dead. A merge window (1 s by default) holds back a change of
 * health that follows another: a processor that hung soon after a restart cost 0.2 s a request for 1.6 s, and one that was
 * well again stayed out for a second (measured).
 */
export const liveHealth = { healthy_panic_threshold: { value: 0 }, update_merge_window: '0s' };

// Many servers close a connection that was idle for five seconds (Node's default): a request that Envoy sends just then is
// lost, and may not be sent again. Envoy lets go first.
const idleTimeout = '4s';

const most = 4_294_967_295;

/**
 * None of Envoy's own limits: who is beside an application must not refuse what it would have taken. With the default of three
 * retries at once, 62 of 300 calls of 8 callers, half of them to a dead instance, were a 503 (UO).
 */
export const unlimited: Resource = {
  circuit_breakers: {
    thresholds: [{ max_connections: most, max_pending_requests: most, max_requests: most, max_retries: most }],
  },
};

/** HTTP/1 stays HTTP/1, and gRPC stays HTTP/2. */
export const sameProtocol = httpOptions({
  common_http_protocol_options: { idle_timeout: idleTimeout },
  use_downstream_protocol_config: { http_protocol_options: { enable_trailers: true }, http2_protocol_options: {} },
});

export function http2(common: Resource): Resource {
  return httpOptions({
    ...(Object.keys(common).length > 0 && { common_http_protocol_options: common }),
    explicit_http_config: { http2_protocol_options: {} },
  });
}

export function socketAssignment(name: string, path: string): Resource {
  return { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }] };
}

function httpOptions(options: Resource): Resource {
  return {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': typeUrl('extensions.upstreams.http.v3.HttpProtocolOptions'),
      ...options,
    },
  };
}
