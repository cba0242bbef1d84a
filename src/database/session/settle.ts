// What a statement changes of its session comes true with the server's yes.

import type { Analysis } from '../../sql/analysis.ts';
import { temporaryAfter } from '../../sql/temporary.ts';
import type { Label } from '../../traffic/label.ts';
import type { Expectation } from '../packets/replies.ts';
import type { Session } from './session.ts';
import { apply } from './state.ts';

/** The reply to a text that was read; where it changes nothing, the one that all share. */
export function expectationOf(session: Session, analysis: Analysis | undefined, label: Label | undefined): Expectation {
  if (analysis === undefined || !isChanging(analysis)) return session.expected.query;
  const { state } = session;
  let results = 0;
  state.unsettled += 1;
  return {
    shape: 'query',
    result() {
      results += 1;
    },
    done(reply) {
      session.track(reply);
      state.unsettled -= 1;
      // Of several, those before the one that failed have happened.
      const statements = reply.error === undefined ? analysis.statements : analysis.statements.slice(0, results);
      state.temporary = temporaryAfter({ ...analysis, statements }, state);
      for (const { changes, verb, prepared } of statements) {
        for (const change of changes) apply(state, change);
        if (prepared === undefined) continue;
        if (verb === 'PREPARE') state.texts.set(prepared, label ?? '');
        else if (verb !== 'EXECUTE') state.texts.delete(prepared);
      }
    },
  };
}

function isChanging({ statements }: Analysis): boolean {
  return statements.some(
    ({ changes, kind, prepared }) => changes.length > 0 || kind === 'definition' || prepared !== undefined,
  );
}
