// What is longer than is read whole: by its first bytes it goes to a server as it comes, or is refused when all of it has come.

import { command } from '../packets/command.ts';
import { lastId, readExecute, statementId } from '../payloads/execute.ts';
import { noAttributes, readQuery } from '../payloads/query.ts';
import { baseStatement, type Session } from '../session/session.ts';
import { expectationOf } from '../session/settle.ts';
import { turnOf } from '../session/turn.ts';
import type { Judgement, Refusal } from '../statements/judge.ts';
import { statementOf, unreadText, variantOf } from '../statements/prepared.ts';
import type { Leg } from '../upstream/leg.ts';
import { analysisOf, judgementOf } from './execute.ts';
import { clearLong, longDataOf, pin } from './pieces.ts';
import { expectPrepared } from './prepare.ts';
import { passedUnread as base, judgeUnread, refusedUnread as refused } from './unread.ts';

/** The server that takes it; its reply is expected then, and `head`, the payload's first bytes, is as that server wants it. */
export function takeLong(session: Session, head: Buffer): Leg | Refusal | Promise<Leg | Refusal> {
  switch (head[0]) {
    case command.query:
      return whenReady(session, () => query(session, head));
    case command.prepare:
      return whenReady(session, () => preparation(session));
    case command.execute:
      return whenReady(session, () => execution(session, head));
    case command.longData:
      return longData(session, head);
    default:
      return refused;
  }
}

type Given<T> = T | Promise<T>;

/** Settings that are on their way may say a label, and so may the last preparation be this execution's. */
function whenReady(session: Session, go: () => Given<Leg | Refusal>): Given<Leg | Refusal> {
  if (session.preparing > 0) return session.leg.idle().then(() => whenReady(session, go));
  if (session.options.shadows().isEmpty) return go();
  const ready = session.ready();
  return ready === undefined ? go() : ready.then(go);
}

function query(session: Session, head: Buffer): Given<Leg | Refusal> {
  const { wire } = session;
  const found = readQuery(head, wire.clientHasAttributes);
  if (found === undefined) return refused;
  return carryOut(session, judgeUnread(session, found.attributes), (leg) => {
    // No server minds white space before a text.
    if (!wire.serverHasAttributes) head.fill(0x20, 1, found.textAt);
    session.options.count(baseStatement);
    leg.expect(expectationOf(session, { analysis: undefined, label: undefined }));
    return leg;
  });
}

/** Whose an execution is, the execution says. */
function preparation(session: Session): Given<Leg | Refusal> {
  const { options } = session;
  session.lastPrepared = undefined;
  if (options.labels().length > 0 && !options.shadows().isEmpty) return refused;
  return carryOut(session, base, (leg) => {
    leg.expect(expectPrepared(session, { text: unreadText, becomes: unreadText }));
    return leg;
  });
}

/** The types of its values are in its head, or the server has them; what must be written anew must be read whole. */
function execution(session: Session, head: Buffer): Given<Leg | Refusal> {
  const { wire } = session;
  const statement = statementOf(session, head);
  if (statement === undefined || wire.clientHasAttributes !== wire.serverHasAttributes) return refused;
  const found = readExecute(head, {
    parameters: statement.parameters,
    hasAttributes: wire.clientHasAttributes,
    remembered: statement.types,
    isLong: (index) => statement.long.has(index),
  });
  const judgement = found && judgedExecution();
  const outcome = judgement === undefined ? refused : carryOut(session, judgement, begun);
  if (outcome instanceof Promise) return outcome.then(cleared);
  return cleared(outcome);

  function judgedExecution(): Given<Judgement> {
    if (statement === undefined || session.options.shadows().isEmpty) return base;
    return judgementOf(session, statement, found?.attributes ?? noAttributes) ?? refused;
  }

  function begun(leg: Leg): Leg | Refusal {
    if (statement === undefined || found === undefined) return refused;
    const { text } = statement;
    const variant = variantOf(statement, leg, text);
    const types = found.parameters ?? statement.types;
    const isTold = found.parameters !== undefined || variant?.types === types;
    if (variant === undefined || !isTold || (statement.pinned ?? variant) !== variant) return refused;
    statement.types = types;
    variant.types = types;
    statement.current = variant;
    for (const bytes of longDataOf(statement, variant.id)) leg.send(bytes);
    head.writeUInt32LE(variant.id, 1);
    session.options.count(baseStatement);
    leg.expect(expectationOf(session, { analysis: analysisOf(session, statement), label: undefined }));
    return leg;
  }

  function cleared(outcome: Leg | Refusal): Leg | Refusal {
    if (statement !== undefined) clearLong(session, statement);
    return outcome;
  }
}

/** It has no reply, and so cannot be refused: it goes where its execution is the likeliest to go. */
function longData(session: Session, head: Buffer): Given<Leg> {
  if (session.preparing > 0) return session.leg.idle().then(() => longData(session, head));
  const statement = statementOf(session, head);
  // What the server has prepared last is not its client's; a statement of this number there is none.
  if (statement === undefined && statementId(head) === lastId) head.writeUInt32LE(0, 1);
  if (statement === undefined) return session.leg;
  const { leg, id } = pin(session, statement);
  head.writeUInt32LE(id, 1);
  statement.long.set(head.readUInt16LE(5), []);
  return leg;
}

/** On the client's own server, when it is its turn. */
function carryOut(
  session: Session,
  judged: Given<Judgement>,
  begin: (leg: Leg) => Leg | Refusal,
): Given<Leg | Refusal> {
  if (judged instanceof Promise) return judged.then((found) => carryOut(session, found, begin));
  if (judged.do === 'refuse') return judged;
  if (judged.label !== undefined || judged.do === 'rewrite') return refused;
  const turn = turnOf(session, undefined, judged);
  if (turn instanceof Promise) return turn.then((leg) => ('do' in leg ? leg : begin(leg)));
  return begin(turn);
}
