// What Dubbo's protocol Triple says of a call in an HTTP request, of version 1 or 2; the form of its path is gRPC's too.
import { pathOf, type Request } from './request.ts';

/** Triple's headers for what an interface is offered by, beside its name. */
export const dubboHeaders = { dubboVersion: 'tri-service-version', dubboGroup: 'tri-service-group' } as const;

/** The interface that is called: of `POST /interface/method` the first part, as sent; undefined of other requests. HOT */
export function dubboInterfaceOf(request: Request): string | undefined {
  const slash = secondSlash(request);
  return slash === undefined ? undefined : pathOf(request).slice(1, slash);
}

/** Its method: of `POST /interface/method` the second part, as sent; undefined of other requests. HOT */
export function dubboMethodOf(request: Request): string | undefined {
  const slash = secondSlash(request);
  return slash === undefined ? undefined : pathOf(request).slice(slash + 1);
}

/** Undefined unless it is a POST of a path of two parts, neither empty: what Triple and gRPC send. */
function secondSlash(request: Request): number | undefined {
  if (request.method !== 'POST') return undefined;
  const path = pathOf(request);
  const slash = path.indexOf('/', 1);
  const isCall = path.startsWith('/') && slash > 1 && slash < path.length - 1 && path.indexOf('/', slash + 1) < 0;
  return isCall ? slash : undefined;
}
