// What a statement changes of its session comes true with the server's yes.

import { type Analysis, changesOf, type Setting, type Statement } from '../../sql/analysis.ts';
import { plainMode } from '../../sql/mode.ts';
import { afterFailure, changesTemporary, temporaryAfter } from '../../sql/temporary.ts';
import type { Label } from '../../traffic/label.ts';
import type { Expectation } from '../packets/replies.ts';
import type { Session } from './session.ts';
import { apply, doubt, type State } from './state.ts';

export type Settled = {
  /** undefined: it was not read. */
  readonly analysis: Analysis | undefined;
  readonly label: Label | undefined;
};

/** The reply to a text; where it changes nothing, or there is no label that it might matter to, the one that all share. */
export function expectationOf(session: Session, given: Settled): Expectation {
  const { analysis = unread, label } = given;
  const { state, options } = session;
  const isHere = session.active === session.leg;
  if (!isHere && analysis.statements.some(isKeeping)) session.instances.keep(session.active);
  const isShared = analysis === unread ? options.shadows().isEmpty : !isChanging(analysis, state);
  if (isShared) return session.leg.expected.query;
  let results = 0;
  state.unsettled += 1;
  return {
    shape: 'query',
    result() {
      results += 1;
    },
    done(reply) {
      state.unsettled -= 1;
      // Of several, those before the one that failed have happened; behind a CALL, which has several results, nobody knows.
      const isCounted = reply.error === undefined || !analysis.statements.slice(0, -1).some(isOfResults);
      const statements = reply.error === undefined ? analysis.statements : analysis.statements.slice(0, results);
      for (const setting of (isCounted ? statements : analysis.statements).flatMap(settingsOf))
        state.settings.keep({ ...setting, isLiteral: isCounted && setting.isLiteral });
      const failed = analysis.statements[statements.length];
      // Those on a label's server hide none here; there, names mean the same without being known.
      if (isHere) state.temporary = temporaryAfter({ ...analysis, statements }, state);
      for (const statement of statements) {
        const { verb, prepared } = statement;
        for (const change of changesOf(statement)) apply(state, change);
        if (prepared === undefined) continue;
        if (verb === 'PREPARE' && isFolded(prepared)) state.texts.clear();
        else if (verb === 'PREPARE') state.texts.set(prepared, label ?? '');
        else if (verb !== 'EXECUTE') state.texts.delete(prepared);
      }
      if (isHere && failed !== undefined) state.temporary = afterFailure(failed, state, analysis.mode);
      if (failed !== undefined) settleFailed(state, failed);
      if (analysis.statements.some(isUnseen)) state.mode = undefined;
      if (analysis.unread !== undefined || !isCounted) doubt(state);
    },
  };
}

/** It may have done a part of what it would. */
function settleFailed(state: State, failed: Statement): void {
  for (const change of changesOf(failed)) if (change.what !== 'database') apply(state, { ...change, value: undefined });
  for (const setting of settingsOf(failed).slice(0, -1)) state.settings.keep({ ...setting, isLiteral: false });
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

const unread: Analysis = { statements: [], comments: [], unread: 'all of it', mode: plainMode };

function isOfResults({ kind }: Statement): boolean {
  return kind === 'unknown';
}

/** Another name may be the same: MySQL compares them without accents, and without spaces behind them. */
function isFolded(name: string): boolean {
  return /[^\x20-\x7e]| $/.test(name);
}

/** What it executes was not read. */
function isUnseen({ verb, dynamic }: Statement): boolean {
  return verb === 'EXECUTE' && (dynamic === undefined || dynamic.analysis.unread !== undefined);
}

function isChanging(analysis: Analysis, state: State): boolean {
  if (analysis.unread !== undefined) return true;
  for (const { changes, kind, prepared, verb } of analysis.statements)
    if (changes.length > 0 || kind === 'definition' || prepared !== undefined || verb === 'EXECUTE' || verb === 'SET')
      return true;
  // What is not understood may have made or dropped any temporary table.
  return temporaryAfter(analysis, state) !== state.temporary;
}
