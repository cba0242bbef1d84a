// A request leaves the pod without a label: is one remembered for its trace?
import { carriedLabel } from '../propagation/carriers.ts';
import type { Memory } from '../propagation/memory.ts';
import { type TraceId, traceIds } from '../propagation/trace.ts';
import type { Label } from '../traffic/label.ts';
import type { Request } from '../traffic/request.ts';
import type { Decision, Reason } from './decision.ts';
import { carriersOf, unchanged, withoutLabel } from './headers.ts';

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
  const remains = carried.invalid ? withoutLabel(request) : unchanged;
  const ids = memory === undefined ? [] : traceIds(request);
  const recalled = memory?.recall(envoyTrace === undefined ? ids : [...ids, envoyTrace]);
  if (recalled?.outcome === 'label') return labelled(request, recalled.label, 'trace');
  const reason = recalled?.outcome === 'conflict' ? 'conflict' : carried.invalid ? 'invalid' : 'none';
  return { label: undefined, reason, ...remains };
}

function labelled(request: Request, label: Label, reason: Reason): Decision {
  return { label, reason, set: carriersOf(request, label), remove: [] };
}
