// A request enters the pod: which label does it carry from here on?
import { carriedLabel } from '../propagation/carriers.ts';
import type { Memory } from '../propagation/memory.ts';
import { newTraceparent, type TraceId, traceIds, traceparentId } from '../propagation/trace.ts';
import type { RuleIndex } from '../rules/lookup.ts';
import { match } from '../rules/match.ts';
import type { Label } from '../traffic/label.ts';
import type { Request } from '../traffic/request.ts';
import type { Decision } from './decision.ts';
import { carriersOf, unchanged, withoutLabel } from './headers.ts';

export type InboundContext = {
  /** True where untrusted callers arrive: what they carry is no label, and is removed. */
  readonly edge: boolean;
  /** The rules of this port. */
  readonly rules: RuleIndex;
  /** The workload's own label: a request without one takes it on entry. */
  readonly own?: Label | undefined;
  /** Where labels are remembered by trace; absent where this workload does not correlate, or has no application. */
  readonly memory?: Memory | undefined;
  /** Trace id that Envoy itself will send on; it overwrites ours, so none is made (envoy-ext-proc.md 11). */
  readonly envoyTrace?: TraceId | undefined;
  readonly random: (bytes: number) => Uint8Array;
};

/**
 * The label carried by a trusted peer, else the first matching rule's, else none. A labelled request gets a trace. Where
 * rules judge, base is remembered as well: another request of the same trace, which they label, must not take this one's
 * calls into its lane. HOT
 */
export function decideInbound(request: Request, context: InboundContext): Decision {
  const carried = carriedLabel(request);
  if (!context.edge && carried.label !== undefined) {
    return { ...labelled(request, carried.label, context), reason: 'carried', disagreement: carried.disagreement };
  }
  const ids = traceIds(request);
  const rule = match(context.rules, request, ids[0]);
  if (rule) return { ...labelled(request, rule.label, context), reason: 'rule', rule: rule.name };
  if (context.own !== undefined) return { ...labelled(request, context.own, context), reason: 'entered-at-lane' };
  if (context.rules.rules.length > 0) context.memory?.rememberBase(withTrace(ids, context.envoyTrace));
  const found = carried.invalid || (context.edge && carried.label !== undefined);
  return { label: undefined, reason: found ? 'invalid' : 'none', ...(found ? withoutLabel(request) : unchanged) };
}

function labelled(request: Request, label: Label, { memory, envoyTrace, random }: InboundContext) {
  const set = carriersOf(request, label);
  let ids = withTrace(traceIds(request), envoyTrace);
  if (!hasTrace(ids)) {
    const traceparent = newTraceparent(random);
    set.push(['traceparent', traceparent]);
    ids = withTrace(ids, traceparentId(traceparent));
  }
  memory?.remember(ids, label);
  return { label, set, remove: [] };
}

function withTrace(ids: readonly TraceId[], trace: TraceId | undefined): readonly TraceId[] {
  return trace === undefined ? ids : [...ids, trace];
}

/** A request id alone is no trace: tracing libraries do not forward it. */
function hasTrace(ids: readonly TraceId[]): boolean {
  return ids.some((id) => !id.startsWith('request:'));
}
