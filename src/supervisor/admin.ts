// Envoy's admin interface, over its Unix socket.
import { request } from 'node:http';

export type EnvoyAdmin = {
  /** Body of a GET; rejects unless the answer is 200. */
  get(path: string): Promise<string>;
  post(path: string): Promise<string>;
  /** True once Envoy serves; false while it starts or is away. */
  isReady(): Promise<boolean>;
};

/** Calls reject after `timeoutMs`: an Envoy that is stopped accepts a connection and never answers. */
export function envoyAdmin(socketPath: string, timeoutMs = 2_000): EnvoyAdmin {
  return {
    get: (path) => call('GET', path),
    post: (path) => call('POST', path),
    isReady: () =>
      call('GET', '/ready').then(
        () => true,
        () => false,
      ),
  };

  function call(method: string, path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { socketPath, method, path, agent: false, signal: AbortSignal.timeout(timeoutMs) },
        (response) => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            body += chunk;
          });
          response.on('error', reject);
          response.on('end', () => {
            if (response.statusCode === 200) resolve(body);
            else reject(new Error(`Envoy answered ${response.statusCode} to ${method} ${path}: ${body.trim()}`));
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end();
    });
  }
}
