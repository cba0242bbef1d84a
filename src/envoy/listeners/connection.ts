// The HTTP connection manager of every listener: early mutations, route table, the processor's filter, logs.
import { traceHeaders } from '../../propagation/trace.ts';
import { type Direction, directionKey, metadataNamespace } from '../../traffic/agreement.ts';
import { labelHeader } from '../../traffic/label.ts';
import { controlSource } from '../clusters/control.ts';
import { processorCluster, processorFilter, type Resource, type RunPaths, reasonHeader, typeUrl } from '../resource.ts';
import { earlyMutation } from './headers.ts';

export type Connection = {
  readonly direction: Direction;
  /** Name of the route table. */
  readonly table: string;
  readonly mutations: readonly Resource[];
  readonly trustedHops?: number | undefined;
  readonly paths: RunPaths;
};

const messageTimeout = '0.2s';

export function connectionManager({ direction, table, mutations, paths, trustedHops = 0 }: Connection): Resource {
  const isEdge = direction === 'gateway' || direction === 'edge';
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': typeUrl('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
      stat_prefix: table,
      codec_type: 'AUTO',
      // The first hop makes correlation possible; later hops must not add an identity that the application never saw.
      generate_request_id: isEdge,
      ...(isEdge
        ? { use_remote_address: true, ...(trustedHops > 0 && { xff_num_trusted_hops: trustedHops }) }
        : { skip_xff_append: true }),
      server_header_transformation: 'PASS_THROUGH',
      stream_idle_timeout: '0s',
      // Without a default Envoy answers a request of HTTP/1.0 that has no Host with a 400; an application would serve it.
      http_protocol_options: { accept_http_10: true, default_host_for_http_10: 'localhost', enable_trailers: true },
      upgrade_configs: [{ upgrade_type: 'websocket' }],
      early_header_mutation_extensions: [earlyMutation(mutations)],
      rds: { route_config_name: table, config_source: controlSource },
      http_filters: [processor(direction), router],
      local_reply_config: localReply,
      access_log: [...(paths.accessLog === undefined ? [] : [requestLog(table, paths.accessLog)]), laneStatistics],
    },
  };
}

function processor(direction: Direction): Resource {
  return {
    name: processorFilter,
    disabled: true, // enabled by the routes that ask
    typed_config: {
      '@type': typeUrl('extensions.filters.http.ext_proc.v3.ExternalProcessor'),
      grpc_service: {
        envoy_grpc: { cluster_name: processorCluster },
        timeout: '0s',
        initial_metadata: [{ key: directionKey, value: direction }],
      },
      failure_mode_allow: true,
      message_timeout: messageTimeout,
      processing_mode: { request_header_mode: 'SEND', response_header_mode: 'SKIP' },
      metadata_options: { receiving_namespaces: { untyped: [metadataNamespace] } },
      // allow_expression alone restricts nothing.
      mutation_rules: { disallow_all: true, allow_expression: { regex: `${labelHeader}|baggage|traceparent` } },
      ...(direction === 'outbound' && { forward_rules: outboundHeaders }),
    },
  };
}

// On the way out no rule is looked at: the label's carriers are all that the processor needs.
const outboundHeaders = {
  allowed_headers: { patterns: [labelHeader, 'baggage', ...traceHeaders].map((name) => ({ exact: name })) },
};

const router = {
  name: 'envoy.filters.http.router',
  typed_config: { '@type': typeUrl('extensions.filters.http.router.v3.Router'), suppress_envoy_headers: true },
};

