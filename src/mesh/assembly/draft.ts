// Our own service documents: `kind: Service` of lanekeeper.io, held against schema and sense.
import { nearest } from '../../documents/nearest.ts';
import type { Document } from '../../documents/parse.ts';
import { byPlace } from '../../documents/place.ts';
import { validate } from '../../documents/validate.ts';
import type { Problem } from '../../problem.ts';
import { type ServiceDocument, serviceDocument, serviceGroup } from '../document.ts';
import type { Draft, Port } from '../mesh.ts';
import { serviceMistakes } from '../mistakes.ts';

/** True for the documents that `readService` reads: those of our group, and those that were probably meant to be. */
export function isService(document: Document): boolean {
  const [group = ''] = document.apiVersion.split('/');
  return nearest(group, [serviceGroup]) !== undefined;
}

/** Every mistake of a document is reported; without one it is a service. */
export function readService(document: Document): { draft: Draft | undefined; problems: readonly Problem[] } {
  const valid = validate(document, serviceDocument);
  const found = valid.ok ? [] : [...valid.problems];
  const reported = new Set(found.map(({ path }) => path));
  found.push(...serviceMistakes(document).filter(({ path }) => !reported.has(path)));
  if (valid.ok && found.length === 0) return { draft: toDraft(document.namespace, valid.value), problems: [] };
  // Of another kind nothing else can be said.
  const isOther = document.kind !== 'Service';
  const problems = isOther ? found.filter(({ path }) => path === 'apiVersion' || path === 'kind') : found;
  return { draft: undefined, problems: problems.sort(byPlace) };
}

function toDraft(namespace: string, { metadata, spec }: ServiceDocument): Draft {
  const ports = spec.ports.map((port) => ({
    port: port.port,
    protocol: port.protocol ?? 'http',
    edge: port.edge ?? false,
  }));
  const [first, ...others] = ports as [Port, ...Port[]]; // the schema asks for one
  return {
    name: metadata.name,
    namespace,
    ports: [first, ...others],
    addresses: spec.addresses ?? [],
    instances: (spec.instances ?? []).map((instance) => ({
      address: instance.address,
      port: instance.port,
      servicePort: instance.servicePort ?? first.port,
      labels: instance.labels ?? {},
      healthy: instance.healthy ?? true,
      weight: instance.weight ?? 1,
      ...(instance.zone !== undefined && { zone: instance.zone }),
    })),
    keepPicks: spec.keepPicks ?? false,
    strict: spec.strict ?? false,
    hierarchical: spec.hierarchicalLabels ?? false,
    paths: (spec.paths ?? []).map((path) => path.replace(/\/+$/, '') || '/'),
  };
}
