// What is known of a trace, and what two findings make together.

import type { Label } from '../traffic/label.ts';

/**
 * What is known of a trace. `conflict`: different labels, or a label and base where base counts, so that none is
 * propagated by it.
 */
export type Recollection =
  | { readonly outcome: 'label'; readonly label: Label }
  | { readonly outcome: 'none' }
  | { readonly outcome: 'conflict' };

/** Nothing; or base, where it counts. */
export const none: Recollection = { outcome: 'none' };
export const conflict: Recollection = { outcome: 'conflict' };

/** True where a label (base, where undefined) says what is known already. */
export function agrees(answer: Recollection, label: Label | undefined): boolean {
  return answer.outcome === 'label' ? answer.label === label : answer.outcome === 'none' && label === undefined;
}

/** Two findings of one request. */
export function join(one: Recollection, other: Recollection): Recollection {
  if (one === other) return one;
  return one.outcome === 'label' && other.outcome === 'label' && one.label === other.label ? one : conflict;
}
