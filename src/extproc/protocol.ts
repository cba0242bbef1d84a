// The two gRPC services of the processor, and the parts of their messages that we use.
import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';

// The same two levels up from src/extproc/ and from dist/extproc/.
const protoFolder = fileURLToPath(new URL('../../proto/', import.meta.url));

const loaded = loadSync(['envoy/service/ext_proc/v3/external_processor.proto', 'grpc/health/v1/health.proto'], {
  includeDirs: [protoFolder],
  keepCase: false,
  enums: String,
  longs: Number,
  defaults: false,
  oneofs: true,
});

/** `envoy.service.ext_proc.v3.ExternalProcessor`: `Process`, a stream of each side's messages. */
export const externalProcessor = service(loaded, 'envoy.service.ext_proc.v3.ExternalProcessor');

/** `grpc.health.v1.Health`: `Check` and `Watch`. */
export const health = service(loaded, 'grpc.health.v1.Health');

export type Header = { readonly key?: string; readonly value?: string; readonly rawValue?: Buffer };
export type HeaderMap = { readonly headers?: readonly Header[] };

export type HttpHeaders = { readonly headers?: HeaderMap; readonly endOfStream?: boolean };
export type HttpBody = { readonly body?: Buffer; readonly endOfStream?: boolean };
export type HttpTrailers = { readonly trailers?: HeaderMap };

/** `google.protobuf.Struct` as proto-loader has it: it does not turn it into a plain object. */
export type Struct = { readonly fields: Readonly<Record<string, Value>> };
export type Value =
  | { readonly stringValue: string }
  | { readonly numberValue: number }
  | { readonly boolValue: boolean }
  | { readonly structValue: Struct };

/** What Envoy says: one of the six parts of a request and its response. */
export type ProcessingRequest = {
  readonly requestHeaders?: HttpHeaders;
  readonly responseHeaders?: HttpHeaders;
  readonly requestBody?: HttpBody;
  readonly responseBody?: HttpBody;
  readonly requestTrailers?: HttpTrailers;
  readonly responseTrailers?: HttpTrailers;
  readonly metadataContext?: { readonly filterMetadata?: Readonly<Record<string, Struct>> };
  readonly attributes?: Readonly<Record<string, Struct>>;
  /** Envoy does not wait for a reply, and takes one for a mistake. */
  readonly observabilityMode?: boolean;
};

export type HeaderMutation = {
  /** Each overwrites: Envoy 1.40 does not look at `append_action` here (envoy-ext-proc.md 3.2). */
  readonly setHeaders?: readonly { readonly header: { readonly key: string; readonly rawValue: Buffer } }[];
  readonly removeHeaders?: readonly string[];
};

export type CommonResponse = {
  readonly status?: 'CONTINUE' | 'CONTINUE_AND_REPLACE';
  readonly headerMutation?: HeaderMutation;
  readonly clearRouteCache?: boolean;
};

export type ImmediateResponse = {
  /** A number: `StatusCode` has no names worth learning (`ServiceUnavailable`), and proto-loader takes either. */
  readonly status: { readonly code: number };
  readonly headers?: HeaderMutation;
  readonly body?: Buffer;
  readonly details?: string;
};

/** What is answered: the same part that the message had, or an end to the request. */
export type ProcessingResponse = {
  readonly requestHeaders?: { readonly response?: CommonResponse };
  readonly responseHeaders?: { readonly response?: CommonResponse };
  readonly requestBody?: { readonly response?: CommonResponse };
  readonly responseBody?: { readonly response?: CommonResponse };
  readonly requestTrailers?: { readonly headerMutation?: HeaderMutation };
  readonly responseTrailers?: { readonly headerMutation?: HeaderMutation };
  readonly immediateResponse?: ImmediateResponse;
  readonly dynamicMetadata?: Struct;
};

export type HealthCheckResponse = { readonly status: 'UNKNOWN' | 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN' };

function service(from: PackageDefinition, name: string): ServiceDefinition {
  const definition = from[name];
  // A file of proto/ that is not what it should be; nothing can be served without it.
  if (definition === undefined || 'format' in definition) throw new Error(`${protoFolder} has no service ${name}`);
  return definition;
}
