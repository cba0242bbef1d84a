// What one change costs in a mesh of 1000 services, each with 3 lanes of 5 addresses: `node test/bench/assemble.ts`.
import { documentFrom } from '../../src/documents/envelope.ts';
import type { Document } from '../../src/documents/parse.ts';
import { createMeshAssembler } from '../../src/mesh/assemble.ts';

const services = 1000;
const lanes = ['', 'gray', 'blue'];
const addresses = 5;

function ours(service: number, healthy = true): Document[] {
  const instances = lanes.flatMap((lane, index) =>
    Array.from({ length: addresses }, (_, address) => ({
      address: addressOf(service, index * addresses + address),
      port: 8080,
      labels: lane === '' ? {} : { 'traffic.opensergo.io/label': lane },
      healthy: index === 0 && address === 0 ? healthy : true,
    })),
  );
  const spec = { ports: [{ port: 80 }], instances };
  const metadata = { name: `s${service}` };
  return [documentFrom({ apiVersion: 'lanekeeper.io/v1alpha1', kind: 'Service', metadata, spec }, `s${service}`)];
}

/** A Service, a slice and 15 Pods. */
function kubernetes(service: number, healthy = true): Document[] {
  const name = `s${service}`;
  const members = lanes.flatMap((lane, index) =>
    Array.from({ length: addresses }, (_, address) => ({ lane, id: index * addresses + address })),
  );
  const endpoints = members.map(({ id }) => ({
    addresses: [addressOf(service, id)],
    conditions: { ready: id > 0 || healthy },
    targetRef: { kind: 'Pod', name: `${name}-${id}` },
  }));
  return [
    documentFrom(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name },
        spec: { clusterIPs: [`10.96.${service >> 8}.${service & 255}`], ports: [{ name: 'http', port: 80 }] },
      },
      name,
    ),
    documentFrom(
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name, labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        ports: [{ name: 'http', port: 8080 }],
        endpoints,
      },
      name,
    ),
    ...members.map(({ lane, id }) =>
      documentFrom(
        {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: `${name}-${id}`, labels: lane === '' ? {} : { 'traffic.opensergo.io/label': lane } },
          spec: {},
          status: { podIP: addressOf(service, id) },
        },
        name,
      ),
    ),
  ];
}

function addressOf(service: number, id: number): string {
  const number = service * 16 + id;
  return `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;
}

for (const [name, make] of Object.entries({ ours, kubernetes })) {
  const assemble = createMeshAssembler();
  const all = Array.from({ length: services }, (_, service) => make(service));
  const part = () => [{ name: 'bench', documents: all.flat(), problems: [] }];
  let started = performance.now();
  assemble(part());
  const first = performance.now() - started;
  const times: number[] = [];
  for (let round = 0; round < 200; round++) {
    const service = (round * 7) % services;
    const [kept, made] = [all[service] ?? [], make(service, round % 2 === 0)];
    // What a change of one instance changes: our document; of Kubernetes the slice alone.
    all[service] =
      kept.length > 1 ? kept.map((document, index) => (index === 1 ? (made[1] ?? document) : document)) : made;
    const parts = part();
    started = performance.now();
    assemble(parts);
    times.push(performance.now() - started);
  }
  const [median = 0, worst = 0] = [times.sort((a, b) => a - b)[100], times.at(-1)];
  console.log(
    `${name}: first ${first.toFixed(0)} ms; a change: median ${median.toFixed(2)} ms, worst ${worst.toFixed(2)} ms`,
  );
}
