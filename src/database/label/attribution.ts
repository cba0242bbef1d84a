// Whose label a statement has: the first that says one of query attribute, session variable, comment, trace, workload.

import { carriedLabel } from '../../propagation/carriers.ts';
import type { Recollection } from '../../propagation/recollection.ts';
import { type TraceId, traceIds } from '../../propagation/trace.ts';
import type { Hint } from '../../shadow/map.ts';
import { type Label, labelHeader } from '../../traffic/label.ts';
import type { Request } from '../../traffic/request.ts';
import { commentPairs, meetsHint } from './comment.ts';

/** All by which one execution may say its label. */
export type Carriers = {
  /** Query attributes of this execution, by name in lower case. */
  readonly attributes: ReadonlyMap<string, string>;
  /** User variables of the session that were set to literals, by name in lower case. */
  readonly variables: ReadonlyMap<string, string>;
  /** Insides of comments of a COM_QUERY; none for prepared statements, whose comments are of who prepared them. */
  readonly comments: readonly string[];
};

/** `memory` without a label: a trace that nobody labelled. `none`: nothing said anything. */
export const carrierNames = ['attribute', 'variable', 'comment', 'memory', 'workload', 'none'] as const;
export type By = (typeof carrierNames)[number];

/** `refusal`: a carrier that cannot be believed, and what was found: the statement must not run. */
export type Attribution =
  | { readonly label: Label | undefined; readonly by: By; readonly refusal?: undefined }
  | { readonly refusal: string };

export type Attributor = {
  /** A promise only where a trace must be looked up. HOT */
  attribute(carriers: Carriers, hints: readonly Hint[]): Attribution | Promise<Attribution>;
};

export type AttributorOptions = {
  /** The workload's own labels; a rule may change them. */
  readonly labels: () => readonly Label[];
  /** True while any label is remembered by its trace. */
  readonly isRemembering: () => boolean;
  readonly recall: (ids: readonly TraceId[]) => Promise<Recollection>;
};

const none: Attribution = { label: undefined, by: 'none' };
const untraced: Attribution = { label: undefined, by: 'memory' };

/**
 * On a workload with labels its own label wins over all that says another one, or says it wrongly. On base the first
 * carrier that speaks decides; one that holds no label, or two, is a refusal: what cannot be read may be gray. A trace on
 * which two labels met says nothing.
 */
export function createAttributor({ labels, isRemembering, recall }: AttributorOptions): Attributor {
  return {
    attribute(carriers, hints) {
      const owned = labels();
      const [own] = owned;
      if (own !== undefined) {
        const said = owned.length === 1 ? undefined : spoken(carriers, hints);
        if (said?.refusal === undefined && said?.label && owned.includes(said.label)) return said;
        return { label: own, by: 'workload' };
      }
      const said = spoken(carriers, hints);
      if (said !== undefined) return said;
      const ids = tracesOf(carriers);
      if (ids.length === 0) return none;
      return isRemembering() ? recall(ids).then(recalled) : untraced;
    },
  };
}

function recalled(found: Recollection): Attribution {
  if (found.outcome === 'label') return { label: found.label, by: 'memory' };
  return found.outcome === 'none' ? untraced : none;
}

/** The label that a carrier itself says, in their order. */
function spoken({ attributes, variables, comments }: Carriers, hints: readonly Hint[]): Attribution | undefined {
  return (
    (attributes.size > 0 ? fromHeaders(attributes, 'attribute') : undefined) ??
    (variables.size > 0 ? fromHeaders(variables, 'variable') : undefined) ??
    (comments.length > 0 ? fromComments(comments, hints) : undefined)
  );
}

/** Attributes and variables are named as headers are: `x-opensergo-traffic`, `baggage`. */
function fromHeaders(values: ReadonlyMap<string, string>, by: 'attribute' | 'variable'): Attribution | undefined {
  const { label, invalid } = carriedLabel(requestFrom(values));
  if (invalid) return { refusal: unreadable(by, values.get(labelHeader) ?? values.get('baggage') ?? '') };
  return label && { label, by };
}

/** A bare label counts as a hint alone; a baggage is written by what propagates traces, never by hand. */
function fromComments(comments: readonly string[], hints: readonly Hint[]): Attribution | undefined {
  let found: Label | undefined;
  for (const comment of comments) {
    const baggage = commentPairs(comment).get('baggage');
    const { label, invalid } =
      baggage === undefined ? absent : carriedLabel(requestFrom(new Map([['baggage', baggage]])));
    if (invalid) return { refusal: unreadable('comment', baggage ?? '') };
    for (const said of [label, hints.find((hint) => meetsHint(comment, hint))?.label]) {
      if (said !== undefined && found !== undefined && said !== found)
        return { refusal: `found the labels ${found} and ${said} in comments of one statement, expected one` };
      found ??= said;
    }
  }
  return found && { label: found, by: 'comment' };
}

const absent = { label: undefined, invalid: false } as const;

/** Every trace that a carrier names, each once. */
function tracesOf({ attributes, variables, comments }: Carriers): readonly TraceId[] {
  if (attributes.size === 0 && variables.size === 0 && comments.length === 0) return [];
  for (const values of [attributes, variables]) {
    const ids = values.size > 0 ? traceIds(requestFrom(values)) : [];
    if (ids.length > 0) return ids;
  }
  return [...new Set(comments.flatMap((comment) => traceIds(requestFrom(commentPairs(comment)))))];
}

function requestFrom(values: ReadonlyMap<string, string>): Request {
  return { method: '', path: '', header: (name) => values.get(name) };
}

function unreadable(by: By, found: string): string {
  return `found ${JSON.stringify(found.slice(0, 80))} in the ${by}, expected one label`;
}
