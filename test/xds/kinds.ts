// What the examples of envoy/ do not have and a pod may need: resources of every other kind that we may render.
import { controlSource } from '../../src/envoy/clusters/control.ts';
import { type Resource, typeUrl } from '../../src/envoy/resource.ts';
import { composite } from './mesh.ts';

const any = (name: string, fields: object = {}) => ({ '@type': typeUrl(name), ...fields });
const socketAddress = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });

export const clusters: readonly Resource[] = [
  {
    name: 'original',
    type: 'ORIGINAL_DST',
    lb_policy: 'CLUSTER_PROVIDED',
    connect_timeout: '1.5s',
    cleanup_interval: '60s',
    original_dst_lb_config: { use_http_header: true, http_header_name: 'x-to', upstream_port_override: 8080 },
    upstream_bind_config: {
      source_address: { address: '127.0.0.6', port_value: 0 },
      extra_source_addresses: [{ address: { address: '::6', port_value: 0 } }],
      socket_options: [{ level: 1, name: 36, int_value: 1337, state: 'STATE_PREBIND', description: 'mark' }],
    },
  },
  {
    name: 'eds',
    type: 'EDS',
    eds_cluster_config: { eds_config: { ...controlSource, initial_fetch_timeout: '2s' }, service_name: 'other' },
    lb_policy: 'LEAST_REQUEST',
    least_request_lb_config: { choice_count: 3, active_request_bias: { default_value: 1.5, runtime_key: 'bias' } },
    lb_subset_config: {
      fallback_policy: 'DEFAULT_SUBSET',
      default_subset: { stage: 'base', weight: 2, tags: ['a', null, true], nested: { deep: [] } },
      subset_selectors: [{ keys: ['stage'], fallback_policy: 'NO_FALLBACK' }],
    },
    metadata: { filter_metadata: { lanekeeper: { lane: 'gray' } } },
    circuit_breakers: {
      thresholds: [{ priority: 'HIGH', max_connections: 1, max_retries: 0, track_remaining: true }],
    },
    common_lb_config: {
      healthy_panic_threshold: { value: 12.5 },
      locality_weighted_lb_config: {},
      ignore_new_hosts_until_first_hc: true,
    },
    outlier_detection: { consecutive_5xx: 3, interval: '0.000000001s', enforcing_success_rate: 0 },
    health_checks: [
      {
        timeout: '1s',
        interval: '1s',
        unhealthy_threshold: 1,
        healthy_threshold: 1,
        http_health_check: { path: '/health', expected_statuses: [{ start: '200', end: 300 }] },
      },
    ],
    transport_socket_matches: [],
    ignore_health_on_host_removal: true,
    upstream_connection_options: { tcp_keepalive: { keepalive_time: 30 } },
    track_cluster_stats: { request_response_sizes: true },
  },
  composite('eds+', ['eds', 'eds', 'original']),
];

export const endpoints: readonly Resource[] = [
  {
    cluster_name: 'other',
    endpoints: [
      {
        locality: { region: 'eu', zone: 'eu-1', sub_zone: 'a' },
        load_balancing_weight: 3,
        priority: 1,
        lb_endpoints: [
          {
            endpoint: { address: socketAddress(1), hostname: 'one', health_check_config: { port_value: 2 } },
            health_status: 'DRAINING',
            load_balancing_weight: 7,
            metadata: { filter_metadata: { 'envoy.lb': { stage: 'gray', canary: true } } },
          },
        ],
      },
      {
        locality: { region: 'eu', zone: 'eu-2' },
        load_balancing_weight: 1,
        lb_endpoints: [{ endpoint: { address: socketAddress(3) }, health_status: 'UNHEALTHY' }],
      },
    ],
    policy: { overprovisioning_factor: 140, drop_overloads: [{ category: 'all', drop_percentage: { numerator: 1 } }] },
  },
];

export const routes: readonly Resource[] = [
  {
    '@type': 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
    name: 'everything',
    vhost_header: 'x-to',
    request_headers_to_remove: ['x-a'],
    most_specific_header_mutations_wins: true,
    max_direct_response_body_size_bytes: 8192,
    virtual_hosts: [
      {
        name: 'all',
        domains: ['*'],
        include_request_attempt_count: true,
        retry_policy: {
          retry_on: 'connect-failure',
          num_retries: 3,
          per_try_timeout: '0.2s',
          retry_host_predicate: [
            {
              name: 'envoy.retry_host_predicates.previous_hosts',
              typed_config: any('extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate'),
            },
          ],
          host_selection_retry_max_attempts: '3',
          retry_back_off: { base_interval: '0.001s', max_interval: '0.01s' },
          retriable_status_codes: [502, 503],
        },
        typed_per_filter_config: {
          mutation: any('extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute', {
            mutations: { request_mutations: [{ remove: 'x-gone' }] },
          }),
        },
        routes: [
          {
            name: 'share',
            match: {
              prefix: '/share',
              runtime_fraction: { default_value: { numerator: 25, denominator: 'HUNDRED' }, runtime_key: 'share' },
              headers: [{ name: 'x-n', range_match: { start: '-5', end: '9007199254740993' }, invert_match: true }],
              query_parameters: [{ name: 'q', string_match: { safe_regex: { regex: 'a+' } } }],
            },
            route: {
              weighted_clusters: {
                clusters: [
                  { name: 'eds', weight: 1 },
                  { name: 'original', weight: 0 },
                ],
              },
              timeout: '0s',
              hash_policy: [{ cookie: { name: 'user', ttl: '0s' }, terminal: true }],
              request_mirror_policies: [{ cluster: 'eds', runtime_fraction: { default_value: { numerator: 1 } } }],
            },
          },
          {
            match: { path_separated_prefix: '/no' },
            direct_response: { status: 503, body: { inline_bytes: Buffer.from('no').toString('base64') } },
            response_headers_to_add: [{ header: { key: 'x-why', value: 'é' }, keep_empty_value: true }],
          },
          { match: { prefix: '/' }, route: { cluster_header: 'x-cluster', regex_rewrite: rewrite() } },
        ],
      },
    ],
  },
];

