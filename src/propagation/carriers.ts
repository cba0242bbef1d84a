// The label that a request itself carries: in the label header, else in its baggage.

import { type Label, labelHeader, parseLabel } from '../traffic/label.ts';
import type { Request } from '../traffic/request.ts';
import { readBaggage } from './baggage.ts';

export type CarriedLabel = {
  readonly label: Label | undefined;
  /** Header and baggage carry two different labels; the header's won. */
  readonly disagreement: boolean;
  /**
   * What should have carried the label holds something else, so that there is none. Who removes it removes header and
   * member alike: one that stays becomes the label at the next hop.
   */
  readonly invalid: boolean;
};

const nothing: CarriedLabel = { label: undefined, disagreement: false, invalid: false };
const unreadable: CarriedLabel = { label: undefined, disagreement: false, invalid: true };

/**
 * The label of the header where there is one, else that of the baggage. A header that is there decides alone: several
 * values (even of one label), one outside the grammar, and an empty one are no label, whatever the baggage says. Envoy's
 * own mutation (`ADD_IF_ABSENT`) does the same while the processor is not asked, and both must agree. HOT
 */
export function carriedLabel(request: Request): CarriedLabel {
  const baggage = readBaggage(request.header('baggage'));
  const header = request.header(labelHeader);
  if (header === undefined) {
    if (baggage.state === 'absent') return nothing;
    return baggage.state === 'label' ? { label: baggage.label, disagreement: false, invalid: false } : unreadable;
  }
  const label = parseLabel(header);
  if (label === undefined) return unreadable;
  return { label, disagreement: baggage.state === 'label' && baggage.label !== label, invalid: false };
}
