// Clusters of the services that a pod calls: a lane is one, base is one, and `b|gray+` tries the lane, else base.

import { lanesWithFallback } from '../../mesh/lanes.ts';
import type { Label } from '../../traffic/label.ts';
import type { Called } from '../destinations/destinations.ts';
import {
  laneCluster,
  laneTarget,
  pickedBaseTarget,
  pickedLaneTarget,
  type Resource,
  serviceName,
  type Target,
  typeUrl,
} from '../resource.ts';
import { controlSource } from './control.ts';
import { liveHealth, sameProtocol, unlimited } from './own.ts';

export type ClusterOptions = {
  /** The pod's. */
  readonly namespace: string;
  /** Labels that must never reach base. */
  readonly refusing: ReadonlySet<Label>;
  /** Clients may pick instances themselves, and some picks are kept. */
  readonly picks: boolean;
};

/** The clusters of a service on a port. */
export function serviceClusters({ service, port }: Called, { namespace, refusing, picks }: ClusterOptions): Resource[] {
  const name = serviceName(service, port, namespace);
  const lanes = lanesWithFallback(service, port, refusing);
  return [
    base(laneCluster(name, undefined)),
    ...lanes.map(({ label }) => lane(laneCluster(name, label))),
    ...lanes
      .map((each) => laneTarget(name, each))
      .filter(({ members }) => members.length > 1)
      .map(composite),
    ...(picks ? [pickedBaseTarget(name), ...lanes.map((each) => pickedLaneTarget(name, each))].map(composite) : []),
  ];
}

// Base keeps the default panic threshold: where all of base looks bad, trying is better than refusing.
function base(name: string): Resource {
  return { ...live(name), common_lb_config: { update_merge_window: liveHealth.update_merge_window } };
}

function lane(name: string): Resource {
  return {
    ...live(name),
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

/** Its instances come and go without it (endpoints.ts). */
function live(name: string): Resource {
  return {
    ...cluster(name),
    typed_extension_protocol_options: sameProtocol,
    type: 'EDS',
    eds_cluster_config: { eds_config: controlSource },
    lb_policy: 'ROUND_ROBIN',
  };
}

function composite({ cluster: name, members }: Target): Resource {
  const clusters = members.map((member) => ({ name: member }));
  const type = { '@type': typeUrl('extensions.clusters.composite.v3.ClusterConfig'), clusters };
  return {
    ...cluster(name),
    lb_policy: 'CLUSTER_PROVIDED',
    cluster_type: { name: 'envoy.clusters.composite', typed_config: type },
  };
}

function cluster(name: string): Resource {
  return {
    name,
    alt_stat_name: name.replaceAll(/[.:]/g, '_'), // a dot would end the tags that bootstrap.ts cuts out of the name
    connect_timeout: '0.25s',
    ...unlimited,
  };
}
