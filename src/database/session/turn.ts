// On which server a judged statement runs, and that it is its turn there.

import type { Analysis } from '../../sql/analysis.ts';
import type { Judgement, Refusal } from '../statements/judge.ts';
import type { Leg } from '../upstream/leg.ts';
import type { Session } from './session.ts';

type Allowed = Exclude<Judgement, Refusal>;

/** A promise where another server must have answered first, or must be connected. HOT */
export function turnOf(
  session: Session,
  analysis: Analysis | undefined,
  { instance }: Allowed,
): Leg | Promise<Leg | Refusal> {
  const { leg } = session;
  if (instance === undefined) return session.active === leg ? leg : turnTo(session, leg, false);
  const statements = analysis?.statements ?? [];
  const settings = statements.filter(({ verb }) => verb === 'SET' || verb === 'USE');
  if (settings.length === 0) return session.active.idle().then(() => open(session, instance));
  if (settings.length < statements.length)
    return Promise.resolve(
      refuse(
        'state',
        'found settings and other statements in one text, while the label has a server of its own; expected them one by one',
      ),
    );
  const isLiteral = settings.every((each) => each.settings.every((setting) => setting.isLiteral));
  if (!isLiteral)
    return Promise.resolve(
      refuse(
        'state',
        'found a setting that is no literal, while the label has a server of its own; expected a literal, which can be said to both',
      ),
    );
  return turnTo(session, leg, true);
}

async function open(session: Session, instance: NonNullable<Allowed['instance']>): Promise<Leg | Refusal> {
  const leg = await session.instances.legOf(instance);
  return 'do' in leg ? leg : turnTo(session, leg, false);
}

/** A transaction is of one server; settings are of both, and end none. */
export async function turnTo(session: Session, leg: Leg, isSetting: boolean): Promise<Leg | Refusal> {
  await session.active.idle();
  if (session.active === leg) return leg;
  const isTorn = [session.leg, ...session.instances.legs].some((each) => each !== leg && each.isInTransaction);
  if (isTorn && !isSetting)
    return refuse(
      'transaction',
      'found a statement for another server than that of the open transaction; expected COMMIT or ROLLBACK first. The transaction is as it was',
    );
  session.active = leg;
  return leg;
}

function refuse(reason: string, message: string): Refusal {
  return { do: 'refuse', reason, message };
}
