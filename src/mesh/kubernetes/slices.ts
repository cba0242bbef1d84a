// EndpointSlices: which addresses answer for a service, on which of its ports, and whether they should be asked.
import type { Document } from '../../documents/parse.ts';
import { problemAt } from '../../documents/place.ts';
import { quoted } from '../../documents/value.ts';
import type { Problem } from '../../problem.ts';
import type { Draft } from '../mesh.ts';
import { isAddress, type SliceObject } from './document.ts';
import type { Pod, Pods } from './pods.ts';
import type { KubernetesService } from './service.ts';

type Instance = Draft['instances'][number];

type Endpoint = {
  readonly address: string;
  readonly isHealthy: boolean;
  /** `namespace/name` of its Pod. */
  readonly pod: string | undefined;
  readonly zone: string | undefined;
};

export type Slice = {
  /** `namespace/name`; undefined where no label says it. */
  readonly service: string | undefined;
  /** By name, which is the name of the service's port. */
  readonly ports: ReadonlyMap<string, number>;
  readonly endpoints: readonly Endpoint[];
};

export function toSlice(
  document: Document,
  { metadata, addressType, ports, endpoints }: SliceObject,
): { slice: Slice; problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const owner = metadata.labels?.['kubernetes.io/service-name'];
  const isNamed = addressType === 'FQDN';
  if (isNamed) {
    const message = 'found "FQDN", expected "IPv4" or "IPv6"; names are not resolved here, this slice changes nothing';
    problems.push({ ...problemAt(document, ['addressType'], message), severity: 'warning' });
  }
  const read = isNamed ? [] : (endpoints ?? []);
  for (const [index, { addresses }] of read.entries()) {
    const wrong = addresses.findIndex((address) => !isAddress(address));
    if (wrong < 0) continue;
    const message = `found ${quoted(addresses[wrong] ?? '')}, expected an IP address such as 10.0.0.1 or fd00::1`;
    problems.push(problemAt(document, ['endpoints', index, 'addresses', wrong], message));
  }
  const slice = {
    service: owner === undefined ? undefined : `${document.namespace}/${owner}`,
    ports: new Map(
      (ports ?? []).flatMap(({ name, port, protocol }) =>
        typeof port === 'number' && (protocol ?? 'TCP') === 'TCP' ? [[name ?? '', port] as const] : [],
      ),
    ),
    endpoints: read.map(({ addresses: [address = ''], conditions, targetRef, zone }) => ({
      // All addresses of an endpoint are the same one (the API's own words); the first is meant.
      address,
      isHealthy: (conditions?.ready ?? conditions?.serving ?? true) && conditions?.terminating !== true,
      pod: targetRef?.kind === 'Pod' ? `${targetRef.namespace ?? document.namespace}/${targetRef.name}` : undefined,
      zone: zone ?? undefined,
    })),
  };
  return { slice, problems };
}

/** The Pods behind the endpoints, in their order. */
export function podsBehind(slices: readonly Slice[], pods: Pods): (Pod | undefined)[] {
  return slices.flatMap(({ endpoints }) => endpoints.map(({ pod }) => (pod === undefined ? undefined : pods.get(pod))));
}

export type Found = {
  readonly instances: readonly Instance[];
  /** Endpoints whose Pod is not known, and so not their lane either. */
  readonly unknown: readonly string[];
};

/**
 * One instance for each endpoint and port. An endpoint whose Pod is not known (yet) is left out: it could be of a lane,
 * where base has no business. Where nothing is known of any Pod, nobody is of a lane.
 */
export function instancesOfSlices(
  { ports, namespace }: KubernetesService,
  slices: readonly Slice[],
  pods: Pods,
): Found {
  const instances = new Map<string, Instance>();
  const unknown: string[] = [];
  for (const slice of slices) {
    for (const { address, isHealthy, pod: name, zone } of slice.endpoints) {
      const pod = name === undefined ? undefined : pods.get(name);
      if (name !== undefined && pod === undefined) unknown.push(name);
      if (name !== undefined && pod === undefined && pods.hasSome(namespace)) continue;
      for (const { port: servicePort, name } of ports) {
        const port = slice.ports.get(name);
        const key = `${address} ${port} ${servicePort}`;
        // While slices are rebalanced an endpoint may stand in two of them.
        if (port === undefined || instances.get(key)?.healthy) continue;
        const where = zone ?? pod?.zone;
        instances.set(key, {
          ...{ address, port, servicePort, labels: pod?.labels ?? {}, healthy: isHealthy, weight: 1 },
          ...(where !== undefined && { zone: where }),
        });
      }
    }
  }
  return { instances: [...instances.values()], unknown };
}
