// A request leaves the pod without a label: is one remembered for its trace?
import { withLabel } from '../propagation/baggage.ts';
import { carriedLabel } from '../propagation/carriers.ts';
import type { Memory } from '../propagation/memory.ts';
import { type TraceId, traceIds } from '../propagation/trace.ts';
import { type Label, labelHeader } from '../traffic/label.ts';
import type { Request } from '../traffic/request.ts';
import type { Decision, Reason } from './decision.ts';

export type OutboundContext = {
  readonly memory?: Memory | undefined;
  readonly envoyTrace?: TraceId | undefined;
};

/** Header, else baggage, else what is remembered for the trace. The workload's own label is the route's. HOT */
export function decideOutbound(request: Request, { memory, envoyTrace }: OutboundContext): Decision {
  const carried = carriedLabel(request);
  if (carried.label !== undefined) {
    return { ...labelled(request, carried.label, 'carried'), disagreement: carried.disagreement };
  }
  const remove = carried.invalid ? [labelHeader] : none;
  if (memory === undefined)
    return { label: undefined, reason: carried.invalid ? 'invalid' : 'none', set: none, remove };
  const ids = traceIds(request);
  const recalled = memory.recall(envoyTrace === undefined ? ids : [...ids, envoyTrace]);
  if (recalled.outcome === 'label') return labelled(request, recalled.label, 'trace');
  const reason = recalled.outcome === 'conflict' ? 'conflict' : carried.invalid ? 'invalid' : 'none';
  return { label: undefined, reason, set: none, remove };
}

const none: readonly never[] = [];

function labelled(request: Request, label: Label, reason: Reason): Decision {
  const baggage = withLabel(request.header('baggage'), label) ?? '';
  return {
    label,
    reason,
    set: [
      [labelHeader, label],
      ['baggage', baggage],
    ],
    remove: none,
  };
}
