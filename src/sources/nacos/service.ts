// A service as Nacos has it → one document, which stays the same object for as long as it says the same.
import { documentFrom } from '../../documents/envelope.ts';
import type { Document } from '../../documents/parse.ts';
import { quoted, shown, valueAt } from '../../documents/value.ts';
import { serviceDocument } from '../../mesh/document.ts';
import type { Protocol } from '../../mesh/mesh.ts';
import type { Problem } from '../../problem.ts';
import { type Registered, readInstance } from './instance.ts';

export type Namespace = {
  /** Of Nacos: `public`, or what Nacos calls its id. */
  readonly id: string;
  /** Of the mesh; by default `default` for `public`, else the id in small letters with `-` for what no name may have. */
  readonly as?: string;
};

export type Group = { readonly namespace: Namespace; readonly group: string };

export type ServiceKey = Group & { readonly name: string };

/** What a service gives, and what the next form of it must know. */
export type Entry = {
  readonly document?: Document;
  /** Of the document as JSON. */
  readonly text: string;
  readonly port?: number;
  readonly problems: readonly Problem[];
};

export const defaultGroup = 'DEFAULT_GROUP';
const maxProblems = 10;
const maxWeight = 10_000;
/** Nacos has fractions, and 1 where nothing was said. */
const weightUnit = 100;

/** `nacos public`, `nacos public/DEFAULT_GROUP`, `nacos public/DEFAULT_GROUP/orders`. */
export function placeOf({ id }: Namespace, ...parts: readonly string[]): string {
  return `nacos ${[id || 'public', ...parts]
    .join('/')
    .replaceAll(/\p{Cc}/gu, '?')
    .slice(0, 400)}`;
}

/** As Nacos writes it, so that groups cannot meet: `orders`, `SHOP@@orders`. */
export function meshNameOf({ group, name }: ServiceKey): string {
  return group === defaultGroup ? name : `${group}@@${name}`;
}

/** What Dubbo's clients write about themselves is nobody's service. */
export function isCallable(name: string): boolean {
  return !/^(consumers|routers|configurators):/.test(name);
}

/** `before` is the last entry of this service; it stands where nothing can be read. */
export function readService(key: ServiceKey, hosts: unknown, before: Entry | undefined): Entry {
  const place = placeOf(key.namespace, key.group, key.name);
  const name = meshNameOf(key);
  const { name: names, namespace: namespaces } = serviceDocument.shape.metadata.shape;
  const namespace = meshNamespaceOf(key.namespace);
  if (!names.safeParse(name).success)
    return mistaken(`found the service ${quoted(name)}, expected a name of letters, digits and . _ : $ @ -`);
  if (!namespaces.safeParse(namespace).success)
    return mistaken(
      `found the namespace ${quoted(namespace)}, expected small letters, digits and -; map it to another`,
    );
  if (!Array.isArray(hosts)) return mistaken(`found ${shown(hosts)}, expected the list of its instances`);
  const { instances, problems } = readInstances(hosts, key.name.startsWith('providers:'), place);
  const port = portOf(instances, before?.port);
  if (port === undefined) return { text: '', problems: sameOr(before?.problems, problems) };
  const protocol = protocolOf(instances);
  if (protocol === undefined)
    problems.push({
      severity: 'warning',
      file: place,
      message: 'found instances of different protocols; they pass through as bytes, so that no rule meets them',
    });
  const scale =
    weightUnit * Math.min(1, maxWeight / weightUnit / Math.max(...instances.map(({ weight }) => weight), 1));
  const value = {
    apiVersion: 'lanekeeper.io/v1alpha1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: {
      ...saidByInstances(instances),
      ports: [{ port, protocol: instances.length === 0 ? protocolBefore(before) : (protocol ?? 'tcp') }],
      instances: instances.map(({ protocol: _, weight, ...instance }) => ({
        ...instance,
        weight: weight === 0 ? 0 : Math.max(1, Math.round(weight * scale)),
      })),
    },
  };
  const text = JSON.stringify(value);
  const same = before?.document !== undefined && before.text === text;
  const document = same ? before.document : documentFrom(value, place);
  return { document, text, port, problems: sameOr(before?.problems, problems) };

  function mistaken(message: string): Entry {
    const problems = sameOr(before?.problems, [{ severity: 'error', file: place, message }]);
    return { text: '', ...before, problems };
  }
}

/** What a service of Kubernetes has as annotations, an instance says in its metadata; it counts for all of them. */
function saidByInstances(instances: readonly Registered[]): object {
  const all = (name: string) => instances.flatMap(({ labels }) => (labels[`lanekeeper.io/${name}`] ?? '').split(','));
  const paths = [...new Set(all('paths').map((path) => path.trim()))].filter(Boolean).sort();
  const isTrue = (name: string) => all(name).includes('true');
  return {
    ...(paths.length > 0 && { paths }),
    ...(isTrue('strict') && { strict: true }),
    ...(isTrue('hierarchical-labels') && { hierarchicalLabels: true }),
    ...(isTrue('keep-picks') && { keepPicks: true }),
  };
}

export function meshNamespaceOf({ id, as }: Namespace): string {
  if (as !== undefined) return as;
  return id === '' || id === 'public' ? 'default' : id.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-');
}

function readInstances(
  hosts: readonly unknown[],
  isDubbo: boolean,
  file: string,
): { instances: Registered[]; problems: Problem[] } {
  const problems: Problem[] = [];
  const instances = new Map<string, Registered>();
  for (const host of hosts) {
    const read = readInstance(host, isDubbo);
    const address = read.ok ? `${read.instance.address} ${String(read.instance.port).padStart(5)}` : '';
    const twin = instances.get(address);
    if (!read.ok) problems.push({ severity: 'error', file, message: `${read.why}; it is left out` });
    else if (twin === undefined) instances.set(address, read.instance);
    else if (JSON.stringify(twin) !== JSON.stringify(read.instance))
      problems.push({
        severity: 'warning',
        file,
        message: `found ${address.replace(/ +/, ':')} twice, in two clusters and not the same; the first counts`,
      });
  }
  if (problems.length > maxProblems) {
    const message = `found ${problems.length - maxProblems} more instances with mistakes`;
    problems.splice(maxProblems, Number.POSITIVE_INFINITY, { severity: 'error', file, message });
  }
  const sorted = [...instances].sort(([a], [b]) => (a < b ? -1 : 1));
  return { instances: sorted.map(([, instance]) => instance), problems };
}

/** The port that most instances have, of several the lowest; that of before for as long as one has it, or none is there. */
function portOf(instances: readonly Registered[], before: number | undefined): number | undefined {
  if (before !== undefined && (instances.length === 0 || instances.some(({ port }) => port === before))) return before;
  const counts = new Map<number, number>();
  for (const { port } of instances) counts.set(port, (counts.get(port) ?? 0) + 1);
  return [...counts].sort(([a, m], [b, n]) => n - m || a - b)[0]?.[0];
}

/** Undefined where the instances do not agree. */
function protocolOf(instances: readonly Registered[]): Protocol | undefined {
  const all = new Set(instances.map(({ protocol }) => protocol));
  return all.size > 1 ? undefined : ([...all][0] ?? 'http');
}

function protocolBefore(before: Entry | undefined): unknown {
  return valueAt(before?.document?.value, ['spec', 'ports', 0, 'protocol']);
}

/** The objects of before where they say the same. */
function sameOr(before: readonly Problem[] | undefined, problems: readonly Problem[]): readonly Problem[] {
  return JSON.stringify(before) === JSON.stringify(problems) ? (before ?? problems) : problems;
}
