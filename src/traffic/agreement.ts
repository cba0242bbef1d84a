// What Envoy's configuration and the processor must say alike.

/** gateway: an edge that routes on. edge and inbound: in front of an application. outbound: behind it. */
export const directions = ['gateway', 'edge', 'inbound', 'outbound'] as const;

/** Where a request is when Envoy asks. */
export type Direction = (typeof directions)[number];

/** gRPC metadata key by which Envoy tells the processor the direction. */
export const directionKey = 'lanekeeper-direction';

/** Namespace of the dynamic metadata in which a decision reaches Envoy's routes and logs. */
export const metadataNamespace = 'lanekeeper';
