// The mesh: every service with its lanes, plus the rules; one immutable snapshot that is swapped whole.

import type { Document } from '../documents/parse.ts';
import { problemAt } from '../documents/place.ts';
import { validate } from '../documents/validate.ts';
import type { Problem } from '../problem.ts';
import type { RuleSet } from '../rules/compile.ts';
import { workloadLabels } from '../rules/compile.ts';
import { type Label, parseLabel } from '../traffic/label.ts';
import { type ServiceDocument, serviceDocument, serviceGroup } from './document.ts';

export type Instance = {
  readonly address: string;
  readonly port: number;
  /** Port of the service that it answers. */
  readonly servicePort: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The labels whose traffic it serves; empty for base. */
  readonly lanes: readonly Label[];
};

export type Port = { readonly port: number; readonly protocol: 'http' | 'http2' | 'grpc'; readonly edge: boolean };

export type Service = {
  readonly name: string;
  readonly namespace: string;
  /** Never empty; the first is the one that is meant where none is named. */
  readonly ports: readonly [Port, ...Port[]];
  readonly instances: readonly Instance[];
  readonly strict: boolean;
  /** True: a label `a.b` that has no lane takes the lane `a`. */
  readonly hierarchical: boolean;
  readonly paths: readonly string[];
};

export type Mesh = {
  /** By `namespace/name`, in the order of that key. */
  readonly services: ReadonlyMap<string, Service>;
  readonly rules: RuleSet;
};

/** Key of the short form of an instance's label (opensergo.md, WorkloadLabelRule); several labels are parted by commas. */
export const workloadLabelKey = 'traffic.opensergo.io/label';

/** True for the documents that `toServices` reads. */
export function isService(document: Document): boolean {
  return document.apiVersion.startsWith(`${serviceGroup}/`);
}

/** Reads the service documents; every mistake of every document is reported, and the right ones are returned. */
export function toServices(
  documents: readonly Document[],
  rules: RuleSet,
): { services: ReadonlyMap<string, Service>; problems: Problem[] } {
  const problems: Problem[] = [];
  const services = new Map<string, Service>();
  for (const document of documents) {
    const key = `${document.namespace}/${document.name}`;
    const valid = validate(document, serviceDocument);
    if (!valid.ok) problems.push(...valid.problems);
    else if (services.has(key))
      problems.push(
        problemAt(document, ['metadata', 'name'], `service "${key}" is there twice; give one of them another name`),
      );
    else {
      const mistakes = mistakesOf(document, valid.value);
      problems.push(...mistakes);
      if (mistakes.length === 0) services.set(key, toService(document, valid.value, rules));
    }
  }
  return { services: new Map([...services].sort(([a], [b]) => (a < b ? -1 : 1))), problems };
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
  const dot = name.indexOf('.');
  return mesh.services.get(dot < 0 ? `${namespace}/${name}` : `${name.slice(dot + 1)}/${name.slice(0, dot)}`);
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
    };
  });
  return {
    name: metadata.name,
    namespace: document.namespace,
    ports: [first, ...others],
    instances,
    strict: spec.strict ?? false,
    hierarchical: spec.hierarchicalLabels ?? false,
    paths: spec.paths ?? [],
  };
}

function mistakesOf(document: Document, { spec }: ServiceDocument): Problem[] {
  const ports = spec.ports.map((port) => port.port);
  const problems: Problem[] = [];
  for (const [index, port] of ports.entries()) {
    if (ports.indexOf(port) !== index)
      problems.push(problemAt(document, ['spec', 'ports', index, 'port'], `port ${port} is there twice`));
  }
  for (const [index, instance] of (spec.instances ?? []).entries()) {
    const label = instance.labels?.[workloadLabelKey];
    if (instance.servicePort !== undefined && !ports.includes(instance.servicePort))
      problems.push(
        problemAt(
          document,
          ['spec', 'instances', index, 'servicePort'],
          `found ${instance.servicePort}, expected a port of this service: ${ports.join(', ')}`,
        ),
      );
    for (const text of label === undefined ? [] : label.split(',')) {
      if (parseLabel(text.trim()) === undefined)
        problems.push(
          problemAt(
            document,
            ['spec', 'instances', index, 'labels', workloadLabelKey],
            `found ${JSON.stringify(text.trim())}, which is no label; expected for example "gray"`,
          ),
        );
    }
  }
  return problems;
}
