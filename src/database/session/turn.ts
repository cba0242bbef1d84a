// On which server a judged statement runs, and that it is its turn there.

import type { Analysis } from '../../sql/analysis.ts';
import type { Judgement, Refusal } from '../statements/judge.ts';
import type { Leg } from '../upstream/leg.ts';
import type { Session } from './session.ts';

type Allowed = Exclude<Judgement, Refusal>;

/** Of what is to be run. A promise where another server must have answered first, or must be connected. HOT */
export function turnOf(
  session: Session,
  analysis: Analysis | undefined,
  judgement: Allowed,
): Leg | Promise<Leg | Refusal> {
  const turn = turnToPrepare(session, analysis, judgement);
  return turn instanceof Promise && analysis !== undefined ? turn.then((leg) => told(session, analysis, leg)) : turn;
}

/** The same of what is only prepared: it changes nothing yet. HOT */
export function turnToPrepare(
  session: Session,
  analysis: Analysis | undefined,
  { instance }: Allowed,
): Leg | Promise<Leg | Refusal> {
  const { leg, instances } = session;
  if (instance === undefined && session.active === leg && instances.held === undefined) return leg;
  return session.active.idle().then(() => find(session, analysis?.statements ?? [], instance));
}

type Statements = Analysis['statements'];

/** When nothing is awaited: in which transaction a server is, its replies have said. */
async function find(session: Session, statements: Statements, instance: Allowed['instance']): Promise<Leg | Refusal> {
  const { leg, instances } = session;
  if (instance !== undefined && statements.some(({ verb }) => verb === 'KILL'))
    return refuse(
      'state',
      "found KILL, while the label has a server of its own; expected none, as the number that a client is told by its greeting is a stranger's there",
    );
  const held = leg.isInTransaction ? leg : instances.held;
  if (held !== undefined && statements.length > 0 && statements.every(({ verb }) => ofTransactions.has(verb)))
    return turnTo(session, held);
  const isAbroad = instance !== undefined || instances.held !== undefined;
  if (isAbroad && statements.some(isSetting)) {
    const refusal = whyNotForBoth(statements);
    if (refusal === undefined) return turnTo(session, leg);
    if (instance !== undefined) return refusal;
  }
  const to = instance === undefined ? leg : await instances.legOf(instance);
  if ('do' in to) return to;
  if (held !== undefined && held !== to)
    return refuse(
      'transaction',
      'found a statement for another server than that of the open transaction; expected COMMIT or ROLLBACK first. The transaction is as it was',
    );
  return turnTo(session, to);
}

/** They are of the server that has the transaction, whatever tables it would be asked for. */
const ofTransactions = new Set(['COMMIT', 'ROLLBACK', 'SAVEPOINT', 'RELEASE']);

function isSetting({ verb }: Statements[number]): boolean {
  return verb === 'SET' || verb === 'USE';
}

/** A transaction is of one server; settings are of both, and are said to a label's own when it is needed next. */
function whyNotForBoth(statements: Statements): Refusal | undefined {
  if (!statements.every(isSetting))
    return refuse(
      'state',
      'found settings and other statements in one text, while the label has a server of its own; expected them one by one',
    );
  if (statements.every(({ settings }) => settings.every(({ isLiteral }) => isLiteral))) return undefined;
  return refuse(
    'state',
    'found a setting that is no literal, while the label has a server of its own; expected a literal, which can be said to both',
  );
}

/** A setting may end a transaction (autocommit): the server that has it hears it before the client has its OK. */
async function told(session: Session, { statements }: Analysis, leg: Leg | Refusal): Promise<Leg | Refusal> {
  const { held } = session.instances;
  if ('do' in leg || held === undefined || leg !== session.leg) return leg;
  const settings = statements.flatMap((statement) => statement.settings.map(({ text }) => text));
  return (await session.instances.tell(held, settings)) ?? leg;
}

function turnTo(session: Session, leg: Leg): Leg {
  session.active = leg;
  return leg;
}

function refuse(reason: string, message: string): Refusal {
  return { do: 'refuse', reason, message };
}
