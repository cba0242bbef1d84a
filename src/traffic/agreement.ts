// What Envoy's configuration and the processor must say alike.

/** gateway: an edge that routes on. edge and inbound: in front of an application. outbound: behind it. */
export const directions = ['gateway', 'edge', 'inbound', 'outbound'] as const;

/** Where a request is when Envoy asks. */
export type Direction = (typeof directions)[number];

/** gRPC metadata key by which Envoy tells the processor the direction. */
export const directionKey = 'lanekeeper-direction';

/** Namespace of the dynamic metadata in which a decision reaches Envoy's routes and logs. */
export const metadataNamespace = 'lanekeeper';

/**
 * How long Envoy keeps a connection to the processor, in ms. It leaves by itself, and in order; so a processor that another
 * has replaced only has to wait. A GOAWAY of Node's would lose what is on its way (nghttp2 passes over streams that are
 * opened after it): all requests in flight, in most of the upgrades that were measured.
 */
export const processorConnectionMs = 2_000;
