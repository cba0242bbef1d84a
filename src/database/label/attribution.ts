// Whose label a statement has.

import type { Recollection } from '../../propagation/recollection.ts';
import type { TraceId } from '../../propagation/trace.ts';
import type { Hint } from '../../shadow/map.ts';
import type { Label } from '../../traffic/label.ts';

/** All by which one execution may say its label. */
export type Carriers = {
  /** Query attributes of this execution, by name in lower case. */
  readonly attributes: ReadonlyMap<string, string>;
  /** User variables of the session that were set to literals, by name in lower case. */
  readonly variables: ReadonlyMap<string, string>;
  /** Insides of comments of a COM_QUERY; none for prepared statements, whose comments are of who prepared them. */
  readonly comments: readonly string[];
};

export type By = 'attribute' | 'variable' | 'comment' | 'memory' | 'workload' | 'none';

/** `refusal`: carriers that cannot be believed (two labels at once, one outside the grammar): the statement is refused. */
export type Attribution =
  | { readonly label: Label | undefined; readonly by: By; readonly refusal?: undefined }
  | { readonly refusal: string };

export type Attributor = {
  /** A promise only where a trace must be looked up. HOT */
  attribute(carriers: Carriers, hints: readonly Hint[]): Attribution | Promise<Attribution>;
};

export type AttributorOptions = {
  /** The workload's own labels. */
  readonly labels: readonly Label[];
  /** True while any label is remembered by its trace. */
  readonly isRemembering: () => boolean;
  readonly recall: (ids: readonly TraceId[]) => Promise<Recollection>;
};
