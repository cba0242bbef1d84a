// What a decision does to the headers that carry a label.
import { withLabel } from '../propagation/baggage.ts';
import { type Label, labelHeader } from '../traffic/label.ts';
import type { Request } from '../traffic/request.ts';
import type { Decision } from './decision.ts';

type Mutations = Pick<Decision, 'set' | 'remove'>;

export const unchanged: Mutations = { set: [], remove: [] };

/** The winner is written to header and baggage alike, so that whichever an application forwards carries it. HOT */
export function carriersOf(request: Request, label: Label): [name: string, value: string][] {
  return [
    [labelHeader, label],
    ['baggage', withLabel(request.header('baggage'), label) ?? ''],
  ];
}

/** Header and member go together: one that stays becomes the label at the next hop. */
export function withoutLabel(request: Request): Mutations {
  const baggage = withLabel(request.header('baggage'), undefined);
  return baggage === undefined
    ? { set: [], remove: [labelHeader, 'baggage'] }
    : { set: [['baggage', baggage]], remove: [labelHeader] };
}
