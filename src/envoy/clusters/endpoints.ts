// Endpoints: the instances of each lane, which come and go while their cluster stays.

import { type Instance, instancesOf, lanesOf } from '../../mesh/mesh.ts';
import { metadataNamespace } from '../../traffic/agreement.ts';
import type { Called } from '../destinations/destinations.ts';
import { laneCluster, type Resource, serviceName } from '../resource.ts';

/** The instances of base and of every lane, by the name of their cluster; an empty one says so (ads.md 3). */
export function serviceEndpoints({ service, port }: Called, namespace: string): Map<string, Resource> {
  const name = serviceName(service, port, namespace);
  const lanes = [undefined, ...lanesOf(service, port)];
  return new Map(
    lanes.map((label) => {
      const cluster = laneCluster(name, label);
      return [cluster, assignment(cluster, label ?? 'base', instancesOf(service, port, label))];
    }),
  );
}

function assignment(cluster: string, lane: string, instances: readonly Instance[]): Resource {
  const taking = instances.filter(({ weight }) => weight > 0);
  const isWeighted = taking.some(({ weight }) => weight !== 1);
  const zones = Map.groupBy(taking, ({ zone }) => zone);
  const endpoints = [...zones].map(([zone, members]) => ({
    ...(zone !== undefined && { locality: { zone } }),
    lb_endpoints: members.map(({ address, port, healthy, weight }) => ({
      endpoint: { address: { socket_address: { address, port_value: port } } },
      ...(!healthy && { health_status: 'UNHEALTHY' }),
      ...(isWeighted && { load_balancing_weight: weight }),
      metadata: { filter_metadata: { [metadataNamespace]: { lane } } },
    })),
  }));
  return { cluster_name: cluster, endpoints };
}
