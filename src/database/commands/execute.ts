// COM_STMT_EXECUTE: which variant of the statement runs, made where it is not there yet.

import type { Label } from '../../traffic/label.ts';
import { complaint } from '../packets/answers.ts';
import { command, worded } from '../packets/command.ts';
import { frame, type Packet } from '../packets/frames.ts';
import { type Execution, readExecute, statementId, writeExecute } from '../payloads/execute.ts';
import type { Attributes } from '../payloads/query.ts';
import { baseStatement, type Session, tooLong } from '../session/session.ts';
import { expectationOf } from '../session/settle.ts';
import { turnOf } from '../session/turn.ts';
import type { Judgement, Refusal } from '../statements/judge.ts';
import {
  addressed,
  maxVariants,
  type Prepared,
  readHead,
  statementOf,
  unreadText,
  type Variant,
  variantOf,
} from '../statements/prepared.ts';
import type { Leg } from '../upstream/leg.ts';
import { clearLong, longDataOf } from './pieces.ts';
import { unknown } from './prepare.ts';
import { judgeUnread } from './unread.ts';

type Given = { readonly packet: Packet; readonly statement: Prepared; readonly execution: Execution };

/** A promise where it must wait for something. HOT */
export function takeExecute(session: Session, packet: Packet): Promise<void> | undefined {
  const { payload } = packet;
  const statement = statementOf(session, payload);
  if (statement === undefined) return unknown(session, packet, session.leg.expected.query);
  const execution = readExecute(payload, {
    parameters: statement.parameters,
    hasAttributes: session.wire.clientHasAttributes,
    remembered: statement.types,
    isLong: (index) => statement.long.has(index),
  });
  if (execution === undefined) return takeUnreadable(session, packet, statement);
  if (execution.parameters !== undefined) statement.types = execution.parameters;
  const given = { packet, statement, execution };
  const base = session.isPlain() ? variantOf(statement, session.leg, statement.text) : undefined;
  if (base !== undefined && execution.attributes.size === 0 && (statement.pinned ?? base) === base) {
    session.options.count(baseStatement);
    run(session, given, base, undefined);
    return undefined;
  }
  const ready = session.ready();
  return ready === undefined ? judged(session, given) : ready.then(() => judged(session, given));
}

/** Of base it is for the server to say what is wrong with it; query attributes in it, which may say a label, are not seen. */
function takeUnreadable(session: Session, packet: Packet, statement: Prepared): undefined {
  const { leg, wire } = session;
  const base = session.isPlain() && !wire.clientHasAttributes ? variantOf(statement, leg, statement.text) : undefined;
  if (base === undefined || (statement.pinned ?? base) !== base)
    return refused(
      session,
      { packet, statement },
      { reason: 'malformed', message: 'found an execution that cannot be read' },
    );
  for (const bytes of longDataOf(statement, base.id)) leg.send(bytes);
  clearLong(session, statement);
  // Types that are in it may be the server's from now on.
  statement.types = undefined;
  base.types = undefined;
  statement.current = base;
  const expectation = expectationOf(session, { analysis: analysisOf(session, statement), label: undefined });
  leg.send(frame(addressed(command.execute, base.id, packet.payload.subarray(5)), 0), expectation);
  return undefined;
}

function judged(session: Session, given: Given): Promise<void> | undefined {
  const { statement, execution, packet } = given;
  const judgement = judgementOf(session, statement, execution.attributes);
  if (judgement === undefined) {
    session.refuse(packet, { reason: 'unknown-server', message: 'the server does not say its sql_mode' });
    return undefined;
  }
  if (judgement instanceof Promise) return judgement.then((found) => carryOut(session, given, found));
  return carryOut(session, given, judgement);
}

/** undefined where the server does not say how it reads. */
export function judgementOf(session: Session, statement: Prepared, attributes: Attributes) {
  const { temporary, texts, variables } = session.state;
  const { text, database, mode = session.state.mode } = statement;
  if (text === unreadText) return judgeUnread(session, attributes);
  if (mode === undefined) return undefined;
  const carriers = { attributes, variables, comments: [] };
  return session.judge.judge({ text, mode, database, temporary, texts, carriers });
}

