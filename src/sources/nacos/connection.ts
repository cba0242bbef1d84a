// One connection to a Nacos server: questions with their answers, and what the server says by itself. In plain text: the TLS
// that Nacos can be given is not spoken here.
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelOptions, Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { Login } from './login.ts';
import {
  type Body,
  fromPayload,
  type Message,
  nameOf,
  type Payload,
  Refusal,
  requestMethod,
  type Server,
  streamMethod,
  toPayload,
} from './protocol.ts';

export type Connection = {
  /** Rejects with a `Refusal` for what the server answered; with another error where the connection is at its end. */
  request(type: string, body: Body): Promise<Body>;
  readonly ended: Promise<Ending>;
  close(why: string): void;
};

export type Ending = {
  readonly why: string;
  /** The server asked for it: nothing is wrong. */
  readonly moved: boolean;
};

export type ConnectionOptions = {
  readonly server: Server;
  readonly login: Login;
  /** Of Nacos; one connection has one, because pushes do not say theirs. */
  readonly namespace: string;
  readonly onPush: (message: Message) => void;
  readonly signal: AbortSignal;
};

const timeoutMs = 5_000;
const registrationMs = 3_000;
const keepAliveMs = 5_000; // the server drops who is silent for 20 s
const unregistered = 301;
const noRight = 403;

const channelOptions: ChannelOptions = {
  // The server knows a client by its TCP connection, so no two may share one.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1, // no questions to the DNS but for the address
  'grpc.max_receive_message_length': 32 * 1024 * 1024,
};

/** What the server asks and only wants to see answered. */
const acknowledged = /^(NotifySubscriber|ConfigChangeNotify|ClientDetection|ConnectReset)Request$/;

/** Resolves when the server knows us and will push; rejects where that cannot be had. */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const { server, login, signal } = options;
  const client = new Client(addressOf(server), credentials.createInsecure(), channelOptions);
  const calls = new Set<{ cancel(): void }>();
  const ended = Promise.withResolvers<Ending>();
  let keepAlive: NodeJS.Timeout | undefined;
  let ending: Ending | undefined;
  const close = (why: string): void => end(why);
  const abort = (): void => end('closed');
  signal.addEventListener('abort', abort, { once: true });
  try {
    await call('ServerCheckRequest', {});
    const stream = openStream();
    stream.write(toPayload('ConnectionSetupRequest', setup(options.namespace)));
    await registered();
  } catch (error) {
    end(reasonOf(error));
    throw error;
  }
  keepAlive = setInterval(() => call('HealthCheckRequest', {}).catch(() => {}), keepAliveMs);
  return { request, ended: ended.promise, close };

  async function request(type: string, body: Body): Promise<Body> {
    for (let first = true; ; first = false) {
      const token = await login.token(server);
      try {
        return await call(type, body, token);
      } catch (error) {
        if (!(error instanceof Refusal) || error.code !== noRight) throw error;
        const isStale = first && token !== undefined && login.refused(server, token);
        if (!isStale)
          throw new Refusal(`found that ${login.who} may not read this (${error.message}); ${login.remedy}`, noRight);
      }
    }
  }

  /** Whatever keeps the answer away ends the connection: a server that hangs is as good as none. */
  async function call(type: string, body: Body, token?: string): Promise<Body> {
    if (ending !== undefined) throw new Error(ending.why);
    const payload = toPayload(type, body, token === undefined ? {} : { accessToken: token });
    const answer = await unary(payload).catch((error: ServiceError) => {
      const why = reasonOf(error);
      if (error.code === status.RESOURCE_EXHAUSTED) throw new Refusal(`an answer that is too large: ${why}`);
      end(why);
      throw new Error(why);
    });
    const { body: said } = fromPayload(answer);
    if (said === undefined) throw new Refusal('an answer that is no JSON');
    if (said['resultCode'] === 200) return said;
    const code = Number(said['errorCode'] || said['resultCode']);
    if (code === unregistered && keepAlive !== undefined) end('the server has forgotten this connection');
    const reason = String(said['message'] ?? 'without a reason')
      .replaceAll(/\s+/g, ' ')
      .slice(0, 200);
    throw new Refusal(`${code}: ${reason}`, code);
  }

  function unary(payload: Payload): Promise<Payload> {
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = requestMethod;
      const options = { deadline: Date.now() + timeoutMs };
      const one = client.makeUnaryRequest(
        ...([path, requestSerialize, responseDeserialize, payload, new Metadata(), options] as const),
        (error, answer) => {
          calls.delete(one);
          if (error !== null) reject(error);
          else resolve(answer ?? {});
        },
      );
      calls.add(one);
    });
  }

  function openStream() {
    const { path, requestSerialize, responseDeserialize } = streamMethod;
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    calls.add(stream);
    stream.on('error', (error) => end(reasonOf(error)));
    stream.on('end', () => end('the server ended it'));
    stream.on('data', (payload: Payload) => {
      if (ending !== undefined) return;
      const message = fromPayload(payload);
      const requestId = message.body?.['requestId'];
      if (requestId !== undefined && acknowledged.test(message.type))
        stream.write(toPayload(message.type.replace(/Request$/, 'Response'), { requestId, resultCode: 200 }));
      if (message.type === 'ConnectResetRequest') end('the server asked to go elsewhere', true);
      else options.onPush(message);
    });
    return stream;
  }

  /** Nothing says everywhere that the stream is known by now (SetupAckRequest is of 3.x), so that it is asked. */
  async function registered(): Promise<void> {
    const until = performance.now() + registrationMs;
    for (;;) {
      try {
        await call('HealthCheckRequest', {});
        return;
      } catch (error) {
        const early = error instanceof Refusal && error.code === unregistered;
        if (!early || performance.now() > until) throw error;
        await sleep(10);
      }
    }
  }

  function end(why: string, moved = false): void {
    if (ending !== undefined) return;
    ending = { why, moved };
    clearInterval(keepAlive);
    signal.removeEventListener('abort', abort);
    ended.resolve(ending);
    // Not at once: what was answered last is still to be sent.
    setImmediate(() => {
      for (const one of calls) one.cancel();
      client.close();
    });
  }
}

function addressOf({ host, port }: Server): string {
  return `dns:${nameOf({ host, port: port + 1000 })}`;
}

function setup(namespace: string): Body {
  const labels = { source: 'sdk', module: 'naming', AppName: 'lanekeeper' };
  return { clientVersion: 'lanekeeper', tenant: namespace, labels, abilityTable: {} };
}

/** grpc-js adds its own story, with the time, which would make each failure another one. */
function reasonOf(error: unknown): string {
  const { details } = error as Partial<ServiceError>;
  const text = details ?? (error instanceof Error ? error.message : String(error));
  const system = /Last error: (?:Error: )?(.*?)(?: \(\d{4}-|\. Resolution note:|$)/s.exec(text)?.[1];
  return /^Deadline exceeded/.test(text) ? `no answer in ${timeoutMs / 1_000} s` : (system ?? text);
}
