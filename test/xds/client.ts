// A client of the ADS server that says what a test tells it to: an Envoy without its own will.
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { discovery } from '../../src/xds/protocol.ts';
import type { ResourceType } from '../../src/xds/resources.ts';
import { typeUrlOf } from '../../src/xds/response.ts';
import { type DeltaResponse, decodeResponse, encodeRequest, type SentRequest } from './codec.ts';

export const resourceTypeOf = (typeUrl: string | undefined): ResourceType | undefined =>
  (['clusters', 'endpoints', 'routes', 'listeners'] as const).find((type) => typeUrlOf(type) === typeUrl);

/** `clusters +a +b -c`; a type alone where there is nothing in it. */
export function summary({ typeUrl, resources, removedResources }: DeltaResponse): string {
  const parts = [...resources.map(({ name }) => `+${name}`), ...removedResources.map((name) => `-${name}`)];
  return [resourceTypeOf(typeUrl) ?? typeUrl, ...parts].join(' ');
}

export function openCall(client: Client): ClientDuplexStream<SentRequest, DeltaResponse> {
  return client.makeBidiStreamRequest(discovery.DeltaAggregatedResources.path, encodeRequest, decodeResponse);
}

export type FakeEnvoy = ReturnType<typeof connect>;

export function connect(socket: string) {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  const call = openCall(client);
  const arrived: DeltaResponse[] = [];
  let barriers = 0;
  let next = Promise.withResolvers<void>();
  const ended = new Promise<void>((resolve) => {
    call.on('error', () => resolve()).on('end', () => resolve());
  });
  call.on('data', (response: DeltaResponse) => {
    arrived.push(response);
    next.resolve();
    next = Promise.withResolvers();
  });
  return { subscribe, unsubscribe, answer, refuse, take, taken, everything, close, ended };

  /** The first request of a type, or one that names more. */
  function subscribe(type: ResourceType, names: readonly string[] = [], versions: Record<string, string> = {}): void {
    call.write({ typeUrl: typeUrlOf(type), resourceNamesSubscribe: names, initialResourceVersions: versions });
  }

  function unsubscribe(type: ResourceType, names: readonly string[]): void {
    call.write({ typeUrl: typeUrlOf(type), resourceNamesUnsubscribe: names });
  }

  function answer(response: DeltaResponse): void {
    call.write({ typeUrl: response.typeUrl, responseNonce: response.nonce });
  }

  function refuse(response: DeltaResponse, message: string): void {
    call.write({ typeUrl: response.typeUrl, responseNonce: response.nonce, errorDetail: { code: 13, message } });
  }

  /** The next response, whichever it is. */
  async function take(): Promise<DeltaResponse> {
    while (arrived.length === 0) await next.promise;
    return arrived.shift() as DeltaResponse;
  }

  /** The next response, which is answered at once; what was in it. */
  async function taken(): Promise<string> {
    const response = await take();
    answer(response);
    return summary(response);
  }

  /** What has been sent until now and not taken: the answer about a type that is not served comes after it. */
  async function everything(): Promise<DeltaResponse[]> {
    const typeUrl = `type.googleapis.com/test.Barrier${++barriers}`;
    call.write({ typeUrl, resourceNamesSubscribe: ['here'] });
    while (!arrived.some((response) => response.typeUrl === typeUrl)) await next.promise;
    return arrived.splice(0).filter((response) => response.typeUrl !== typeUrl);
  }

  async function close(): Promise<void> {
    call.cancel();
    await ended;
    client.close();
  }
}
