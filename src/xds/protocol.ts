// The aggregated discovery service, and the parts of its messages that we use.
import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import protobuf from 'protobufjs/minimal.js';

// The same two levels up from src/xds/ and from dist/xds/.
const protoFolder = fileURLToPath(new URL('../../proto/', import.meta.url));

const loaded = loadSync('envoy/service/discovery/v3/ads.proto', {
  includeDirs: [protoFolder],
  keepCase: false,
  defaults: false,
});

const name = 'envoy.service.discovery.v3.AggregatedDiscoveryService';

/** `DeltaAggregatedResources`: a stream of requests, answered by responses that are bytes already (`encodeResponse`). */
export const discovery = { DeltaAggregatedResources: deltaMethod() };

function deltaMethod() {
  const { DeltaAggregatedResources: method } = loaded[name] as ServiceDefinition;
  if (method === undefined) throw new Error(`${name} is not in ${protoFolder}`);
  return { ...method, responseSerialize: (bytes: Buffer) => bytes };
}

export type DeltaRequest = {
  readonly typeUrl: string;
  readonly resourceNamesSubscribe?: readonly string[];
  readonly resourceNamesUnsubscribe?: readonly string[];
  /** What Envoy has already, by name: only in the first message of a type. */
  readonly initialResourceVersions?: Readonly<Record<string, string>>;
  /** Of the response that this answers. */
  readonly responseNonce?: string;
  /** Present where the response was refused. */
  readonly errorDetail?: { readonly message?: string };
};

/** `envoy.service.discovery.v3.Resource` as a field of a response: encoded once for all streams. */
export function encodeResource(resource: { name: string; version: string; any: Uint8Array }): Buffer {
  const writer = protobuf.Writer.create();
  writer.uint32(18).fork(); // DeltaDiscoveryResponse.resources = 2
  writer.uint32(10).string(resource.version); // version = 1
  writer.uint32(18).bytes(resource.any); // resource = 2
  writer.uint32(26).string(resource.name); // name = 3
  writer.ldelim();
  return Buffer.from(writer.finish());
}

/** `DeltaDiscoveryResponse`. */
export function encodeResponse(response: {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly Buffer[];
  readonly removed: readonly string[];
}): Buffer {
  const writer = protobuf.Writer.create();
  writer.uint32(34).string(response.typeUrl); // type_url = 4
  writer.uint32(42).string(response.nonce); // nonce = 5
  for (const name of response.removed) writer.uint32(50).string(name); // removed_resources = 6
  return Buffer.concat([...response.resources, writer.finish()]);
}
