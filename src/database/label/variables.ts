// User variables as carriers: which they are, how a server is asked for them, and how the statements of one text find them.

import { traceHeaders } from '../../propagation/trace.ts';
import { type Analysis, changesOf, type SessionChange } from '../../sql/analysis.ts';
import { labelHeader } from '../../traffic/label.ts';

const ofLabels = [labelHeader, 'baggage'];

/** Named as headers are, in lower case. */
export const carrierVariables: readonly string[] = [...ofLabels, ...traceHeaders];

/** A label that is none: whoever finds it in `labelHeader` refuses the statement. */
export const notKnown = 'a value that is not known';

type Variables = ReadonlyMap<string, string>;
type VariableChange = Extract<SessionChange, { what: 'variable' }>;

export function isOfCarrier(change: SessionChange): change is VariableChange {
  return change.what === 'variable' && carrierVariables.includes(change.name);
}

/**
 * The variables as the statements of a text find them: those that it sets before anything else count for all of it. One
 * that it sets later, or to no literal, counts for none of the statements behind it; where it may be a label, all are refused.
 */
export function variablesWithin({ statements }: Analysis, given: Variables): Variables {
  if (statements.length < 2 || !statements.some((statement) => changesOf(statement).some(isOfCarrier))) return given;
  const found = new Map(given);
  let hasBegun = false;
  let isUnclear = false;
  for (const statement of statements) {
    if (statement.kind !== 'session') {
      hasBegun = true;
      if (isUnclear) found.set(labelHeader, notKnown);
    }
    for (const { name, value } of changesOf(statement).filter(isOfCarrier)) {
      if (typeof value === 'string' && !hasBegun) found.set(name, value);
      else if (value === null && !hasBegun) found.delete(name);
      else if (ofLabels.includes(name)) isUnclear = true;
      else found.delete(name);
    }
  }
  return found;
}