// Every answer that Envoy itself makes says why; an outbound Envoy retries on the reason of the callee's (routes.ts).
const localReply = {
  mappers: [
    {
      // No route matches it. Nobody expects what stands beside an application to open tunnels.
      filter: { header_filter: { header: { name: ':method', string_match: { exact: 'CONNECT' } } } },
      status_code: 501,
      headers_to_add: [{ header: { key: reasonHeader, value: 'CONNECT is not served' } }],
    },
    {
      // Envoy's own word for a body that outgrew the retry buffer between two attempts; what failed is the upstream.
      filter: {
        status_code_filter: { comparison: { op: 'EQ', value: { default_value: 507, runtime_key: 'lanekeeper.none' } } },
      },
      status_code: 503,
      headers_to_add: [
        {
          header: { key: reasonHeader, value: 'body too large to be sent again %ROUTE_NAME%' },
          append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
        },
      ],
    },
    {
      filter: { response_flag_filter: { flags: ['UH', 'NC', 'UF', 'UO', 'UT', 'UC', 'NR', 'URX', 'LR'] } },
      headers_to_add: [
        {
          header: { key: reasonHeader, value: '%RESPONSE_FLAGS% %ROUTE_NAME%' },
          append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
        },
      ],
    },
  ],
};

/** The lane of the instance that really answered; the route's name says which one was wanted. */
const answeringLane = `%UPSTREAM_METADATA(${metadataNamespace}:lane)%`;

/**
 * 1 where the processor was asked in vain, 0 where it answered, nothing where it was not asked. Where Envoy itself answers at
 * once (a refusal) the log is written before the 1 is: then the gRPC status of the call, which is not 0, tells it.
 */
const failedOpen = `%FILTER_STATE(${processorFilter}:FIELD:failed_open)%`;
const callStatus = `%FILTER_STATE(${processorFilter}:FIELD:request_header_call_status)%`;

function requestLog(table: string, path: string): Resource {
  // Standard output by its own logger: it may be a socket, which cannot be opened by its path.
  const [name, type, where] =
    path === 'stdout'
      ? ['stdout', 'extensions.access_loggers.stream.v3.StdoutAccessLog', {}]
      : ['file', 'extensions.access_loggers.file.v3.FileAccessLog', { path }];
  return {
    name: `envoy.access_loggers.${name}`,
    typed_config: {
      '@type': typeUrl(type),
      ...where,
      log_format: {
        json_format: {
          time: '%START_TIME%',
          table,
          method: '%REQ(:METHOD)%',
          path: '%REQ(:PATH):80%',
          destination: '%DOWNSTREAM_LOCAL_ADDRESS%',
          request_id: '%REQ(x-request-id)%',
          label: `%REQ(${labelHeader})%`,
          route: '%ROUTE_NAME%',
          lane: answeringLane,
          cluster: '%UPSTREAM_CLUSTER%',
          host: '%UPSTREAM_HOST%',
          attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
          code: '%RESPONSE_CODE%',
          flags: '%RESPONSE_FLAGS%',
          details: '%RESPONSE_CODE_DETAILS%',
          ms: '%DURATION%',
          decision: `%DYNAMIC_METADATA(${metadataNamespace})%`,
          processor: `%FILTER_STATE(${processorFilter}:PLAIN)%`,
          failed_open: failedOpen,
        },
      },
    },
  };
}

// Tags come from names of ours only, never from a header: a caller could make statistics without limit.
const laneStatistics = {
  name: 'envoy.access_loggers.stats',
  typed_config: {
    '@type': typeUrl('extensions.access_loggers.stats.v3.Config'),
    stats_scope: { prefix: 'lanekeeper' },
    counters: [
      {
        stat: {
          name: 'requests',
          tags: [
            { name: 'route', value_format: '%ROUTE_NAME%' },
            { name: 'lane', value_format: answeringLane },
            // An instance that the client picked has no metadata: it is known by being an attempt all the same.
            { name: 'attempts', value_format: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%' },
            { name: 'failed_open', value_format: failedOpen },
            { name: 'call_status', value_format: callStatus },
            { name: 'flags', value_format: '%RESPONSE_FLAGS%' },
            { name: 'code', value_format: '%RESPONSE_CODE%' },
          ],
        },
        value_fixed: 1,
      },
    ],
  },
};
