// Clusters: a lane is one, base is one, and `b|gray+` tries the lane, else base. Instances stand in them.

import { lanesWithFallback } from '../mesh/lanes.ts';
import { findService, type Instance, instancesOf, type Mesh, type Service } from '../mesh/mesh.ts';
import type { Inbound, Outbound, Workload } from '../mesh/workload.ts';
import { metadataNamespace, processorConnectionMs } from '../traffic/agreement.ts';
import type { Label } from '../traffic/label.ts';
import {
  applicationCluster,
  laneCluster,
  laneTarget,
  processorCluster,
  type Resource,
  serviceName,
  typeUrl,
} from './resource.ts';

/** Every cluster of a pod: of the services that it calls (a gateway: all that have paths), of its applications, and the processor. */
export function renderClusters(workload: Workload, mesh: Mesh, processorSocket: string): Resource[] {
  return [
    ...calledServices(workload, mesh).flatMap(({ service, port }) =>
      serviceClusters(service, port, workload.namespace),
    ),
    ...workload.inbound.map(application),
    processor(processorSocket),
  ];
}

function calledServices(workload: Workload, mesh: Mesh): { service: Service; port: number }[] {
  const routed = workload.gateway ? [...mesh.services.values()].filter(({ paths }) => paths.length > 0) : [];
  const called = [
    ...routed.map((service) => ({ service, port: service.ports[0].port })),
    ...workload.outbound.flatMap(resolve),
  ];
  const byName = new Map(called.map((entry) => [serviceName(entry.service, entry.port, workload.namespace), entry]));
  return [...byName.values()];

  function resolve({ service: name, port }: Outbound): { service: Service; port: number }[] {
    const service = findService(mesh, name, workload.namespace);
    return service ? [{ service, port: port ?? service.ports[0].port }] : [];
  }
}

function serviceClusters(service: Service, port: number, namespace: string): Resource[] {
  const name = serviceName(service, port, namespace);
  // Whether a label refuses base is a rule's to say, and rules change while clusters stay: what it may need is all there.
  const lanes = lanesWithFallback(service, port, new Set());
  return [
    base(laneCluster(name, undefined), instancesOf(service, port, undefined)),
    ...lanes.map(({ label }) => lane(laneCluster(name, label), label, instancesOf(service, port, label))),
    ...lanes
      .map((each) => laneTarget(name, each))
      .filter(({ members }) => members.length > 1)
      .map(laneElseBase),
  ];
}

// Base keeps the default panic threshold: where all of base looks bad, trying is better than refusing.
function base(name: string, instances: readonly Instance[]): Resource {
  return {
    ...cluster(name),
    type: 'STATIC',
    lb_policy: 'ROUND_ROBIN',
    load_assignment: assignment(name, 'base', instances),
  };
}

function lane(name: string, label: Label, instances: readonly Instance[]): Resource {
  return {
    ...cluster(name),
    type: 'STATIC',
    lb_policy: 'ROUND_ROBIN',
    load_assignment: assignment(name, label, instances),
    common_lb_config: liveHealth,
    // 100: with the default a lane's only instance is never ejected.
    outlier_detection: {
      split_external_local_origin_errors: true,
      consecutive_local_origin_failure: 2,
      enforcing_consecutive_local_origin_failure: 100,
      enforcing_success_rate: 0,
      enforcing_local_origin_success_rate: 0,
      consecutive_5xx: 5,
      interval: '1s',
      base_ejection_time: '10s',
      max_ejection_percent: 100,
    },
  };
}

function laneElseBase({ cluster: name, members }: ReturnType<typeof laneTarget>): Resource {
  const clusters = members.map((member) => ({ name: member }));
  const type = { '@type': typeUrl('extensions.clusters.composite.v3.ClusterConfig'), clusters };
  return {
    ...cluster(name),
    lb_policy: 'CLUSTER_PROVIDED',
    cluster_type: { name: 'envoy.clusters.composite', typed_config: type },
  };
}

function application({ listen, application }: Inbound): Resource {
  const name = applicationCluster(listen.port);
  const endpoint = {
    endpoint: { address: { socket_address: { address: application.address, port_value: application.port } } },
  };
  return {
    ...cluster(name),
    type: 'STATIC',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] },
  };
}

/**
 * Its gRPC health check takes a hanging processor out within half a second (a TCP check would not notice: the kernel
 * accepts), and `max_requests` bounds who waits until then. Who finds it full loses the label, so it is far above what a
 * burst brings (at 64, of 250 questions of 150 calls at once 122 were not asked). `max_requests: 0` by runtime is the kill switch.
 */
function processor(socket: string): Resource {
  const endpoint = { endpoint: { address: { pipe: { path: socket } } } };
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
    typed_extension_protocol_options: httpOptions({
      common_http_protocol_options: { max_connection_duration: `${processorConnectionMs / 1000}s` },
      explicit_http_config: { http2_protocol_options: {} },
    }),
    load_assignment: { cluster_name: processorCluster, endpoints: [{ lb_endpoints: [endpoint] }] },
  };
}

/**
 * Panic would keep requests on instances that are known to be dead. A merge window (1 s by default) holds back a change of
 * health that follows another: a processor that hung soon after a restart cost 0.2 s a request for 1.6 s, and one that was
 * well again stayed out for a second (measured).
 */
const liveHealth = { healthy_panic_threshold: { value: 0 }, update_merge_window: '0s' };

function cluster(name: string): Resource {
  return {
    name,
    alt_stat_name: name.replaceAll(/[.:]/g, '_'), // a dot would end the tags that bootstrap.ts cuts out of the name
    connect_timeout: '0.25s',
    ...(!name.endsWith('+') && { typed_extension_protocol_options: sameProtocol }),
  };
}

// Many servers close a connection that was idle for five seconds (Node's default): a request that Envoy sends just then is
// lost, and may not be sent again. Envoy lets go first.
const idleTimeout = '4s';

const sameProtocol = httpOptions({
  common_http_protocol_options: { idle_timeout: idleTimeout },
  use_downstream_protocol_config: { http_protocol_options: { enable_trailers: true }, http2_protocol_options: {} },
});

function httpOptions(options: Resource): Resource {
  return {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': typeUrl('extensions.upstreams.http.v3.HttpProtocolOptions'),
      ...options,
    },
  };
}

function assignment(name: string, lane: string, instances: readonly Instance[]): Resource {
  const endpoints = instances.map(({ address, port }) => ({
    endpoint: { address: { socket_address: { address, port_value: port } } },
    metadata: { filter_metadata: { [metadataNamespace]: { lane } } },
  }));
  return { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] };
}
