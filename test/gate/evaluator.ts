// What Envoy does with the route matches that gates are made of. test/gate/on-envoy.test.ts proves that it does so.
import type { Resource } from '../../src/envoy/resource.ts';
import { matches } from '../../src/envoy/routes/evaluate.ts';
import type { Request } from '../../src/traffic/request.ts';

/** A request as it is sent: byte strings, header names in lower case, a line each. */
export type Sent = {
  readonly method?: string;
  readonly host?: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
};

/** True where one of the routes takes the request. */
export function isLetThrough(gates: readonly Resource[], sent: Sent): boolean {
  return gates.some((gate) => passes(gate, sent));
}

/** The request as lanekeeper reads it. */
export function requestOf(sent: Sent): Request {
  return { method: sent.method ?? 'GET', path: sent.path, header: (name) => joined(sent, name) };
}

/** True where Envoy's route match takes the request. */
export function passes(gate: Resource, sent: Sent): boolean {
  return matches(gate, requestOf(sent));
}

function joined({ path, method = 'GET', host = 'shop.example', headers }: Sent, name: string): string | undefined {
  if (name === ':path') return path;
  if (name === ':method') return method;
  if (name === ':authority') return host;
  const values = headers.filter(([candidate]) => candidate === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(name === 'cookie' ? '; ' : ',');
}
