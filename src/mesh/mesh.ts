// The mesh: every service with its lanes, plus the rules; one immutable snapshot that is swapped whole.

import type { RuleSet } from '../rules/compile.ts';
import { workloadLabels } from '../rules/compile.ts';
import { type Label, parseLabel } from '../traffic/label.ts';
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

/** A service as its source has it: rules and Pods have yet to say which lanes its instances are in. */
export type Draft = Omit<Service, 'instances'> & { readonly instances: readonly Omit<Instance, 'lanes'>[] };

export type Mesh = {
  /** By `namespace/name`, in the order of that key. */
  readonly services: ReadonlyMap<string, Service>;
  readonly rules: RuleSet;
};

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
