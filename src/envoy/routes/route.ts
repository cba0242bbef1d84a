// The pieces that routes are made of.

import type { Mesh } from '../../mesh/mesh.ts';
import type { Workload } from '../../mesh/workload.ts';
import { sourceLabelKeys } from '../../rules/compile.ts';
import { metadataNamespace } from '../../traffic/agreement.ts';
import { baggageMember, type Label, labelHeader } from '../../traffic/label.ts';
import { sourceHeader, sourceLabels } from '../../traffic/source-labels.ts';
import {
  processorFilter,
  type Resource,
  reasonHeader,
  rememberingKey,
  type Target,
  traceHeader,
  typeUrl,
} from '../resource.ts';

/** Enables the processor's filter on a route. */
export const ask: Resource = {
  typed_per_filter_config: {
    [processorFilter]: { '@type': typeUrl('extensions.filters.http.ext_proc.v3.ExtProcPerRoute'), overrides: {} },
  },
};

/** Requests with a trace, while something is remembered: the sidecar opens and closes it. */
export const hasRememberedTrace: Resource = {
  prefix: '/',
  headers: [{ name: traceHeader, present_match: true }],
  runtime_fraction: { default_value: { numerator: 0, denominator: 'HUNDRED' }, runtime_key: rememberingKey },
};

/**
 * Only what the callee has not begun is sent again. Behind a callee's Envoy a dead application is that Envoy's own 503,
 * which says so in its reason; `reset` would run a POST twice (envoy-lanes.md 3).
 */
export function safeRetry(attempts: number): Resource {
  return {
    retry_on: 'connect-failure,refused-stream,reset-before-request,retriable-headers',
    retriable_headers: [{ name: reasonHeader, string_match: { prefix: 'UF in/' } }],
    num_retries: attempts - 1,
    retry_back_off: { base_interval: '0.005s', max_interval: '0.02s' },
    retry_host_predicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        typed_config: { '@type': typeUrl('extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate') },
      },
    ],
    host_selection_retry_max_attempts: 5,
  };
}

/** Attempts of a virtual host: two in the lane, two in base (clusters.ts). */
export const usualAttempts = 4;

/** One more, where the client's own pick is tried first. */
export const attemptsAfterPick = usualAttempts + 1;

/** `usual` is what the virtual host says. */
export function to({ cluster, members }: Target, usual: number = usualAttempts): Resource {
  const attempts = members.length > usual ? { retry_policy: safeRetry(members.length) } : {};
  return { route: { cluster, timeout: '0s', ...attempts } };
}

/** An answer of Envoy itself. */
export function refuse(reason: string): Resource {
  return {
    direct_response: { status: 503, body: { inline_string: `${reason}\n` } },
    response_headers_to_add: [{ header: { key: reasonHeader, value: reason } }],
  };
}

/** What the processor answered: its metadata, which only it can write. */
export function answered(key: 'label' | 'reason', value: Resource): Resource {
  return { dynamic_metadata: [{ filter: metadataNamespace, path: [{ key }], value }] };
}

export function withLabel(match: Resource, stringMatch: Resource): Resource {
  return both(match, { headers: [{ name: labelHeader, string_match: stringMatch }] });
}

/** What fulfils two matches; the path is the first one's. */
export function both(one: Resource, other: Resource): Resource {
  const headers = [one, other].flatMap((match) => (match['headers'] ?? []) as readonly Resource[]);
  const { prefix: _, ...rest } = other;
  return { ...one, ...rest, ...(headers.length > 0 && { headers }) };
}

/** Writes the label. Another line of baggage is another part of the same list (W3C Baggage 3.2.1); here it has no label yet. */
export function labelling(label: Label | undefined): Resource {
  if (label === undefined) return {};
  return {
    request_headers_to_add: [
      { header: { key: labelHeader, value: label }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      { header: { key: 'baggage', value: `${baggageMember}=${label}` }, append_action: 'APPEND_IF_EXISTS_OR_ADD' },
    ],
  };
}

/** Says who calls: the labels of this workload that rules of the mesh ask for. What was sent there is gone (headers.ts). */
export function introducing({ labels }: Workload, { rules }: Mesh): Resource {
  const keys = sourceLabelKeys(rules);
  const value = sourceLabels(labels, (key) => keys.has(key))?.replaceAll('%', '%%');
  return value === undefined
    ? {}
    : {
        request_headers_to_add: [{ header: { key: sourceHeader, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }],
      };
}
