// The gRPC service: the one method of ADS that Envoy calls where it is told to use DELTA_GRPC.
import type { ServiceDefinition } from '@grpc/grpc-js';
import { decodeRequest } from './request.ts';

const neverHere = (): never => {
  throw new Error('a server reads requests and writes responses');
};

/** Responses are bytes already. */
export const discovery = {
  DeltaAggregatedResources: {
    path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
    requestStream: true,
    responseStream: true,
    requestDeserialize: decodeRequest,
    responseSerialize: (bytes: Buffer) => bytes,
    requestSerialize: neverHere,
    responseDeserialize: neverHere,
  },
} satisfies ServiceDefinition;
