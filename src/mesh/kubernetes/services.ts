// Services, EndpointSlices and Pods put together. What has not changed since the last time is not put together again.
import { problemAt } from '../../documents/place.ts';
import type { Problem } from '../../problem.ts';
import type { Reading } from '../assembly/reading.ts';
import { hasSameItems } from '../assembly/same.ts';
import type { Draft, Port } from '../mesh.ts';
import { type Pod, type Pods, toPods } from './pods.ts';
import type { KubernetesService } from './service.ts';
import { type Found, instancesOfSlices, podsBehind, type Slice } from './slices.ts';

export type Kubernetes = {
  /** By `namespace/name`. */
  readonly drafts: ReadonlyMap<string, Draft>;
  readonly problems: readonly Problem[];
  /** The labels of the Pod that has an address. */
  readonly podLabels: Pods['labelsByAddress'];
};

type Built = { readonly draft?: Draft; readonly problems: readonly Problem[] };
type Given = {
  readonly reading: Reading;
  readonly slices: readonly Slice[];
  readonly behind: readonly (Pod | undefined)[];
  readonly hasPods: boolean;
};

export function createKubernetes(): (readings: readonly Reading[]) => Kubernetes {
  let lastPods: { all: readonly Pod[]; pods: Pods } = { all: [], pods: toPods([]) };
  let last = new Map<string, { given: Given; built: Built }>();
  return (readings) => {
    const services: { reading: Reading; service: KubernetesService }[] = [];
    const slices = new Map<string, Slice[]>();
    const all: Pod[] = [];
    for (const reading of readings) {
      const { meaning } = reading;
      if (meaning.kind === 'kubernetes service') services.push({ reading, service: meaning.service });
      else if (meaning.kind === 'pod') all.push(meaning.pod);
      else if (meaning.kind === 'slice') addTo(slices, meaning.slice);
    }
    const hasSamePods = hasSameItems(lastPods.all, all);
    if (!hasSamePods) lastPods = { all, pods: toPods(all) };
    const { pods } = lastPods;
    const next: typeof last = new Map();
    for (const { reading, service } of services) {
      const own = slices.get(service.key) ?? [];
      const before = last.get(service.key);
      if (before && hasSamePods && before.given.reading === reading && hasSameItems(before.given.slices, own)) {
        next.set(service.key, before);
        continue;
      }
      const behind = own.length > 0 ? podsBehind(own, pods) : podsMeeting(service, pods);
      const given = { reading, slices: own, behind, hasPods: pods.hasSome(service.namespace) };
      const isSame = before !== undefined && isUnchanged(before.given, given);
      next.set(service.key, isSame ? before : { given, built: build(service, given, pods) });
    }
    last = next;
    const built = [...next];
    return {
      drafts: new Map(
        built.flatMap(
          ([
            key,
            {
              built: { draft },
            },
          ]) => (draft === undefined ? [] : [[key, draft]]),
        ),
      ),
      problems: built.flatMap(([, { built }]) => built.problems),
      podLabels: pods.labelsByAddress,
    };
  };
}

function addTo(slices: Map<string, Slice[]>, slice: Slice): void {
  if (slice.service === undefined) return;
  const own = slices.get(slice.service);
  if (own === undefined) slices.set(slice.service, [slice]);
  else own.push(slice);
}

function isUnchanged(before: Given, after: Given): boolean {
  return (
    before.reading === after.reading &&
    before.hasPods === after.hasPods &&
    hasSameItems(before.slices, after.slices) &&
    hasSameItems(before.behind, after.behind)
  );
}

function podsMeeting({ namespace, selector }: KubernetesService, pods: Pods): readonly Pod[] {
  return Object.keys(selector).length === 0 ? [] : pods.meeting(namespace, selector);
}

/** No draft: what is called there passes through untouched. */
function build(service: KubernetesService, { reading, slices, behind, hasPods }: Given, pods: Pods): Built {
  const { key, isExternal, selector, families, ports, ...rest } = service;
  const [first, ...others] = ports.map(({ port, protocol, edge }): Port => ({ port, protocol, edge }));
  if (isExternal || first === undefined) return { problems: [] };
  const warn = (message: string): Problem => ({
    ...problemAt(reading.document, ['metadata', 'name'], message),
    severity: 'warning',
  });
  const hasSelector = Object.keys(selector).length > 0;
  if (slices.length === 0 && !hasSelector) {
    const message = `found Service ${key} without selector and EndpointSlice; nobody knows its instances, and requests to it pass through`;
    return { problems: [warn(message)] };
  }
  const found = slices.length > 0 ? instancesOfSlices(service, slices, pods) : instancesOfPods(service, behind);
  const problems = unknownProblems(found, hasPods).map(warn);
  if (slices.length === 0 && behind.length === 0)
    problems.push(
      warn(`found no EndpointSlice of Service ${key}, and no Pod that its selector meets; it has no instances`),
    );
  return { draft: { ...rest, ports: [first, ...others], instances: found.instances }, problems };
}

function unknownProblems({ unknown }: Found, hasPods: boolean): string[] {
  const [first] = unknown;
  if (first === undefined) return [];
  const more = unknown.length > 1 ? ` and ${unknown.length - 1} more` : '';
  const effect = hasPods ? 'they get nothing until they are' : 'all count as base';
  return [`found endpoints of Pods that are not here: ${first}${more}; their labels are not known, ${effect}`];
}

/** What the endpoints controller would have made of them. */
function instancesOfPods({ ports, families }: KubernetesService, behind: readonly (Pod | undefined)[]): Found {
  const instances = behind.flatMap((pod) => {
    if (pod === undefined || pod.isOver) return [];
    const { labels, zone } = pod;
    const healthy = pod.isReady && !pod.isLeaving;
    return addressesOf(pod, families).flatMap((address) =>
      ports.flatMap(({ port: servicePort, target }) => {
        const port = typeof target === 'number' ? target : pod.ports.get(target);
        if (port === undefined) return [];
        return [{ address, port, servicePort, labels, healthy, weight: 1, ...(zone !== undefined && { zone }) }];
      }),
    );
  });
  return { instances, unknown: [] };
}

function addressesOf({ addresses }: Pod, families: readonly string[] | undefined): readonly string[] {
  if (families === undefined) return addresses.slice(0, 1);
  return addresses.filter((address) => families.includes(address.includes(':') ? 'IPv6' : 'IPv4'));
}
