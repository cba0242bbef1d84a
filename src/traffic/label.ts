// The label: what a request or a workload carries. No label is base.

declare const brand: unique symbol;

/** A string in the grammar of a Kubernetes label value, 1 to 63 characters and not `base`; made only by `parseLabel`. */
export type Label = string & { readonly [brand]: 'Label' };

/** Header that carries the label between services (OpenSergo, TrafficLane draft, `traceIdBaggage`). */
export const labelHeader = 'x-opensergo-traffic';

/** Member of W3C `baggage` that carries the label. Keys of baggage are case-sensitive. */
export const baggageMember = 'OpenSergo-Label';

/** The grammar in words, for messages. */
export const labelGrammar =
  '1 to 63 letters, digits, "-", "_" or ".", beginning and ending with a letter or digit, and not "base" (that is no label)';

const grammar = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/**
 * The label that a text is, or undefined where it is outside the grammar. Never throws. `base` is the name of having no
 * label: as a label it would give one word two meanings in every metric, route and cluster.
 */
export function parseLabel(text: string): Label | undefined {
  return grammar.test(text) && text !== 'base' ? (text as Label) : undefined;
}
