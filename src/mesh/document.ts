// What operators write about services: `kind: Service` of lanekeeper.io/v1alpha1.
import { z } from 'zod';

export const serviceGroup = 'lanekeeper.io';

const port = z.int().min(1, 'expected a port, 1 to 65535').max(65535, 'expected a port, 1 to 65535');

const labels = z.record(z.string(), z.string());

const address = z.union([z.ipv4(), z.ipv6()], 'expected an IP address such as 10.0.0.1 or fd00::1');

const instance = z.strictObject({
  address,
  port,
  /** Port of the service that this instance answers; the first where absent. */
  servicePort: port.optional(),
  labels: labels.optional(),
  /** False: it is known not to answer, or is leaving; it gets nothing while another of its lane answers. */
  healthy: z.boolean().optional(),
  /** Its share of the traffic beside that of others; 0 for none. 1 where absent. */
  weight: z.int().min(0, 'expected a weight, 0 to 10000').max(10_000, 'expected a weight, 0 to 10000').optional(),
  zone: z.string().optional(),
});

const servicePort = z.strictObject({
  port,
  protocol: z
    .enum(['http', 'http2', 'grpc', 'tcp'], 'expected "http", "http2", "grpc", or "tcp" for what only passes through')
    .optional(),
  /** True where untrusted callers arrive: everything that could choose a lane is removed from their requests. */
  edge: z.boolean().optional(),
});

const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

// As registries have them: `orders`, `sc-B`, `providers:com.shop.Orders:1.2.0:`.
const serviceName = /^[A-Za-z0-9][A-Za-z0-9._:$@-]{0,252}$/;

export const pathForm = /^\/[^?#\s]*$/;
export const pathExpected = 'expected a path that begins with "/" and has no "?", "#" or space, such as /orders';

const path = z.string().regex(pathForm, pathExpected);

export const serviceDocument = z.strictObject({
  apiVersion: z.literal('lanekeeper.io/v1alpha1'),
  kind: z.literal('Service'),
  metadata: z.strictObject({
    name: z.string().regex(serviceName, 'expected a name of letters, digits and . _ : $ @ -, such as "orders"'),
    namespace: z.string().regex(dnsLabel, 'expected the name of a Kubernetes namespace, such as "shop"').optional(),
    labels: labels.optional(),
    annotations: labels.optional(),
  }),
  spec: z.strictObject({
    ports: z.array(servicePort).min(1, 'expected at least one port'),
    /** Where it is called whatever the instance, with each of its ports: cluster IPs. */
    addresses: z.array(address).optional(),
    instances: z.array(instance).optional(),
    /** True: an instance that a client picked itself is called whatever its lane. */
    keepPicks: z.boolean().optional(),
    /** True: a label that has no lane here is refused (503) instead of falling back to base. */
    strict: z.boolean().optional(),
    /** True: a label `a.b` that has no lane here takes the lane `a`. Off unless asked for: `v1.2` would fall into `v1`. */
    hierarchicalLabels: z.boolean().optional(),
    /** What a gateway routes here: a path and all below it. The longest wins. */
    paths: z.array(path).optional(),
  }),
});

export type ServiceDocument = z.infer<typeof serviceDocument>;
