// COM_STMT_PREPARE, and the commands of prepared statements that execute nothing.

import type { Analysis } from '../../sql/analysis.ts';
import { complaint } from '../packets/answers.ts';
import { command, worded } from '../packets/command.ts';
import { frame, type Packet } from '../packets/frames.ts';
import type { Expectation } from '../packets/replies.ts';
import { lastId, statementId } from '../payloads/execute.ts';
import { noAttributes } from '../payloads/query.ts';
import type { Session } from '../session/session.ts';
import { turnToPrepare } from '../session/turn.ts';
import type { Judgement, Refusal } from '../statements/judge.ts';
import { addressed, type Head, type Prepared, readHead, statementOf, type Variant } from '../statements/prepared.ts';
import type { Leg } from '../upstream/leg.ts';
import { clearLong } from './pieces.ts';

type Allowed = Exclude<Judgement, Refusal>;

/**
 * On base it is prepared as it is written: whose an execution is, the execution says. A labelled workload has one label,
 * and the base table may not be there.
 */
export function takePrepare(session: Session, packet: Packet): Promise<void> | undefined {
  const { options } = session;
  if (options.shadows().isEmpty) return sent(session, packet, undefined);
  const ready = session.ready();
  return ready === undefined ? prepare(session, packet) : ready.then(() => prepare(session, packet));
}

function prepare(session: Session, packet: Packet): Promise<void> | undefined {
  const { options, state, memory } = session;
  const { mode, database, temporary, texts, variables } = state;
  if (options.labels().length === 0) return sent(session, packet, undefined);
  if (mode === undefined) {
    return refused(session, packet, { reason: 'unknown-server', message: 'the server does not say its sql_mode' });
  }
  const text = packet.payload.toString('latin1', 1);
  const carriers = { attributes: noAttributes, variables, comments: [] };
  const judgement = session.judge.judge({ text, mode, database, temporary, texts, carriers });
  const analysis = memory.analysisOf(text, mode);
  if (judgement instanceof Promise) return judgement.then((found) => prepareAs(session, packet, found, analysis));
  return prepareAs(session, packet, judgement, analysis);
}

function prepareAs(
  session: Session,
  packet: Packet,
  judgement: Judgement,
  analysis: Analysis,
): Promise<void> | undefined {
  if (judgement.do === 'refuse') return refused(session, packet, judgement);
  const turn = turnToPrepare(session, analysis, judgement);
  if (turn === session.leg) return sent(session, packet, judgement);
  return Promise.resolve(turn).then((leg) => {
    if (!('do' in leg))
      return leg === session.leg ? sent(session, packet, judgement) : sentElsewhere(session, packet, leg, judgement);
    return refused(session, packet, leg);
  });
}

/** Then there is none that was prepared last; the reply to one before, which is to come, would say that it is. */
function refused(session: Session, packet: Packet, refusal: Omit<Refusal, 'do'>): Promise<void> | undefined {
  if (session.preparing > 0) return session.leg.idle().then(() => refused(session, packet, refusal));
  session.lastPrepared = undefined;
  session.refuse(packet, refusal);
  return undefined;
}

function sent(session: Session, packet: Packet, judgement: Allowed | undefined): Promise<void> | undefined {
  const { leg } = session;
  const text = packet.payload.toString('latin1', 1);
  const becomes = judgement?.do === 'rewrite' ? judgement.text : text;
  return session.visit(leg, () => {
    const expectation = expectPrepared(session, { text, becomes });
    leg.send(becomes === text ? packet.raw : frame(worded(command.prepare, becomes), 0), expectation);
    return undefined;
  });
}

/** Of the client's own server. */
export function expectPrepared(session: Session, texts: Pick<Known, 'text' | 'becomes'>): Expectation {
  const { leg } = session;
  session.preparing += 1;
  return {
    shape: 'prepare',
    done(reply) {
      session.preparing -= 1;
      session.lastPrepared = undefined;
      const head = readHead(reply);
      if (head !== undefined) know(session, { ...texts, leg, head, id: head.id });
    },
  };
}

