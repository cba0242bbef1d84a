// A Service of Kubernetes by itself: its ports and addresses. Who its instances are, others say.
import type { Document } from '../../documents/parse.ts';
import { byPlace, problemAt } from '../../documents/place.ts';
import type { Problem } from '../../problem.ts';
import type { Draft, Port, Protocol } from '../mesh.ts';
import { readAnnotations } from './annotations.ts';
import type { ServiceObject } from './document.ts';

export type ServicePort = Port & {
  /** Empty where a service has only one port and does not name it. */
  readonly name: string;
  /** Port of a Pod, or the name that a container of it gives to one. */
  readonly target: number | string;
};

export type KubernetesService = Omit<Draft, 'instances' | 'ports'> & {
  /** `namespace/name` */
  readonly key: string;
  /** TCP only. */
  readonly ports: readonly ServicePort[];
  readonly isExternal: boolean;
  readonly selector: Readonly<Record<string, string>>;
  readonly families: readonly string[] | undefined;
};

export function toKubernetesService(
  document: Document,
  { metadata, spec }: ServiceObject,
): { service: KubernetesService; problems: readonly Problem[] } {
  const written = [...(spec.ports ?? []).entries()].filter(([, { protocol = 'TCP' }]) => protocol === 'TCP');
  const named = written.map(([, { name = '', port }]) => ({ name, port }));
  const { annotated, problems } = readAnnotations(document, metadata.annotations ?? {}, named);
  const { edges, ...flags } = annotated;
  const numbers = named.map(({ port }) => port);
  const twice = written.flatMap(([index, { port }], position) =>
    numbers.indexOf(port) === position
      ? []
      : [problemAt(document, ['spec', 'ports', index, 'port'], `found ${port} twice, expected each port once`)],
  );
  const addresses = (spec.clusterIPs ?? [spec.clusterIP ?? '']).filter(
    (address) => address !== '' && address !== 'None',
  );
  const service = {
    key: `${document.namespace}/${document.name}`,
    name: document.name,
    namespace: document.namespace,
    ports: written.map(([, { name = '', port, targetPort, appProtocol }]) => ({
      port,
      protocol: protocolOf(name, appProtocol ?? undefined),
      edge: edges.has(port),
      name,
      target: targetPort ?? port,
    })),
    addresses,
    isExternal: spec.type === 'ExternalName',
    selector: spec.selector ?? {},
    families: spec.ipFamilies ?? undefined,
    ...flags,
  };
  return { service, problems: [...problems, ...twice].sort(byPlace) };
}

/** The appProtocol (KEP-3726 has those with a prefix), else what the name begins with, as with Istio: `grpc-orders`. */
function protocolOf(name: string, appProtocol: string | undefined): Protocol {
  const word =
    appProtocol?.toLowerCase() ??
    name
      .toLowerCase()
      .replace(/^grpc-web\b/, 'http')
      .split('-')[0] ??
    '';
  return protocols.get(word) ?? 'tcp';
}

const protocols: ReadonlyMap<string, Protocol> = new Map([
  ['http', 'http'],
  ['http2', 'http2'],
  ['h2c', 'http2'],
  ['grpc', 'grpc'],
  ['grpc-web', 'http'],
  ['kubernetes.io/h2c', 'http2'],
  ['kubernetes.io/ws', 'http'],
]);
