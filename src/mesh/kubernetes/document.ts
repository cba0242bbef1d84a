// What is read of Kubernetes' own objects. They have many more fields, which are not our business.
import { z } from 'zod';

const port = z.int().min(1, 'expected a port, 1 to 65535').max(65535, 'expected a port, 1 to 65535');
const texts = z.record(z.string(), z.string());
const address = z.union([z.ipv4(), z.ipv6()], 'expected an IP address such as 10.0.0.1 or fd00::1');
/** `None` and nothing: headless, or not given yet. */
const clusterIp = z.union([address, z.literal(['None', ''])], 'expected an IP address or None');

export const serviceObject = z.object({
  metadata: z.object({ annotations: texts.nullish() }),
  spec: z.object({
    type: z.string().optional(),
    selector: texts.nullish(),
    clusterIP: clusterIp.optional(),
    clusterIPs: z.array(clusterIp).nullish(),
    ipFamilies: z.array(z.enum(['IPv4', 'IPv6'])).nullish(),
    ports: z
      .array(
        z.object({
          name: z.string().optional(),
          port,
          protocol: z.string().optional(),
          targetPort: z.union([port, z.string()], 'expected a port, 1 to 65535, or its name').optional(),
          appProtocol: z.string().nullish(),
        }),
      )
      .nullish(),
  }),
});

/** discovery.k8s.io/v1: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/ */
export const sliceObject = z.object({
  metadata: z.object({ labels: texts.nullish() }),
  addressType: z.enum(['IPv4', 'IPv6', 'FQDN']),
  ports: z
    .array(z.object({ name: z.string().nullish(), port: port.nullish(), protocol: z.string().nullish() }))
    .nullish(),
  endpoints: z
    .array(
      z.object({
        addresses: z.array(z.string()).min(1, 'expected at least one address'),
        conditions: z
          .object({
            ready: z.boolean().nullish(),
            serving: z.boolean().nullish(),
            terminating: z.boolean().nullish(),
          })
          .nullish(),
        targetRef: z.object({ kind: z.string(), name: z.string(), namespace: z.string().optional() }).nullish(),
        zone: z.string().nullish(),
      }),
    )
    .nullish(),
});

export const podObject = z.object({
  metadata: z.object({ labels: texts.nullish(), deletionTimestamp: z.string().nullish() }),
  spec: z.object({
    hostNetwork: z.boolean().optional(),
    containers: z
      .array(
        z.object({
          ports: z
            .array(z.object({ name: z.string().optional(), containerPort: port, protocol: z.string().optional() }))
            .nullish(),
        }),
      )
      .nullish(),
  }),
  status: z
    .object({
      phase: z.string().optional(),
      podIP: address.optional(),
      podIPs: z.array(z.object({ ip: address })).nullish(),
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).nullish(),
    })
    .nullish(),
});

export type ServiceObject = z.infer<typeof serviceObject>;
export type SliceObject = z.infer<typeof sliceObject>;
export type PodObject = z.infer<typeof podObject>;

export function isAddress(text: string): boolean {
  return address.safeParse(text).success;
}
