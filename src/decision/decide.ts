// The one question that Envoy asks, by where the request is.
import { lanesOfWorkload, type Mesh } from '../mesh/mesh.ts';
import type { Workload } from '../mesh/workload.ts';
import type { Memory } from '../propagation/memory.ts';
import type { TraceId } from '../propagation/trace.ts';
import { rulesFor } from '../rules/compile.ts';
import { indexRules, type RuleIndex } from '../rules/lookup.ts';
import type { Direction } from '../traffic/agreement.ts';
import type { Label } from '../traffic/label.ts';
import type { Request } from '../traffic/request.ts';
import type { Decision } from './decision.ts';
import { decideInbound } from './inbound.ts';
import { decideOutbound } from './outbound.ts';

export type Question = {
  readonly request: Request;
  readonly direction: Direction;
  /** The trace that Envoy itself sends on, where it traces. */
  readonly envoyTrace: TraceId | undefined;
};

export type Decider = {
  decide(question: Question): Decision;
  /** From the next question on these rules decide; a question sees one set of rules from start to end. */
  use(mesh: Mesh): void;
};

export type DeciderOptions = {
  readonly workload: Workload;
  readonly memory: Memory | undefined;
  readonly random: (bytes: number) => Uint8Array;
};

type InForce = {
  readonly edge: RuleIndex;
  readonly inbound: RuleIndex;
  readonly own: Label | undefined;
};

/** Decides for one workload. Before the first `use` there are no rules. */
export function createDecider({ workload, memory, random }: DeciderOptions): Decider {
  let now: InForce = { edge: indexRules([]), inbound: indexRules([]), own: undefined };
  return {
    use(mesh) {
      now = {
        edge: indexRules(rulesFor(mesh.rules, { ...workload, edge: true })),
        inbound: indexRules(rulesFor(mesh.rules, { ...workload, edge: false })),
        own: lanesOfWorkload(mesh.rules, workload)[0],
      };
    },
    decide({ request, direction, envoyTrace }) {
      switch (direction) {
        case 'outbound':
          return decideOutbound(request, { memory, envoyTrace });
        case 'gateway': // no application behind it: nothing would ever be looked up
          return decideInbound(request, { edge: true, rules: now.edge, envoyTrace, random });
        case 'edge':
          return decideInbound(request, { edge: true, rules: now.edge, own: now.own, memory, envoyTrace, random });
        case 'inbound':
          return decideInbound(request, { edge: false, rules: now.inbound, own: now.own, memory, envoyTrace, random });
      }
    },
  };
}
