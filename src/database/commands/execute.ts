// COM_STMT_EXECUTE: which variant of the statement runs, made where it is not there yet.

import { complaint } from '../packets/answers.ts';
import { frame, type Packet } from '../packets/frames.ts';
import { type Execution, readExecute, statementId, writeExecute } from '../payloads/execute.ts';
import { baseStatement, type Session, tooLong } from '../session/session.ts';
import { expectationOf } from '../session/settle.ts';
import type { Judgement } from '../statements/judge.ts';
import { addressed, maxVariants, type Prepared, readHead, type Variant } from '../statements/prepared.ts';
import { clearLong, longDataOf, statementOf } from './prepare.ts';

type Given = { readonly packet: Packet; readonly statement: Prepared; readonly execution: Execution };

/** A promise where it must wait for something. HOT */
export function takeExecute(session: Session, packet: Packet): Promise<void> | undefined {
  const { payload } = packet;
  // "The last that was prepared": which one that is, its reply must say.
  if (session.preparing > 0 && statementId(payload) === 0xffff_ffff)
    return session.leg.idle().then(() => takeExecute(session, packet));
  const statement = statementOf(session, payload);
  if (statement === undefined) {
    // The server says that it does not know it.
    session.leg.send(packet.raw, session.expected.query);
    return undefined;
  }
  const execution = readExecute(payload, {
    parameters: statement.parameters,
    hasAttributes: session.wire.clientHasAttributes,
    remembered: statement.types,
    isLong: (index) => statement.long.has(index),
  });
  if (execution === undefined) {
    session.refuse(packet, { reason: 'malformed', message: 'found an execution that cannot be read' });
    return undefined;
  }
  if (execution.parameters !== undefined) statement.types = execution.parameters;
  const given = { packet, statement, execution };
  const base = statement.variants.get(statement.text);
  if (base !== undefined && execution.attributes.size === 0 && session.isPlain()) {
    session.options.count(baseStatement);
    run(session, given, base);
    return undefined;
  }
  const ready = session.ready();
  return ready === undefined ? judged(session, given) : ready.then(() => judged(session, given));
}

function judged(session: Session, given: Given): Promise<void> | undefined {
  const { statement, execution, packet } = given;
  const { temporary, texts, variables } = session.state;
  const mode = statement.mode ?? session.state.mode;
  if (mode === undefined) {
    session.refuse(packet, { reason: 'unknown-server', message: 'the server does not say its sql_mode' });
    return undefined;
  }
  const carriers = { attributes: execution.attributes, variables, comments: [] };
  const { text, database } = statement;
  const judgement = session.judge.judge({ text, mode, database, temporary, texts, carriers });
  if (judgement instanceof Promise) return judgement.then((found) => carryOut(session, given, found));
  return carryOut(session, given, judgement);
}

function carryOut(session: Session, given: Given, judgement: Judgement): Promise<void> | undefined {
  const { packet, statement } = given;
  if (judgement.do === 'refuse') {
    clearLong(statement);
    session.refuse(packet, judgement);
    return undefined;
  }
  session.counted(judgement);
  const text = judgement.do === 'rewrite' ? judgement.text : statement.text;
  const known = statement.variants.get(text);
  if (statement.pinned !== undefined && statement.pinned !== known) {
    clearLong(statement);
    session.refuse(packet, tooLong);
    return undefined;
  }
  if (known === undefined) return prepareVariant(session, given, text);
  run(session, given, known);
  return undefined;
}

/** Prepares what this execution needs; it runs only where it is the same statement but for its tables. */
async function prepareVariant(session: Session, given: Given, text: string): Promise<void> {
  const { statement, packet } = given;
  const payload = Buffer.concat([Buffer.from([0x16]), Buffer.from(text, 'latin1')]);
  const reply = await session.leg.ask(payload, 'prepare');
  const head = readHead(reply);
  if (head === undefined) {
    clearLong(statement);
    const { code, message } = reply.error ?? { code: 1835, message: 'malformed packet' };
    session.leg.answer(complaint({ code, state: 'HY000', message, sequence: packet.sequence + 1 }));
    return;
  }
  const { id, columns, parameters } = head;
  if (columns !== statement.columns || parameters !== statement.parameters) {
    session.leg.send(frame(addressed(0x19, id), 0));
    clearLong(statement);
    const [found, expected] = [`${columns} columns`, `${statement.columns}, as the statement was prepared`];
    session.refuse(packet, {
      reason: 'drift',
      message: `found ${found} in the result of the shadow's table, expected ${expected}; give both tables the same columns`,
    });
    return;
  }
  const variant: Variant = { text, id, types: undefined };
  const [[oldest, gone] = []] = statement.variants;
  if (statement.variants.size >= maxVariants && oldest !== undefined && gone !== undefined) {
    statement.variants.delete(oldest);
    session.leg.send(frame(addressed(0x19, gone.id), 0));
  }
  statement.variants.set(text, variant);
  run(session, given, variant);
}

/** HOT */
function run(session: Session, { packet, statement, execution }: Given, variant: Variant): void {
  const { leg, wire } = session;
  statement.current = variant;
  const isTold = execution.parameters !== undefined || variant.types === statement.types;
  const parameters = isTold ? execution.parameters : statement.types;
  variant.types = statement.types;
  if (statement.long.size > 0) for (const bytes of longDataOf(statement, variant.id)) leg.send(bytes);
  clearLong(statement);
  const expectation = expectationOf(session, analysisOf(session, statement), undefined);
  const isSame = isTold && variant.id === statementId(packet.payload);
  const isUntouched = isSame && wire.clientHasAttributes === wire.serverHasAttributes;
  const options = { count: statement.parameters, parameters, hasAttributes: wire.serverHasAttributes };
  leg.send(isUntouched ? packet.raw : frame(writeExecute(execution, variant.id, options), 0), expectation);
}

/** Of what changes a session; its texts are few, and are kept. */
function analysisOf({ memory, options }: Session, { text, mode }: Prepared) {
  return mode === undefined || options.shadows().isEmpty ? undefined : memory.analysisOf(text, mode);
}
