// What was decided for one request, and why: the vocabulary that replies, metrics and logs share.
import type { Label } from '../traffic/label.ts';

/**
 * Why a request has the label that it has. The README's table and the metric `lanekeeper_decisions_total` have the same list.
 */
export const reasons = {
  carried: 'a trusted peer sent the label',
  rule: 'a rule matched',
  trace: 'the label was remembered for the trace',
  'entered-at-lane': 'a request without a label entered a workload that has one',
  none: 'no label was carried, no rule matched, nothing was remembered',
  conflict: 'the trace was seen with two different labels, so none is propagated by it',
  invalid: 'what was sent as a label is none, and was removed',
} as const;

export type Reason = keyof typeof reasons;

export type Decision = {
  readonly label: Label | undefined;
  readonly reason: Reason;
  /** The rule that won, as `namespace/name`. */
  readonly rule?: string;
  /** True where header and baggage carried two different labels; the header won. */
  readonly disagreement?: boolean;
  /** Headers to write, as byte strings. */
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
};