function rewrite(): object {
  return { pattern: { regex: '^/a' }, substitution: '/b' };
}

const textLog = {
  name: 'envoy.access_loggers.stdout',
  filter: {
    and_filter: {
      filters: [
        { not_health_check_filter: {} },
        { status_code_filter: { comparison: { op: 'GE', value: { default_value: 400, runtime_key: 'least' } } } },
      ],
    },
  },
  typed_config: any('extensions.access_loggers.stream.v3.StdoutAccessLog', {
    log_format: { text_format_source: { inline_string: '%RESPONSE_CODE%\n' } },
  }),
};

const managed = (table: string) => ({
  name: 'envoy.filters.network.http_connection_manager',
  typed_config: any('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: table,
    rds: { route_config_name: table, config_source: controlSource },
    access_log: [textLog],
    http_filters: [
      {
        name: 'health',
        typed_config: any('extensions.filters.http.health_check.v3.HealthCheck', {
          pass_through_mode: false,
          headers: [{ name: ':path', string_match: { exact: '/healthz' } }],
        }),
      },
      {
        name: 'state',
        typed_config: any('extensions.filters.http.set_filter_state.v3.Config', {
          on_request_headers: [
            {
              object_key: 'lanekeeper.lane',
              factory_key: 'envoy.string',
              format_string: { text_format_source: { inline_string: '%REQ(x-lane)%' } },
              shared_with_upstream: 'ONCE',
            },
          ],
        }),
      },
      {
        name: 'mutation',
        typed_config: any('extensions.filters.http.header_mutation.v3.HeaderMutation', {
          mutations: {
            request_mutations: [
              { append: { header: { key: 'x-a', value: 'b' }, append_action: 'ADD_IF_ABSENT' } },
              { remove: 'x-c' },
            ],
          },
        }),
      },
      { name: 'envoy.filters.http.router', typed_config: any('extensions.filters.http.router.v3.Router') },
    ],
  }),
});

const proxied = {
  name: 'envoy.filters.network.tcp_proxy',
  typed_config: any('extensions.filters.network.tcp_proxy.v3.TcpProxy', {
    stat_prefix: 'through',
    cluster: 'original',
    idle_timeout: '0s',
    access_log: [
      {
        name: 'envoy.access_loggers.file',
        typed_config: any('extensions.access_loggers.file.v3.FileAccessLog', {
          path: '/dev/null',
          log_format: { json_format: { bytes: '%BYTES_SENT%', nested: { one: 1 } } },
        }),
      },
    ],
  }),
};

/** Takes everything that leaves a pod: by ports, over the original destination. */
export function listeners(port: number): readonly Resource[] {
  return [
    {
      name: 'captured',
      address: socketAddress(port),
      additional_addresses: [{ address: { socket_address: { address: '127.0.0.2', port_value: port } } }],
      traffic_direction: 'OUTBOUND',
      enable_reuse_port: false,
      use_original_dst: false,
      bind_to_port: true,
      continue_on_listener_filters_timeout: true,
      listener_filters_timeout: '0.1s',
      per_connection_buffer_limit_bytes: 65536,
      socket_options: [{ level: 6, name: 1, int_value: 1, state: 'STATE_LISTENING' }],
      listener_filters: [
        {
          name: 'envoy.filters.listener.original_dst',
          typed_config: any('extensions.filters.listener.original_dst.v3.OriginalDst'),
        },
      ],
      filter_chain_matcher: {
        matcher_tree: {
          input: {
            name: 'port',
            typed_config: any('extensions.matching.common_inputs.network.v3.DestinationPortInput'),
          },
          exact_match_map: { map: { 80: { action: chainNamed('http') }, 3306: { action: chainNamed('through') } } },
        },
        on_no_match: { action: chainNamed('through') },
      },
      filter_chains: [
        { name: 'http', filters: [managed('everything')] },
        { name: 'through', filters: [proxied] },
      ],
    },
    {
      name: 'matched',
      address: { socket_address: { address: '127.0.0.3', port_value: port } },
      filter_chains: [
        {
          filter_chain_match: {
            destination_port: 80,
            prefix_ranges: [{ address_prefix: '10.0.0.0', prefix_len: 8 }],
            source_type: 'EXTERNAL',
            source_ports: [1, 300, 7000],
            application_protocols: ['h2c'],
          },
          filters: [proxied],
        },
      ],
      default_filter_chain: { filters: [proxied] },
      freebind: true,
    },
  ];
}

function chainNamed(name: string): object {
  return { name, typed_config: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: name } };
}
