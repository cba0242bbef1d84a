// The mesh: every service with its lanes, plus the rules; one immutable snapshot that is swapped whole.

import { nearest } from '../documents/nearest.ts';
import type { Document } from '../documents/parse.ts';
import { byPlace, problemAt } from '../documents/place.ts';
import { validate } from '../documents/validate.ts';
import { formatPlace, type Problem } from '../problem.ts';
import type { RuleSet } from '../rules/compile.ts';
import { workloadLabels } from '../rules/compile.ts';
import { type Label, parseLabel } from '../traffic/label.ts';
import { type ServiceDocument, serviceDocument, serviceGroup } from './document.ts';
import { serviceMistakes } from './mistakes.ts';
import { workloadLabelKey } from './workload.ts';

export type Instance = {
  readonly address: string;
  readonly port: number;
  /** Port of the service that it answers. */
  readonly servicePort: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The labels whose traffic it serves; empty for base. */
  readonly lanes: readonly Label[];
  readonly healthy: boolean;
  /** Its share of the traffic beside that of others; 0 for none. */
  readonly weight: number;
  readonly zone?: string;
};

export type Port = { readonly port: number; readonly protocol: Protocol; readonly edge: boolean };

/** `tcp` passes through as bytes. */
export type Protocol = 'http' | 'http2' | 'grpc' | 'tcp';

export type Service = {
  readonly name: string;
  readonly namespace: string;
  /** Never empty; the first is the one that is meant where none is named. */
  readonly ports: readonly [Port, ...Port[]];
  /** IP addresses under which it is called whatever the instance, with each of its ports. */
  readonly addresses: readonly string[];
  readonly instances: readonly Instance[];
  /** True: an instance that a client picked itself is called whatever its lane. */
  readonly keepPicks: boolean;
  readonly strict: boolean;
  /** True: a label `a.b` that has no lane takes the lane `a`. */
  readonly hierarchical: boolean;
  /** Without a slash at the end, but for `/` itself. */
  readonly paths: readonly string[];
};

export type Mesh = {
  /** By `namespace/name`, in the order of that key. */
  readonly services: ReadonlyMap<string, Service>;
  readonly rules: RuleSet;
};

/** True for the documents that `toServices` reads: those of our group, and those that were probably meant to be. */
export function isService(document: Document): boolean {
  const [group = ''] = document.apiVersion.split('/');
  return nearest(group, [serviceGroup]) !== undefined;
}

/** Reads the service documents; every mistake of every document is reported, and the right ones are returned. */
export function toServices(
  documents: readonly Document[],
  rules: RuleSet,
): { services: ReadonlyMap<string, Service>; problems: Problem[] } {
  const problems: Problem[] = [];
  const right = new Map<string, { service: Service; document: Document }>();
  for (const document of documents) {
    const key = `${document.namespace}/${document.name}`;
    const valid = validate(document, serviceDocument);
    const found = [...(valid.ok ? [] : valid.problems), ...twinProblems(document, right.get(key)?.document)];
    const reported = new Set(found.map(({ path }) => path));
    found.push(...serviceMistakes(document).filter(({ path }) => !reported.has(path)));
    if (document.kind === 'Service') problems.push(...found.sort(byPlace));
    else problems.push(...found.filter(({ path }) => path === 'apiVersion' || path === 'kind'));
    if (valid.ok && found.length === 0) right.set(key, { service: toService(document, valid.value, rules), document });
  }
  const sorted = [...right].sort(([a], [b]) => (a < b ? -1 : 1));
  problems.push(...pathProblems(sorted.map(([, entry]) => entry)));
  return { services: new Map(sorted.map(([key, { service }]) => [key, service])), problems };
}

/** The labels of a workload: its own label, by the short form or by a WorkloadLabelRule. Values outside the grammar do not count. */
export function lanesOfWorkload(
  rules: RuleSet,
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
): readonly Label[] {
  const short = (workload.labels[workloadLabelKey] ?? '').split(',').map((text) => parseLabel(text.trim()));
  const all = [...short.filter((label) => label !== undefined), ...workloadLabels(rules, workload)];
  return [...new Set(all)];
}

/** The lanes that a service has on a port: every label that an instance carries, in alphabetical order. */
export function lanesOf(service: Service, port: number): readonly Label[] {
  const labels = service.instances
    .filter((instance) => instance.servicePort === port)
    .flatMap((instance) => instance.lanes);
  return [...new Set(labels)].sort();
}

/** The instances of a lane, or of base where `label` is undefined. */
export function instancesOf(service: Service, port: number, label: Label | undefined): readonly Instance[] {
  return service.instances.filter(
    (instance) =>
      instance.servicePort === port &&
      (label === undefined ? instance.lanes.length === 0 : instance.lanes.includes(label)),
  );
}

/** The service that `name` (`b` or `b.other`) means for a workload of `namespace`. */
export function findService(mesh: Mesh, name: string, namespace: string): Service | undefined {
  const own = mesh.services.get(`${namespace}/${name}`);
  const dot = name.lastIndexOf('.'); // namespaces have none, names of registries may
  return own ?? (dot < 0 ? undefined : mesh.services.get(`${name.slice(dot + 1)}/${name.slice(0, dot)}`));
}

function toService(document: Document, { metadata, spec }: ServiceDocument, rules: RuleSet): Service {
  const ports = spec.ports.map((port) => ({
    port: port.port,
    protocol: port.protocol ?? 'http',
    edge: port.edge ?? false,
  }));
  const [first, ...others] = ports as [Port, ...Port[]]; // the schema asks for one
  const instances = (spec.instances ?? []).map((instance) => {
    const labels = instance.labels ?? {};
    return {
      address: instance.address,
      port: instance.port,
      servicePort: instance.servicePort ?? first.port,
      labels,
      lanes: lanesOfWorkload(rules, { namespace: document.namespace, labels }),
      healthy: instance.healthy ?? true,
      weight: instance.weight ?? 1,
      ...(instance.zone !== undefined && { zone: instance.zone }),
    };
  });
  return {
    name: metadata.name,
    namespace: document.namespace,
    ports: [first, ...others],
    addresses: spec.addresses ?? [],
    instances,
    keepPicks: spec.keepPicks ?? false,
    strict: spec.strict ?? false,
    hierarchical: spec.hierarchicalLabels ?? false,
    paths: (spec.paths ?? []).map((path) => path.replace(/\/+$/, '') || '/'),
  };
}

function twinProblems(document: Document, first: Document | undefined): Problem[] {
  if (first === undefined) return [];
  const there = formatPlace(first.place(['metadata', 'name']));
  const message = `found Service ${document.namespace}/${document.name} again, expected it once; the first is at ${there}, rename one of them`;
  return [problemAt(document, ['metadata', 'name'], message)];
}

/** A gateway takes the first, by the order of the map. */
function pathProblems(entries: readonly { readonly service: Service; readonly document: Document }[]): Problem[] {
  const owners = new Map<string, string>();
  return entries.flatMap(({ service, document }) =>
    service.paths.flatMap((path, index): Problem[] => {
      const name = `${service.namespace}/${service.name}`;
      const owner = owners.get(path) ?? name;
      owners.set(path, owner);
      if (owner === name) return [];
      const message = `found ${path}, which a gateway routes to ${owner} already; give one of them another path`;
      return [{ ...problemAt(document, ['spec', 'paths', index], message), severity: 'warning' }];
    }),
  );
}
