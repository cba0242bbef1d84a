// Pods: the labels of whoever has an address, and the instances of a service whose selector they meet.
import type { Document } from '../../documents/parse.ts';
import { problemAt } from '../../documents/place.ts';
import { quoted } from '../../documents/value.ts';
import type { Problem } from '../../problem.ts';
import { labelGrammar, parseLabel } from '../../traffic/label.ts';
import { workloadLabelKey } from '../workload.ts';
import type { PodObject } from './document.ts';

export type Pod = {
  /** `namespace/name` */
  readonly key: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: readonly string[];
  /** False: it has the addresses of its node, which say nothing of it. */
  readonly hasOwnAddress: boolean;
  readonly isReady: boolean;
  readonly isLeaving: boolean;
  /** It has ended, and another Pod may have its address. */
  readonly isOver: boolean;
  readonly ports: ReadonlyMap<string, number>;
  readonly zone: string | undefined;
  readonly created: string;
};

export type Pods = {
  readonly size: number;
  get(key: string): Pod | undefined;
  hasSome(namespace: string): boolean;
  /** Those of a namespace that have all labels of a selector, which is not empty. */
  meeting(namespace: string, selector: Readonly<Record<string, string>>): readonly Pod[];
  readonly labelsByAddress: ReadonlyMap<string, Readonly<Record<string, string>>>;
};

export function toPod(
  document: Document,
  { metadata, spec, status }: PodObject,
): { pod: Pod; problems: readonly Problem[] } {
  const ips = status?.podIPs?.map(({ ip }) => ip) ?? [];
  const ports = (spec.containers ?? []).flatMap((container) => container.ports ?? []);
  const labels = metadata.labels ?? {};
  const pod = {
    key: `${document.namespace}/${document.name}`,
    namespace: document.namespace,
    labels,
    addresses: ips.length === 0 && status?.podIP !== undefined ? [status.podIP] : ips,
    hasOwnAddress: spec.hostNetwork !== true,
    isReady: status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
    isLeaving: typeof metadata.deletionTimestamp === 'string',
    isOver: status?.phase === 'Succeeded' || status?.phase === 'Failed',
    ports: new Map(
      ports.flatMap(({ name, containerPort, protocol = 'TCP' }) =>
        name !== undefined && protocol === 'TCP' ? [[name, containerPort] as const] : [],
      ),
    ),
    zone: labels['topology.kubernetes.io/zone'],
    created: document.creationTimestamp ?? '',
  };
  return { pod, problems: labelProblems(document, labels[workloadLabelKey]) };
}

/** A Pod is there whatever its label: a wrong one is no lane, and its Pod is base. */
function labelProblems(document: Document, text: string | undefined): Problem[] {
  if (text === undefined || text === '' || parseLabel(text) !== undefined) return [];
  const message = `found ${quoted(text)}, expected a label: ${labelGrammar}; this Pod counts as base`;
  return [{ ...problemAt(document, ['metadata', 'labels', workloadLabelKey], message), severity: 'warning' }];
}

export function toPods(all: readonly Pod[]): Pods {
  const byKey = new Map(all.map((pod) => [pod.key, pod]));
  let byPair: Map<string, Pod[]> | undefined;
  const namespaces = new Set(all.map(({ namespace }) => namespace));
  return {
    size: all.length,
    get: (key) => byKey.get(key),
    hasSome: (namespace) => namespaces.has(namespace),
    meeting(namespace, selector) {
      byPair ??= pairsOf(all);
      const pairs = Object.entries(selector);
      const lists = pairs.map(([key, value]) => byPair?.get(pairText(namespace, key, value)) ?? []);
      const [fewest = []] = lists.sort((a, b) => a.length - b.length);
      return fewest.filter(({ labels }) => pairs.every(([key, value]) => labels[key] === value));
    },
    labelsByAddress: labelsByAddress(all),
  };
}

function pairsOf(pods: readonly Pod[]): Map<string, Pod[]> {
  const byPair = new Map<string, Pod[]>();
  for (const pod of pods) {
    for (const [key, value] of Object.entries(pod.labels)) {
      const text = pairText(pod.namespace, key, value);
      const list = byPair.get(text);
      if (list === undefined) byPair.set(text, [pod]);
      else list.push(pod);
    }
  }
  return byPair;
}

function pairText(namespace: string, key: string, value: string): string {
  return `${namespace} ${key}=${value}`;
}

/** An address passes from one Pod to the next: who stays beats who leaves, and the younger the older. */
function labelsByAddress(pods: readonly Pod[]): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const owners = new Map<string, Pod>();
  for (const pod of pods) {
    if (!pod.hasOwnAddress || pod.isOver) continue;
    for (const address of pod.addresses) {
      const other = owners.get(address);
      if (other === undefined || isRather(pod, other)) owners.set(address, pod);
    }
  }
  return new Map([...owners].map(([address, { labels }]) => [address, labels]));
}

function isRather(pod: Pod, other: Pod): boolean {
  return pod.isLeaving === other.isLeaving ? pod.created > other.created : other.isLeaving;
}
