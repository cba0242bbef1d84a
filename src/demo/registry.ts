// Where the sidecars of a demo learn of services and instances: a document of the demo's own.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type ServiceName, serviceNames } from './topology.ts';

export type Instance = {
  readonly service: ServiceName;
  readonly address: string;
  readonly port: number;
  readonly labels: Readonly<Record<string, string>>;
};

export type Registry = {
  /** By which a sidecar follows it. */
  readonly flags: readonly string[];
  /** What it reads for that, of this demo. */
  readonly files: readonly string[];
  /** These are there now, and no others: who is new is registered, who is missing is deregistered. */
  publish(instances: readonly Instance[]): Promise<void>;
};

export type DocumentOptions = {
  readonly folder: string;
  readonly rules: string;
  /** Addresses that stand for all instances of a service. */
  readonly addresses: (service: ServiceName) => readonly string[];
};

export function documentRegistry({ folder, rules, addresses }: DocumentOptions): Registry {
  const services = join(folder, 'services');
  const file = join(services, 'services.yaml');
  return {
    flags: ['--config', `${rules},${services}`],
    files: [services, file],
    async publish(instances) {
      mkdirSync(services, { recursive: true, mode: 0o700 });
      writeFileSync(`${file}.next`, serviceDocuments(instances, addresses));
      renameSync(`${file}.next`, file);
    },
  };
}

/** A document of every service; A is what the gateway routes `/a` to. */
function serviceDocuments(instances: readonly Instance[], addresses: DocumentOptions['addresses']): string {
  return serviceNames
    .map((name) => {
      const own = instances.filter(({ service }) => service === name).map(({ service: _, ...instance }) => instance);
      return stringify({
        apiVersion: 'lanekeeper.io/v1alpha1',
        kind: 'Service',
        metadata: { name },
        spec: {
          ports: [{ port: 80 }],
          addresses: addresses(name),
          instances: own,
          ...(name === 'a' && { paths: ['/a'] }),
        },
      });
    })
    .join('---\n');
}
