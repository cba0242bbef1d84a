// What is said to a Nacos server and by it: protocol buffers that carry a type and a body of JSON (SDK 2.x).
import { fileURLToPath } from 'node:url';
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { isMapping } from '../../documents/value.ts';

// The same three levels up from src/sources/nacos/ and from dist/sources/nacos/.
const protoFolder = fileURLToPath(new URL('../../../proto/', import.meta.url));
const loaded = loadSync('nacos/nacos_grpc_service.proto', { includeDirs: [protoFolder], defaults: false });

/** A question and its answer. */
export const requestMethod = method('Request', 'request');

/** The stream by which the server knows the client, and tells it what changes. */
export const streamMethod = method('BiRequestStream', 'requestBiStream');

export type Payload = {
  readonly metadata?: { readonly type?: string; readonly headers?: Readonly<Record<string, string>> };
  readonly body?: { readonly value?: Buffer };
};

export type Body = Readonly<Record<string, unknown>>;

/** The body is undefined where it is no JSON of a mapping. */
export type Message = { readonly type: string; readonly body: Body | undefined };

/** What a server answered in place of what it was asked for, or what kept us from asking. The connection goes on. */
export class Refusal extends Error {
  /** Of Nacos; `login` where we may not ask at all. */
  readonly code: number | 'login' | undefined;

  constructor(message: string, code?: number | 'login') {
    super(message);
    this.code = code;
  }
}

export function toPayload(type: string, body: Body, headers: Readonly<Record<string, string>> = {}): Payload {
  return { metadata: { type, headers }, body: { value: Buffer.from(JSON.stringify(body)) } };
}

export function fromPayload({ metadata, body }: Payload): Message {
  return { type: metadata?.type ?? '', body: mappingOf(body?.value?.toString('utf8') ?? '') };
}

export function mappingOf(text: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isMapping(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function method(service: string, name: string): MethodDefinition<Payload, Payload> {
  const definition = loaded[service];
  const found = definition === undefined || 'format' in definition ? undefined : definition[name];
  // A file of proto/ that is not what it should be; nothing can be asked without it.
  if (found === undefined) throw new Error(`${protoFolder} has no ${service}.${name}`);
  return found as MethodDefinition<Payload, Payload>;
}

export type Server = {
  readonly host: string;
  /** Of HTTP; that of gRPC is larger by 1000. */
  readonly port: number;
};

export function nameOf({ host, port }: Server): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
