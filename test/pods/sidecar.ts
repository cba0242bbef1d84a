// The product in the pods of these tests: a lanekeeper with its Envoy, and the document of the services that it knows.
import { chownSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Network } from '../../src/demo/pods/network.ts';
import { envoyAdmin } from '../../src/supervisor/admin.ts';
import { ports } from './application.ts';
import { envoyMark, envoyUid, lanekeeper, startIn } from './pods.ts';

export const labelKey = 'traffic.opensergo.io/label';

/** Writes the services b (three protocols, base and gray) and a, as a registry would have them, without some pods. */
export function showServices(network: Network, folder: string, without: readonly string[] = []): void {
  const file = join(folder, 'services.yaml');
  writeFileSync(`${file}.next`, serviceDocuments(network, without));
  renameSync(`${file}.next`, file);
}

function serviceDocuments(network: Network, without: readonly string[]): string {
  const instances = (all: readonly string[], port: number) =>
    all
      .filter((name) => !without.includes(name))
      .flatMap((name) =>
        [network.pod(name).address, network.pod(name).address6].map((address) => ({
          address,
          port,
          labels: name.endsWith('-gray') ? { [labelKey]: 'gray' } : {},
        })),
      );
  const addresses = (name: string) => [network.service(name).address, network.service(name).address6];
  return [
    service('a', { ports: [{ port: ports.http }], instances: instances(['a'], ports.http) }),
    service('b', {
      ports: [{ port: 80 }],
      addresses: addresses('b'),
      instances: instances(['b', 'b-gray'], ports.http),
    }),
    service('b-http2', { ports: [{ port: ports.http2 }], instances: instances(['b', 'b-gray'], ports.http2) }),
    service('b-grpc', {
      ports: [{ port: ports.grpc, protocol: 'grpc' }],
      addresses: addresses('b-grpc'),
      instances: instances(['b', 'b-gray'], ports.grpc),
    }),
    stringify({
      apiVersion: 'traffic.opensergo.io/v1alpha1',
      kind: 'WorkloadLabelRule',
      metadata: { name: 'orders', namespace: 'demo' },
      spec: { workloadLabels: ['gray'], selector: { db: 'shop', table: 'orders_gray' } },
    }),
    service('data', { ports: [{ port: 3306, protocol: 'tcp' }], addresses: addresses('data') }),
  ].join('---\n');
}

function service(name: string, spec: object): string {
  return stringify({
    apiVersion: 'lanekeeper.io/v1alpha1',
    kind: 'Service',
    metadata: { name, namespace: 'demo' },
    spec,
  });
}

export type SidecarOptions = {
  readonly network: Network;
  readonly pod: string;
  readonly envoy: string;
  readonly folder: string;
  /** The service that the pod is of; by the name of the pod where absent. */
  readonly service?: string;
  /** Where services come from; the file in the folder where absent. */
  readonly source?: readonly string[];
};

/** Starts it as the user by which the kernel's rules know it; resolves when it is ready. */
export async function startSidecar({ network, pod, envoy, folder, ...options }: SidecarOptions) {
  const { service = pod.replace('-gray', ''), source = ['--config', join(folder, 'services.yaml')] } = options;
  const run = join(folder, pod);
  mkdirSync(run, { recursive: true, mode: 0o755 });
  if (network.kind === 'root') chownSync(run, envoyUid, envoyUid);
  const interception = network.kind === 'single user' ? `15001:15006:${envoyMark}` : 'yes';
  const flags = {
    name: pod,
    namespace: options.source ? 'default' : 'demo',
    service,
    intercept: interception,
    inbound: [ports.http, ports.http2, ports.grpc].join(','),
    'run-dir': run,
    envoy,
    'access-log': join(run, 'access.log'),
    ...(pod.includes('-gray') && { labels: `${labelKey}=gray` }),
  };
  const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const process_ = await startIn(
    network,
    pod,
    envoyUid,
    [process.execPath, lanekeeper, 'sidecar', ...words, ...source],
    '"msg":"ready"',
  );
  return { process: process_, run, admin: envoyAdmin(join(run, 'admin.sock')) };
}
