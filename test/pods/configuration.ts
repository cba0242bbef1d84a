// An Envoy for the pods of these tests, by hand: every connection of the pod through two listeners, lanes by header.
import type { Network } from '../../src/demo/pods/network.ts';
import { envoyMark } from './pods.ts';

type Json = string | number | boolean | readonly Json[] | { readonly [key: string]: Json };

const type = (name: string) => ({ '@type': `type.googleapis.com/envoy.extensions.${name}` });

export type PodConfiguration = {
  readonly network: Network;
  readonly pod: string;
  /** Ports on which the pod speaks HTTP, h2c or gRPC: those of services, and those of instances. */
  readonly outbound: readonly number[];
  readonly inbound: readonly number[];
  /** Services whose lanes are known: instances by lane. */
  readonly lanes: Readonly<Record<string, { readonly port: number; readonly base: string; readonly gray: string }>>;
};

export function podConfiguration({ network, pod, outbound, inbound, lanes }: PodConfiguration): Json {
  const services = Object.entries(lanes);
  const laneClusters = services.flatMap(([name, { port, base, gray }]) => [
    instance(`${name}|base`, network.pod(base).address, port),
    instance(`${name}|gray`, network.pod(gray).address, port),
  ]);
  const virtualHosts = services.map(([name]) => ({
    name,
    domains: [name, `${name}.demo`, `${name}.demo.svc.cluster.local`],
    routes: [
      {
        match: { prefix: '/', headers: [{ name: 'x-opensergo-traffic', string_match: { exact: 'gray' } }] },
        route: { cluster: `${name}|gray`, timeout: '0s' },
      },
      { match: { prefix: '/' }, route: { cluster: `${name}|base`, timeout: '0s' } },
    ],
  }));
  return {
    node: { id: pod, cluster: 'pods' },
    admin: { address: at('127.0.0.1', 15000) },
    // Where all processes are one user, the rules know Envoy by its mark.
    ...(network.kind === 'single user' && {
      cluster_manager: {
        upstream_bind_config: {
          socket_options: [{ level: 1, name: 36, int_value: envoyMark, state: 'STATE_PREBIND' }],
        },
      },
    }),
    static_resources: {
      listeners: [
        // On loopback only: what leaves the pod is redirected to there.
        listener('outbound', ['127.0.0.1', '::1'], 15001, [
          blackhole(15001),
          ...outbound.map((port) =>
            http(port, 'out', [...virtualHosts, { name: 'other', domains: ['*'], routes: [all('passthrough')] }]),
          ),
          { name: 'default', filters: [tcp('out_default', 'passthrough')] },
        ]),
        listener('inbound', ['0.0.0.0', '::'], 15006, [
          blackhole(15006),
          ...inbound.map((port) => http(port, 'in', [{ name: 'in', domains: ['*'], routes: [all('application')] }])),
          { name: 'default', filters: [tcp('in_default', 'application')] },
        ]),
      ],
      clusters: [
        { name: 'passthrough', ...originalDestination },
        {
          name: 'application',
          ...originalDestination,
          upstream_bind_config: {
            source_address: { address: '127.0.0.6', port_value: 0 },
            extra_source_addresses: [{ address: { address: '::6', port_value: 0 } }],
          },
        },
        { name: 'blackhole', type: 'STATIC', connect_timeout: '1s' },
        ...laneClusters,
      ],
    },
  };
}

const asDownstream = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      ...type('upstreams.http.v3.HttpProtocolOptions'),
      use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options: {} },
    },
  },
};

const originalDestination = {
  type: 'ORIGINAL_DST',
  lb_policy: 'CLUSTER_PROVIDED',
  connect_timeout: '5s',
  ...asDownstream,
} as const;

function instance(name: string, address: string, port: number): Json {
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: at(address, port) } }] }];
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    ...asDownstream,
    load_assignment: { cluster_name: name, endpoints },
  };
}

/** No http_inspector, which would wait for the client where the server speaks first. The last chain is the default. */
function listener(name: string, [first = '', ...more]: readonly string[], port: number, chains: readonly Json[]): Json {
  return {
    name: `virtual_${name}`,
    address: at(first, port),
    additional_addresses: more.map((address) => ({ address: at(address, port) })),
    listener_filters: [
      {
        name: 'envoy.filters.listener.original_dst',
        typed_config: type('filters.listener.original_dst.v3.OriginalDst'),
      },
    ],
    filter_chains: chains.slice(0, -1),
    default_filter_chain: chains.at(-1) ?? {},
  };
}

/** Who connects to the listener itself is not to be passed on to it. */
function blackhole(port: number): Json {
  return {
    name: 'blackhole',
    filter_chain_match: { destination_port: port },
    filters: [tcp('blackhole', 'blackhole')],
  };
}

function http(port: number, direction: 'in' | 'out', virtualHosts: readonly Json[]): Json {
  return {
    name: `http_${port}`,
    filter_chain_match: { destination_port: port },
    filters: [
      {
        name: 'hcm',
        typed_config: {
          ...type('filters.network.http_connection_manager.v3.HttpConnectionManager'),
          stat_prefix: `${direction}_${port}`,
          codec_type: 'AUTO',
          generate_request_id: false,
          skip_xff_append: true,
          server_header_transformation: 'PASS_THROUGH',
          stream_idle_timeout: '0s',
          http_filters: [{ name: 'router', typed_config: type('filters.http.router.v3.Router') }],
          route_config: {
            name: `${direction}_${port}`,
            ignore_port_in_host_matching: true,
            virtual_hosts: virtualHosts,
          },
        },
      },
    ],
  };
}

function tcp(statPrefix: string, cluster: string): Json {
  return {
    name: 'tcp',
    typed_config: { ...type('filters.network.tcp_proxy.v3.TcpProxy'), stat_prefix: statPrefix, cluster },
  };
}

function all(cluster: string): Json {
  return { match: { prefix: '/' }, route: { cluster, timeout: '0s' } };
}

function at(address: string, port: number): Json {
  return { socket_address: { address, port_value: port } };
}
