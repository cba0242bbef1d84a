// What a statement changes of its session comes true with the server's yes.

import { type Analysis, changesOf, type Statement } from '../../sql/analysis.ts';
import { type Mode, plainMode } from '../../sql/mode.ts';
import { afterFailure, temporaryAfter } from '../../sql/temporary.ts';
import type { Label } from '../../traffic/label.ts';
import type { Expectation } from '../packets/replies.ts';
import type { Session } from './session.ts';
import { apply, doubt, type State } from './state.ts';

export type Settled = {
  readonly text: string;
  /** undefined: it was not read. */
  readonly analysis: Analysis | undefined;
  readonly label: Label | undefined;
};

/** The reply to a text; where it changes nothing, or there is no label that it might matter to, the one that all share. */
export function expectationOf(session: Session, given: Settled): Expectation {
  const { analysis = unread, label, text } = given;
  const { state, options } = session;
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
      for (const { verb, changes, from, to } of isCounted ? statements : analysis.statements) {
        const isLiteral = isCounted && changes.every(({ value }) => value !== undefined);
        if (verb === 'SET') state.settings.push({ text: text.slice(from, to), isLiteral });
      }
      const failed = analysis.statements[statements.length];
      state.temporary = temporaryAfter({ ...analysis, statements }, state);
      for (const statement of statements) {
        const { verb, prepared } = statement;
        for (const change of changesOf(statement)) apply(state, change);
        if (prepared === undefined) continue;
        if (verb === 'PREPARE' && isFolded(prepared)) state.texts.clear();
        else if (verb === 'PREPARE') state.texts.set(prepared, label ?? '');
        else if (verb !== 'EXECUTE') state.texts.delete(prepared);
      }
      if (failed !== undefined) settleFailed(state, failed, analysis.mode);
      if (analysis.statements.some(isUnseen)) state.mode = undefined;
      if (analysis.unread !== undefined || !isCounted) doubt(state);
    },
  };
}

const unread: Analysis = { statements: [], comments: [], unread: 'all of it', mode: plainMode };

/** It may have done a part of what it would. */
function settleFailed(state: State, failed: Statement, mode: Mode): void {
  state.temporary = afterFailure(failed, state, mode);
  for (const change of changesOf(failed)) if (change.what !== 'database') apply(state, { ...change, value: undefined });
}

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
