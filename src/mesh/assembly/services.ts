// Drafts to services: rules and the labels of Pods say which lanes an instance is in. What has not changed stays the same object.
import type { RuleSet } from '../../rules/compile.ts';
import { type Draft, lanesOfWorkload, type Service } from '../mesh.ts';
import { isSame } from './same.ts';

type Labels = Readonly<Record<string, string>>;

export type Drafts = {
  /** By `namespace/name`. */
  readonly drafts: ReadonlyMap<string, Draft>;
  readonly rules: RuleSet;
  /** Labels of the Pod that has an address. */
  readonly podLabels: ReadonlyMap<string, Labels>;
};

/** A function that remembers the services of the last time. They are in the order of their names. */
export function createServices(): (given: Drafts) => ReadonlyMap<string, Service> {
  let last: Drafts | undefined;
  let services: ReadonlyMap<string, Service> = new Map();
  return (given) => {
    const before = last;
    const moved = before && addressesThatDiffer(before.podLabels, given.podLabels);
    const isStale = before?.rules.workloads !== given.rules.workloads;
    const next = new Map<string, Service>();
    let isChanged = services.size !== given.drafts.size;
    for (const key of orderOf(services, given.drafts)) {
      const draft = given.drafts.get(key);
      if (draft === undefined) continue;
      const service = services.get(key);
      const isKept = !isStale && service && before?.drafts.get(key) === draft && !(moved && isTouched(draft, moved));
      const built = isKept ? service : settled(service, toService(draft, given));
      if (built !== service) isChanged = true;
      next.set(key, built);
    }
    last = given;
    if (isChanged) services = next;
    return services;
  };
}

/** The order of the last time where no name is new: to sort a thousand names takes longer than all the rest. */
function orderOf(last: ReadonlyMap<string, unknown>, drafts: ReadonlyMap<string, unknown>): Iterable<string> {
  for (const key of drafts.keys()) if (!last.has(key)) return [...drafts.keys()].sort();
  return last.keys();
}

function settled(before: Service | undefined, after: Service): Service {
  return before !== undefined && isSame(before, after) ? before : after;
}

function toService(draft: Draft, { rules, podLabels }: Drafts): Service {
  const { namespace } = draft;
  const instances = draft.instances.map((instance) => {
    const ofPod = podLabels.get(instance.address);
    const labels =
      ofPod === undefined || ofPod === instance.labels ? instance.labels : { ...instance.labels, ...ofPod };
    const { address, port, servicePort, ...rest } = instance;
    return { address, port, servicePort, ...rest, labels, lanes: lanesOfWorkload(rules, { namespace, labels }) };
  });
  return { ...draft, instances };
}

function isTouched({ instances }: Draft, addresses: ReadonlySet<string>): boolean {
  return addresses.size > 0 && instances.some(({ address }) => addresses.has(address));
}

function addressesThatDiffer(before: ReadonlyMap<string, Labels>, after: ReadonlyMap<string, Labels>): Set<string> {
  const differing = new Set<string>();
  if (before === after) return differing;
  for (const [address, labels] of after) if (before.get(address) !== labels) differing.add(address);
  for (const address of before.keys()) if (!after.has(address)) differing.add(address);
  return differing;
}
