// The admin port: liveness, readiness, metrics, and the problems of what is in force.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { formatProblem, type Problem } from '../problem.ts';

export type AdminOptions = {
  readonly address: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Undefined while ready; else what is waited for. */
  readonly notReady: () => Promise<string | undefined>;
  readonly metrics: () => Promise<string>;
  readonly problems: () => readonly Problem[];
};

export type AdminServer = { readonly port: number; close(): Promise<void> };

type Answer = { readonly status: number; readonly type: string; readonly body: string };

/** Rejects where the port is taken. */
export async function openAdmin(options: AdminOptions): Promise<AdminServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    answer(request.method ?? 'GET', path, options)
      .catch((error: unknown) => text(500, String(error)))
      .then(({ status, type, body }) => {
        const allow = status === 405 ? { allow: 'GET, HEAD' } : {}; // RFC 9110, 15.5.6
        response.writeHead(status, { 'content-type': type, ...allow }).end(`${body}\n`);
      });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port, options.address, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

async function answer(method: string, path: string, options: AdminOptions): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') return text(405, 'only GET is answered here');
  switch (path) {
    case '/live':
      return text(200, 'live');
    case '/ready': {
      const waitingFor = await options.notReady();
      return waitingFor === undefined ? text(200, 'ready') : text(503, waitingFor);
    }
    case '/metrics':
      return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: await options.metrics() };
    case '/problems':
      return text(200, options.problems().map(formatProblem).join('\n'));
    default:
      return text(404, `nothing at ${path}; there are /live, /ready, /metrics and /problems`);
  }
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body };
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
