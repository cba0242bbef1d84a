// Objects as an API server gives them, with only the fields that matter to a test.
import { documentsFrom } from '../../../src/documents/envelope.ts';
import { createMeshAssembler, type Part } from '../../../src/mesh/assemble.ts';
import type { Service } from '../../../src/mesh/mesh.ts';
import { formatProblem } from '../../../src/problem.ts';

export const laneKey = 'traffic.opensergo.io/label';

export function serviceObject(spec: object = {}, annotations: object = {}): object {
  const whole = { selector: { app: 'a' }, clusterIPs: ['10.96.0.1'], ports: [{ name: 'http', port: 80 }], ...spec };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', annotations }, spec: whole };
}

export type Endpoint = {
  readonly address: string;
  readonly conditions?: object | null;
  readonly pod?: string;
  readonly zone?: string;
};

export function sliceObject(endpoints: readonly Endpoint[], more: object = {}): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'a-x', labels: { 'kubernetes.io/service-name': 'a' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: endpoints.map(({ address, pod, conditions, zone }) => ({
      addresses: [address],
      conditions: conditions === undefined ? { ready: true, serving: true, terminating: false } : conditions,
      ...(pod !== undefined && { targetRef: { kind: 'Pod', name: pod, namespace: 'default' } }),
      ...(zone !== undefined && { zone }),
    })),
    ...more,
  };
}

type PodParts = { readonly metadata?: object; readonly spec?: object; readonly status?: object };

export function podObject(name: string, address: string, labels: object = {}, parts: PodParts = {}): object {
  const ports = [{ name: 'web', containerPort: 8081, protocol: 'TCP' }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: 'a', ...labels }, ...parts.metadata },
    spec: { containers: [{ name: 'a', image: 'a', ports }], ...parts.spec },
    status: {
      phase: 'Running',
      podIP: address,
      podIPs: [{ ip: address }],
      conditions: [{ type: 'Ready', status: 'True' }],
      ...parts.status,
    },
  };
}

export function partOf(...objects: object[]): Part {
  return { name: 'kubernetes', ...documentsFrom({ apiVersion: 'v1', kind: 'List', items: objects }, 'kubernetes') };
}

/** The service `a` that these objects make, and what is said of them. */
export function assembledOf(...objects: object[]): { service: Service | undefined; problems: string[] } {
  const { mesh, problems } = createMeshAssembler()([partOf(...objects)]);
  return { service: mesh.services.get('default/a'), problems: problems.map(formatProblem) };
}