/** Two servers count their statements each from 1: the client gets a number of our own. */
async function sentElsewhere(session: Session, packet: Packet, leg: Leg, judgement: Allowed): Promise<void> {
  const text = packet.payload.toString('latin1', 1);
  const becomes = judgement.do === 'rewrite' ? judgement.text : text;
  const reply = await leg.ask(worded(command.prepare, becomes), 'prepare');
  session.lastPrepared = undefined;
  const head = readHead(reply);
  const bytes = Buffer.concat(reply.raw);
  if (head !== undefined) {
    session.elsewhere += 1;
    const id = 0x4000_0000 + session.elsewhere;
    bytes.writeUInt32LE(id, 5);
    know(session, { text, becomes, leg, head, id });
  }
  leg.answer(bytes);
}

type Known = {
  readonly text: string;
  readonly becomes: string;
  readonly leg: Leg;
  readonly head: Head;
  readonly id: number;
};

function know(session: Session, { text, becomes, leg, head, id }: Known): void {
  const { mode, sqlMode, database } = session.state;
  const { columns, parameters } = head;
  const variant: Variant = { text: becomes, leg, id: head.id, types: undefined };
  const statement: Prepared = {
    ...{ id, text, mode, sqlMode, database, parameters, columns, current: variant, variants: [variant] },
    ...{ types: undefined, long: new Map(), longBytes: 0, pinned: undefined },
  };
  session.prepared.set(id, statement);
  session.lastPrepared = statement;
}

export function takeClose(session: Session, { payload, raw }: Packet): void {
  const statement = statementOf(session, payload);
  if (statement === undefined) {
    if (statementId(payload) !== lastId) session.leg.send(raw);
    return;
  }
  clearLong(session, statement);
  session.prepared.delete(statement.id);
  if (session.lastPrepared === statement) session.lastPrepared = undefined;
  for (const { id, leg } of statement.variants) leg.send(frame(addressed(command.close, id), 0));
}

export function takeReset(session: Session, packet: Packet): Promise<void> | undefined {
  const statement = statementOf(session, packet.payload);
  if (statement === undefined) return unknown(session, packet, session.leg.expected.one);
  clearLong(session, statement);
  const { current, variants } = statement;
  // On a server that is gone there is nothing to reset.
  const [first = current, ...others] = [current, ...variants.filter((each) => each !== current)].filter(isThere);
  for (const { leg, id } of others) void leg.ask(addressed(command.reset, id), 'one');
  const { leg, id } = first;
  return session.visit(leg, () => void leg.send(frame(addressed(command.reset, id), 0), leg.expected.one));
}

function isThere({ leg }: Variant): boolean {
  return !leg.socket.destroyed;
}

/** From the server that has the cursor. */
export function takeFetch(session: Session, packet: Packet): Promise<void> | undefined {
  const current = statementOf(session, packet.payload)?.current;
  if (current === undefined) return unknown(session, packet, session.leg.expected.fetch);
  const { leg, id } = current;
  const bytes = frame(addressed(command.fetch, id, packet.payload.subarray(5)), 0);
  return session.visit(leg, () => void leg.send(bytes, leg.expected.fetch));
}

/** Says that it is not known: the server, where it was named. Which one the server has prepared last is not its client's. */
export function unknown(session: Session, packet: Packet, expectation: Expectation): Promise<void> | undefined {
  const { leg } = session;
  const { payload, raw, sequence } = packet;
  if (statementId(payload) === lastId) {
    const what = payload[0] === command.execute ? 'execute' : payload[0] === command.fetch ? 'fetch' : 'reset';
    const message = `Unknown prepared statement handler (${lastId}) given to mysqld_stmt_${what}`;
    session.active.answer(complaint({ code: 1243, state: 'HY000', message, sequence: sequence + 1 }));
    return undefined;
  }
  return session.visit(leg, () => void leg.send(raw, expectation));
}