function carryOut(session: Session, given: Given, judgement: Judgement): Promise<void> | undefined {
  const { statement } = given;
  if (judgement.do === 'refuse') return refused(session, given, judgement);
  const text = judgement.do === 'rewrite' ? judgement.text : statement.text;
  const go = (leg: Leg | Refusal): Promise<void> | undefined => {
    if ('do' in leg) return refused(session, given, leg);
    const known = variantOf(statement, leg, text);
    if (statement.pinned !== undefined && statement.pinned !== known) return refused(session, given, tooLong);
    const drift = known === undefined ? driftOf(session, statement) : undefined;
    if (drift !== undefined) return refused(session, given, { reason: 'drift', message: drift });
    session.counted(judgement);
    if (known === undefined) return prepareVariant(session, given, leg, judgement);
    run(session, given, known, judgement.label);
    return undefined;
  };
  const turn = turnOf(session, analysisOf(session, statement), judgement);
  return turn instanceof Promise ? turn.then(go) : go(turn);
}

function refused(
  session: Session,
  { packet, statement }: Omit<Given, 'execution'>,
  refusal: Omit<Refusal, 'do'>,
): undefined {
  clearLong(session, statement);
  session.refuse(packet, refusal);
  return undefined;
}

/** Why it would be another statement if it were prepared now. */
function driftOf({ state }: Session, { mode, sqlMode, database }: Prepared): string | undefined {
  if (database !== state.database)
    return `found ${state.database ?? 'no database'} as the default, expected ${database ?? 'none'}, as the statement was prepared; prepare it again`;
  if (mode === undefined || (mode === state.mode && sqlMode === state.sqlMode)) return undefined;
  return `found another sql_mode or character set (${state.sqlMode}) than when the statement was prepared (${sqlMode}); prepare it again`;
}

type Allowed = Exclude<Judgement, Refusal>;

/** Prepares what this execution needs; it runs only where it is the same statement but for its tables. */
async function prepareVariant(session: Session, given: Given, leg: Leg, judgement: Allowed): Promise<void> {
  const { statement, packet } = given;
  const text = judgement.do === 'rewrite' ? judgement.text : statement.text;
  const reply = await leg.ask(worded(command.prepare, text), 'prepare');
  const head = readHead(reply);
  if (head === undefined) {
    clearLong(session, statement);
    const { code, message } = reply.error ?? { code: 1835, message: 'malformed packet' };
    leg.answer(complaint({ code, state: 'HY000', message, sequence: packet.sequence + 1 }));
    return;
  }
  if (head.columns !== statement.columns || head.parameters !== statement.parameters) {
    leg.send(frame(addressed(command.close, head.id), 0));
    refused(session, given, {
      reason: 'drift',
      message: `found ${head.columns} columns in the result of the shadow's table, expected ${statement.columns}, as the statement was prepared; give both tables the same columns`,
    });
    return;
  }
  const variant: Variant = { text, leg, id: head.id, types: undefined };
  const gone = statement.variants.length >= maxVariants ? statement.variants.splice(1, 1)[0] : undefined;
  gone?.leg.send(frame(addressed(command.close, gone.id), 0));
  statement.variants.push(variant);
  run(session, given, variant, judgement.label);
}

/** HOT */
function run(session: Session, given: Given, variant: Variant, label: Label | undefined): void {
  const { packet, statement, execution } = given;
  const { wire } = session;
  const { leg } = variant;
  statement.current = variant;
  const isTold = execution.parameters !== undefined || variant.types === statement.types;
  const parameters = isTold ? execution.parameters : statement.types;
  variant.types = statement.types;
  if (statement.long.size > 0) for (const bytes of longDataOf(statement, variant.id)) leg.send(bytes);
  clearLong(session, statement);
  const expectation = expectationOf(session, { analysis: analysisOf(session, statement), label });
  const isSame = isTold && variant.id === statementId(packet.payload);
  if (isSame && wire.clientHasAttributes === wire.serverHasAttributes) {
    leg.send(packet.raw, expectation);
    return;
  }
  const options = { count: statement.parameters, parameters, hasAttributes: wire.serverHasAttributes };
  leg.send(frame(writeExecute(execution, variant.id, options), 0), expectation);
}

/** Of what changes a session; its texts are few, and are kept. */
export function analysisOf({ memory, options, state }: Session, { text, mode = state.mode }: Prepared) {
  const isUnread = mode === undefined || text === unreadText;
  return isUnread || options.shadows().isEmpty ? undefined : memory.analysisOf(text, mode);
}
