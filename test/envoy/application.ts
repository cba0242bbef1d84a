// An application of a test: records what it saw, calls the next one, hands on only what it is told to.
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Seen = {
  /** `b-gray`, as the member is called. */
  readonly member: string;
  readonly label: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly path: string;
};

export type Application = {
  readonly port: number;
  /** Stops listening and cuts what is open, as a crash does. */
  kill(): Promise<void>;
};

export type ApplicationOptions = {
  readonly member: string;
  readonly port?: number;
  /** Local port of the next service. */
  readonly next?: number;
  /** Names of headers that it hands on, read at each request. */
  readonly forward: () => readonly string[];
  readonly onSeen: (seen: Seen) => void;
};

export type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string };

/** Answers with a line for itself and, behind it, what the next service answered. */
export async function startApplication({
  member,
  port = 0,
  next,
  forward,
  onSeen,
}: ApplicationOptions): Promise<Application> {
  const server = createServer(async (incoming, outgoing) => {
    const label = incoming.headers['x-opensergo-traffic'];
    onSeen({
      member,
      label: typeof label === 'string' ? label : undefined,
      headers: incoming.headers,
      path: incoming.url ?? '',
    });
    if (next === undefined) {
      outgoing.end(member);
      return;
    }
    const headers = Object.fromEntries(forward().flatMap((name) => valuesOf(incoming.headers, name)));
    const answer = await call(next, { path: incoming.url ?? '/', headers }).catch((error: unknown) => ({
      status: 502,
      body: String(error),
    }));
    outgoing.writeHead(answer.status).end(`${member} ${answer.body}`);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    kill: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** One HTTP/1.1 call on a connection of its own. */
export function call(
  port: number,
  options: { path?: string; method?: string; headers?: Record<string, string | string[]>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        path: options.path ?? '/',
        method: options.method ?? 'GET',
        headers: options.headers ?? {},
        agent: false,
      },
      (incoming) => {
        let body = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => {
          body += chunk;
        });
        incoming.on('error', reject);
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(options.body);
  });
}

function valuesOf(headers: IncomingHttpHeaders, name: string): [string, string | string[]][] {
  const value = headers[name];
  return value === undefined ? [] : [[name, value]];
}
