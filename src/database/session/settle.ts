// What a statement changes of its session comes true with the server's yes.

import type { Analysis, Setting, Statement } from '../../sql/analysis.ts';
import { afterFailure, changesTemporary, temporaryAfter } from '../../sql/temporary.ts';
import type { Label } from '../../traffic/label.ts';
import { changesOf } from '../label/variables.ts';
import type { Expectation } from '../packets/replies.ts';
import type { Session } from './session.ts';
import { apply, type State } from './state.ts';

export type Settled = {
  readonly analysis: Analysis | undefined;
  readonly label: Label | undefined;
};

/** The reply to a text that was read; where it changes nothing, the one that all share. */
export function expectationOf(session: Session, given: Settled): Expectation {
  const { analysis, label } = given;
  if (analysis !== undefined && session.active !== session.leg && analysis.statements.some(isKeeping))
    session.instances.keep(session.active);
  if (analysis === undefined || !isChanging(analysis, session.state)) return session.leg.expected.query;
  const { state } = session;
  const isHere = session.active === session.leg;
  let results = 0;
  state.unsettled += 1;
  return {
    shape: 'query',
    result() {
      results += 1;
    },
    done(reply) {
      state.unsettled -= 1;
      // Of several, those before the one that failed have happened.
      const statements = reply.error === undefined ? analysis.statements : analysis.statements.slice(0, results);
      for (const setting of statements.flatMap(settingsOf)) state.settings.keep(setting);
      const failed = analysis.statements[statements.length];
      // Those on a label's server hide none here; there, names mean the same without being known.
      if (isHere) state.temporary = temporaryAfter({ ...analysis, statements }, state);
      for (const statement of statements) {
        const { verb, prepared } = statement;
        for (const change of changesOf(statement)) apply(state, change);
        if (prepared === undefined) continue;
        if (verb === 'PREPARE') state.texts.set(prepared, label ?? '');
        else if (verb !== 'EXECUTE') state.texts.delete(prepared);
      }
      if (isHere && failed !== undefined) state.temporary = afterFailure(failed, state, analysis.mode);
    },
  };
}

/** That of a literal which it executes too. */
function settingsOf({ verb, settings, dynamic }: Statement): readonly Setting[] {
  return verb === 'EXECUTE' && dynamic !== undefined ? dynamic.analysis.statements.flatMap(settingsOf) : settings;
}

/** Its server keeps something for the session that another connection would not have. */
function isKeeping({ changes, dynamic, kind, prepared, verb }: Statement): boolean {
  return (
    changes.length > 0 ||
    dynamic !== undefined ||
    prepared !== undefined ||
    kind === 'lock' ||
    kind === 'unknown' ||
    changesTemporary({ verb })
  );
}

function isChanging(analysis: Analysis, state: State): boolean {
  for (const { changes, kind, prepared, verb, dynamic } of analysis.statements)
    if (
      changes.length > 0 ||
      dynamic !== undefined ||
      kind === 'definition' ||
      prepared !== undefined ||
      verb === 'SET'
    )
      return true;
  // What is not understood may have made or dropped any temporary table.
  return temporaryAfter(analysis, state) !== state.temporary;
}
