// Envoy's messages on one side, requests and decisions on the other. Nothing else knows the messages.
import type { Decision } from '../decision/decision.ts';
import { type Direction, metadataNamespace } from '../traffic/agreement.ts';
import { forwardedAddress, type Request } from '../traffic/request.ts';
import { sourceHeader } from '../traffic/source-labels.ts';
import { isSafeHeader } from './failure.ts';
import type { HttpHeaders, ProcessingResponse } from './protocol.ts';

/**
 * The headers of a message as a request. Ill-formed entries are passed over. At an edge Envoy has added its peer to
 * X-Forwarded-For before it asks; elsewhere the header is whatever somebody sent, and says nothing. HOT
 */
export function toRequest(message: HttpHeaders, direction: Direction, trustedHops = 0): Request {
  const headers = new Map<string, string>();
  for (const { key, value, rawValue } of message.headers?.headers ?? []) {
    if (key === undefined) continue;
    // Envoy fills raw_value; a text value is from somebody else, in UTF-8 like every protobuf string.
    const bytes = rawValue?.length ? rawValue.toString('latin1') : Buffer.from(value ?? '').toString('latin1');
    const earlier = headers.get(key);
    headers.set(key, earlier === undefined ? bytes : `${earlier}${key === 'cookie' ? '; ' : ','}${bytes}`);
  }
  const isEdge = direction === 'gateway' || direction === 'edge';
  if (isEdge) headers.delete(sourceHeader); // Envoy has removed it; one that is not ours may not have
  return {
    method: headers.get(':method') ?? '',
    path: headers.get(':path') ?? '',
    header: (name) => headers.get(name),
    sourceAddress: isEdge ? forwardedAddress(headers.get('x-forwarded-for'), trustedHops) : undefined,
  };
}

/**
 * The one reply to request headers. Envoy matches routes again, always: `clear_route_cache` counts only where a header
 * mutation comes with it, an empty one too. A decision without a label needs it as well, where the route that asked is a
 * refusal (envoy/routes/service.ts). HOT
 */
export function toResponse({ label, reason, set, remove }: Decision): ProcessingResponse {
  const setHeaders = set
    .filter(isSafeHeader)
    .map(([key, value]) => ({ header: { key, rawValue: Buffer.from(value, 'latin1') } }));
  const response = {
    status: 'CONTINUE',
    headerMutation: { setHeaders, removeHeaders: remove.filter((name) => isSafeHeader([name, ''])) },
    clearRouteCache: true,
  } as const;
  const fields = { ...(label !== undefined && { label: { stringValue: label } }), reason: { stringValue: reason } };
  return {
    requestHeaders: { response },
    dynamicMetadata: { fields: { [metadataNamespace]: { structValue: { fields } } } },
  };
}
