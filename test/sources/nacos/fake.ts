// A Nacos server that does what a test says: gRPC and the login by HTTP, with no more knowledge than the protocol.
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { vi } from 'vitest';
import { freePorts, isFree } from '../../../src/demo/topology.ts';
import {
  type Body,
  fromPayload,
  type Payload,
  requestMethod,
  streamMethod,
  toPayload,
} from '../../../src/sources/nacos/protocol.ts';

export type Said = { readonly type: string; readonly body: Body; readonly token?: string };

type Stream = ServerDuplexStream<Payload, Payload>;

/** What is answered in place of what a real one would; undefined: what a real one would. */
export type Script = (
  said: Said,
) => Body | Payload | 'nothing' | undefined | Promise<Body | Payload | 'nothing' | undefined>;

export async function openFake() {
  const port = await freeBase();
  const services = new Map<string, readonly unknown[]>();
  const configurations = new Map<string, string>();
  const said: Said[] = [];
  const streams = new Set<Stream>();
  const known = new Set<string>();
  const listened = new Set<string>();
  let requestId = 0;
  let grpc: Server | undefined;
  let http: HttpServer | undefined;
  const fake = {
    port,
    said,
    streams,
    configurations,
    script: (() => undefined) as Script,
    /** Answers the login: a status, and a body. */
    login: (_: URLSearchParams, _path: string): readonly [number, Body] => [404, {}],
    count: (type: string) => said.filter((each) => each.type === type).length,
    /** A service of `namespace/group`, told to all that are connected. */
    put(name: string, hosts: readonly unknown[], group = 'DEFAULT_GROUP') {
      services.set(`${group}@@${name}`, hosts);
      fake.push('NotifySubscriberRequest', { serviceInfo: { name, groupName: group, hosts } });
    },
    remove(name: string, group = 'DEFAULT_GROUP') {
      services.delete(`${group}@@${name}`);
    },
    configure(dataId: string, group: string, text: string | undefined) {
      if (text === undefined) configurations.delete(`${group}/${dataId}`);
      else configurations.set(`${group}/${dataId}`, text);
      if (listened.has(`${group}/${dataId}`)) fake.push('ConfigChangeNotifyRequest', { dataId, group });
    },
    push(type: string, body: Body) {
      for (const stream of streams) stream.write(toPayload(type, { ...body, requestId: String(++requestId) }));
    },
    raw(type: string, text: string) {
      for (const stream of streams) stream.write({ metadata: { type }, body: { value: Buffer.from(text) } });
    },
    async start() {
      grpc = new Server();
      grpc.addService({ request: requestMethod }, { request: answer });
      grpc.addService({ requestBiStream: streamMethod }, { requestBiStream: accept });
      await new Promise<void>((resolve, reject) =>
        grpc?.bindAsync(`127.0.0.1:${port + 1_000}`, ServerCredentials.createInsecure(), (error) =>
          error ? reject(error) : resolve(),
        ),
      );
      http = createServer(answerLogin);
      await new Promise<void>((resolve) => http?.listen(port, '127.0.0.1', resolve));
    },
    async stop() {
      for (const stream of streams) stream.end();
      streams.clear();
      known.clear();
      listened.clear();
      grpc?.forceShutdown();
      http?.closeAllConnections();
      await new Promise((resolve) => (http ? http.close(resolve) : resolve(undefined)));
    },
    clear() {
      services.clear();
      configurations.clear();
    },
    connected: () =>
      vi.waitFor(
        () => {
          if (streams.size === 0) throw new Error('nobody is connected');
        },
        { timeout: 12_000, interval: 5 },
      ),
  };
  await fake.start();
  return fake;

  async function answer(call: ServerUnaryCall<Payload, Payload>, reply: sendUnaryData<Payload>): Promise<void> {
    const { type, body = {} } = fromPayload(call.request);
    const token = call.request.metadata?.headers?.['accessToken'];
    const one: Said = { type, body, ...(token !== undefined && { token }) };
    said.push(one);
    const scripted = await fake.script(one);
    if (scripted === 'nothing') return;
    if (scripted !== undefined && 'metadata' in scripted) return reply(null, scripted as Payload);
    const peer = call.getPeer();
    const isKnown = known.has(peer) || type === 'ServerCheckRequest';
    const body_ =
      scripted ?? (isKnown ? usual(one) : { resultCode: 500, errorCode: 301, message: 'Connection is unregistered.' });
    reply(null, toPayload(type.replace(/Request$/, 'Response'), { resultCode: 200, errorCode: 0, ...body_ }));
  }

  function usual({ type, body }: Said): Body {
    if (type === 'ServiceListRequest') {
      const group = `${body['groupName']}@@`;
      const names = [...services.keys()].filter((key) => key.startsWith(group)).map((key) => key.slice(group.length));
      const [page, size] = [Number(body['pageNo']), Number(body['pageSize'])];
      return { count: names.length, serviceNames: names.slice((page - 1) * size, page * size) };
    }
    if (type === 'SubscribeServiceRequest') {
      const { serviceName: name, groupName } = body;
      return { serviceInfo: { name, groupName, hosts: services.get(`${groupName}@@${name}`) ?? [] } };
    }
    if (type === 'ConfigBatchListenRequest')
      for (const one of body['configListenContexts'] as { group: string; dataId: string }[])
        listened.add(`${one.group}/${one.dataId}`);
    if (type !== 'ConfigQueryRequest') return {};
    const content = configurations.get(`${body['group']}/${body['dataId']}`);
    return content === undefined ? { resultCode: 500, errorCode: 300, message: 'config data not exist' } : { content };
  }

  function accept(stream: Stream): void {
    const peer = stream.getPeer();
    streams.add(stream);
    for (const event of ['close', 'cancelled', 'error', 'end'])
      stream.on(event, () => {
        streams.delete(stream);
        known.delete(peer);
      });
    stream.on('end', () => stream.end());
    stream.on('data', (payload: Payload) => {
      const { type, body = {} } = fromPayload(payload);
      said.push({ type, body });
      if (type === 'ConnectionSetupRequest') known.add(peer);
    });
  }

  async function answerLogin(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += chunk;
    const [status, body] = fake.login(new URLSearchParams(text), request.url ?? '');
    response.writeHead(status).end(JSON.stringify(body));
  }
}

export type Fake = Awaited<ReturnType<typeof openFake>>;

export const host = (ip: unknown, port: unknown = 8080, more: Body = {}) => ({
  ip,
  port,
  weight: 1,
  healthy: true,
  enabled: true,
  metadata: {},
  ...more,
});

async function freeBase(): Promise<number> {
  for (;;) {
    const [port = 0] = await freePorts(1);
    if (await isFree(port + 1_000)) return port;
  }
}
