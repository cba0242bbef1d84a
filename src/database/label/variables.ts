// User variables as carriers: which they are and what changes them.

import { traceHeaders } from '../../propagation/trace.ts';
import type { SessionChange, Statement } from '../../sql/analysis.ts';
import { labelHeader } from '../../traffic/label.ts';

/** Named as headers are, in lower case. */
export const carrierVariables: readonly string[] = [labelHeader, 'baggage', ...traceHeaders];

/** A label that is none: whoever finds it in `labelHeader` refuses the statement. */
export const notKnown = 'a value that is not known';

type VariableChange = Extract<SessionChange, { what: 'variable' }>;

/** All that a statement changes, that of a literal which it executes too. */
export function changesOf({ verb, changes, dynamic }: Statement): readonly SessionChange[] {
  if (verb !== 'EXECUTE' || dynamic === undefined) return changes;
  return dynamic.analysis.statements.flatMap(changesOf);
}

export function isOfCarrier(change: SessionChange): change is VariableChange {
  return change.what === 'variable' && carrierVariables.includes(change.name);
}
