// What a client says and hears, by another implementation than the server's.
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { messageOf, readDescriptors } from '../../scripts/descriptors.ts';
import { findEnvoy } from '../../src/supervisor/binary/find.ts';

export type SentRequest = {
  readonly typeUrl: string;
  readonly resourceNamesSubscribe?: readonly string[];
  readonly resourceNamesUnsubscribe?: readonly string[];
  readonly initialResourceVersions?: Readonly<Record<string, string>>;
  readonly responseNonce?: string;
  readonly errorDetail?: { readonly code: number; readonly message: string };
  readonly node?: { readonly id: string };
};

export type DeltaResponse = {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly {
    readonly name: string;
    readonly version: string;
    readonly resource?: { readonly typeUrl: string; readonly value: Uint8Array };
  }[];
  readonly removedResources: readonly string[];
};

const registry = readDescriptors(await findEnvoy({ say: () => {} }), ['envoy/service/discovery/v3/discovery.proto']);
const request = messageOf(registry, 'envoy.service.discovery.v3.DeltaDiscoveryRequest');
const response = messageOf(registry, 'envoy.service.discovery.v3.DeltaDiscoveryResponse');

export function encodeRequest(sent: SentRequest): Buffer {
  return Buffer.from(toBinary(request, create(request, sent as MessageInitShape<typeof request>)));
}

export function decodeResponse(bytes: Buffer): DeltaResponse {
  return fromBinary(response, bytes) as unknown as DeltaResponse;
}
