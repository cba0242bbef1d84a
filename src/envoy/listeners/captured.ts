// Listeners for connections that the kernel redirects (`lanekeeper redirect`): HTTP where a port is declared, else bytes.

import type { Address, Interception } from '../../mesh/workload.ts';
import {
  blackholeCluster,
  capturedCluster,
  databaseCluster,
  passthroughCluster,
  type Resource,
  typeUrl,
} from '../resource.ts';
import { listenAt } from './address.ts';

/** Port of the listener that only passes bytes on, and so needs no control plane: for `lanekeeper redirect --outbound-port`. */
export const passPort = 15002;

const originalDestination = {
  name: 'envoy.filters.listener.original_dst',
  typed_config: { '@type': typeUrl('extensions.filters.listener.original_dst.v3.OriginalDst') },
};

/** Passes bytes on to wherever they were going, without a control plane. */
export const passListener: Resource = {
  name: 'pass',
  ...listenAt([loopback4(passPort), loopback6(passPort)]),
  traffic_direction: 'OUTBOUND',
  listener_filters: [originalDestination],
  filter_chains: [{ ...tcpChain('blackhole', blackholeCluster), filter_chain_match: { destination_port: passPort } }],
  default_filter_chain: tcpChain('pass', passthroughCluster),
};

/**
 * What the application calls. Without an inspector of protocols: it would hold up servers that speak first, and lose the
 * lane of connections that are opened early and used late (pod-interception.md 3). All declared ports share one chain.
 */
export function outboundCapture(
  { outboundPort, databasePorts = [] }: Interception,
  httpPorts: readonly number[],
  http: Resource,
): Resource {
  const database = databasePorts.length > 0 ? [tcpChain('database', databaseCluster)] : [];
  const chains = [{ ...http, name: 'http' }, tcpChain('blackhole', blackholeCluster), ...database];
  return {
    name: 'captured_outbound',
    ...listenAt([loopback4(outboundPort), loopback6(outboundPort)]),
    traffic_direction: 'OUTBOUND',
    listener_filters: [originalDestination],
    filter_chain_matcher: byPort(
      // A port that a service declares as HTTP is one, whatever other machines have there.
      new Map([
        ...databasePorts.map((port) => [port, 'database'] as const),
        ...httpPorts.map((port) => [port, 'http'] as const),
        [outboundPort, 'blackhole'],
      ]),
    ),
    filter_chains: chains,
    default_filter_chain: tcpChain('outbound_bytes', passthroughCluster),
  };
}

/** Whoever calls the application: declared ports by the chains that are given, the rest as bytes. */
export function inboundCapture({ inboundPort }: Interception, chains: readonly Resource[]): Resource {
  const blackhole = {
    ...tcpChain('blackhole', blackholeCluster),
    filter_chain_match: { destination_port: inboundPort },
  };
  return {
    name: 'captured_inbound',
    ...listenAt([
      { address: '0.0.0.0', port: inboundPort },
      { address: '::', port: inboundPort },
    ]),
    traffic_direction: 'INBOUND',
    listener_filters: [originalDestination],
    filter_chains: [blackhole, ...chains],
    default_filter_chain: tcpChain('inbound_bytes', capturedCluster),
  };
}

/**
 * What lanekeeper opens to databases where the kernel knows Envoy by its mark alone, which Node cannot set: lanekeeper's own
 * connection would be led here again.
 */
export function databaseExit(path: string): Resource {
  return {
    name: 'database_exit',
    address: { pipe: { path, mode: 0o600 } },
    traffic_direction: 'OUTBOUND',
    listener_filters: [
      {
        name: 'envoy.filters.listener.proxy_protocol',
        typed_config: { '@type': typeUrl('extensions.filters.listener.proxy_protocol.v3.ProxyProtocol') },
      },
    ],
    filter_chains: [tcpChain('database_exit', passthroughCluster)],
  };
}

function byPort(chains: ReadonlyMap<number, string>): Resource {
  const entries = [...chains].map(([port, name]) => [
    String(port),
    {
      action: {
        name,
        typed_config: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: name },
      },
    },
  ]);
  return {
    matcher_tree: {
      input: {
        name: 'port',
        typed_config: { '@type': typeUrl('extensions.matching.common_inputs.network.v3.DestinationPortInput') },
      },
      exact_match_map: { map: Object.fromEntries(entries) },
    },
  };
}

function tcpChain(name: string, cluster: string): Resource {
  return {
    name,
    filters: [
      {
        name: 'envoy.filters.network.tcp_proxy',
        typed_config: {
          '@type': typeUrl('extensions.filters.network.tcp_proxy.v3.TcpProxy'),
          stat_prefix: name,
          cluster,
          idle_timeout: '0s', // a database connection may be idle for hours
        },
      },
    ],
  };
}

function loopback4(port: number): Address {
  return { address: '127.0.0.1', port };
}

function loopback6(port: number): Address {
  return { address: '::1', port };
}
