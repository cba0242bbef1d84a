// What becomes of a statement whose text is too long to be read.

import { plainMode } from '../../sql/mode.ts';
import type { Attributes } from '../payloads/query.ts';
import { type Session, tooLong } from '../session/session.ts';
import type { Judgement, Refusal } from '../statements/judge.ts';
import { unreadText } from '../statements/prepared.ts';

export const refusedUnread: Refusal = { do: 'refuse', ...tooLong };
export const passedUnread = { do: 'pass', label: undefined, by: 'none', instance: undefined } as const;

/** Of base it passes, where nobody can be hurt by that: comments in it, and its tables, are not seen. */
export function judgeUnread(session: Session, attributes: Attributes): Judgement | Promise<Judgement> {
  const { options, state, judge } = session;
  if (options.shadows().isEmpty) return passedUnread;
  if (options.labels().length > 0) return refusedUnread;
  const { mode = plainMode, database, temporary, texts, variables } = state;
  const carriers = { attributes, variables, comments: [] };
  const found = judge.judge({ text: unreadText, mode, database, temporary, texts, carriers });
  return found instanceof Promise ? found.then(decided) : decided(found);

  function decided(judgement: Judgement): Judgement {
    if (judgement.do === 'refuse') return judgement;
    const isSilent = judgement.by === 'none' && options.isRemembering();
    const isBase = judgement.label === undefined && !(isSilent && options.unattributed.writes !== 'base');
    return isBase ? passedUnread : refusedUnread;
  }
}
