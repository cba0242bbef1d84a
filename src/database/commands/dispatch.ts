// Every command of the protocol, and who takes it.

import { command } from '../packets/command.ts';
import { frame, type Packet } from '../packets/frames.ts';
import { statementId } from '../payloads/execute.ts';
import type { Session } from '../session/session.ts';
import { forget } from '../session/state.ts';
import { takeExecute } from './execute.ts';
import { takeLongData } from './pieces.ts';
import { takeClose, takeFetch, takePrepare, takeReset } from './prepare.ts';
import { takeQuery } from './query.ts';

/** What a client's further bytes are, besides commands. */
export type Course = {
  /** Whatever comes belongs to the dialogue of a login, until the server ends it. */
  relay(isOn: boolean): void;
  /** Whatever comes passes, for ever. */
  surrender(): void;
};

/** Commands that touch no table, with a reply of one packet. */
const harmless = new Set<number>([command.setOption, command.ping, command.debug, command.kill, command.statistics]);

/** A promise where the next command must wait. HOT */
export function takeCommand(session: Session, packet: Packet, course: Course): Promise<void> | undefined {
  const { leg } = session;
  const { expected } = leg;
  const { payload, raw } = packet;
  const code = payload[0];
  // A statement that is not known yet: which one it is, the reply to its preparation must say.
  if (session.preparing > 0 && isOfPrepared(code) && !session.prepared.has(statementId(payload)))
    return leg.idle().then(() => takeCommand(session, packet, course));
  if (session.active !== leg && !isOfStatement(code)) return atHome(session, packet, course);
  switch (code) {
    case command.query:
      return takeQuery(session, packet);
    case command.execute:
      return takeExecute(session, packet);
    case command.prepare:
      return takePrepare(session, packet);
    case command.longData:
      takeLongData(session, packet);
      return undefined;
    case command.close:
      takeClose(session, packet);
      return undefined;
    case command.reset:
      return takeReset(session, packet);
    case command.fetch:
      return takeFetch(session, packet);
    case command.quit:
      leg.send(raw);
      return undefined;
    case command.initDatabase:
      chooseDatabase(session, packet);
      return undefined;
    case command.processInfo:
      leg.send(raw, expected.query);
      return undefined;
    case command.changeUser:
      return leg.idle().then(() => changeUser(session, packet, course));
    case command.resetConnection:
      return leg.idle().then(() => resetConnection(session, packet));
    default:
      return other(session, packet, course);
  }
}

/** These find their server themselves. */
function isOfStatement(code: number | undefined): boolean {
  return code === command.query || code === command.prepare || isOfPrepared(code);
}

function isOfPrepared(code = 0): boolean {
  return (code >= command.execute && code <= command.reset) || code === command.fetch;
}

/** The rest is of the client's own server, when the other has answered; these leave nothing of the session. */
async function atHome(session: Session, packet: Packet, course: Course): Promise<void> {
  const [code] = packet.payload;
  const go = () => takeCommand(session, packet, course);
  if (code !== command.quit && code !== command.changeUser && code !== command.resetConnection)
    return session.visit(session.leg, go);
  await session.active.idle();
  session.active = session.leg;
  return go();
}

function other(session: Session, packet: Packet, course: Course): Promise<void> | undefined {
  const { options, leg } = session;
  const { expected } = leg;
  const code = packet.payload[0] ?? -1;
  if (harmless.has(code)) leg.send(packet.raw, expected.one);
  else if (code === command.fieldList) leg.send(fieldList(session, packet), expected.fields);
  else if (options.labels().length > 0 && !options.shadows().isEmpty)
    session.refuse(packet, { reason: 'unknown-command', message: `found the command ${code}, expected a statement` });
  else if (code === command.binlogDump || code === command.binlogDumpGtid) return surrender(session, packet, course);
  else leg.send(packet.raw, expected.query);
  return undefined;
}

/** Whoever may not have the log goes on with commands. */
function surrender({ leg }: Session, { raw }: Packet, course: Course): Promise<void> {
  return new Promise((resolve) =>
    leg.send(raw, {
      shape: 'one',
      done({ error }) {
        if (error === undefined) course.surrender();
        resolve();
      },
    }),
  );
}

/** Names of columns, no rows: those of the shadow, where it is in the same database. */
function fieldList({ options, state }: Session, { payload, raw, sequence }: Packet): Buffer {
  const [label] = options.labels();
  const end = payload.indexOf(0, 1);
  if (label === undefined || end < 0 || state.database === undefined) return raw;
  const map = state.mode?.namesIgnoreCase ? options.shadows().ignoringCase : options.shadows();
  const { database } = state;
  const shadow = map.of(label)?.shadowOf({ database, table: payload.toString('latin1', 1, end) });
  if (shadow?.database !== database) return raw;
  const table = Buffer.from(shadow.table, 'latin1');
  return frame(Buffer.concat([payload.subarray(0, 1), table, payload.subarray(end)]), sequence);
}

function chooseDatabase({ leg, state }: Session, { payload, raw }: Packet): void {
  const name = payload.toString('latin1', 1);
  state.unsettled += 1;
  leg.send(raw, {
    shape: 'one',
    done(reply) {
      state.unsettled -= 1;
      if (reply.error === undefined) state.database = name;
    },
  });
}

function changeUser(session: Session, { raw }: Packet, course: Course): void {
  course.relay(true);
  session.leg.send(raw, {
    shape: 'login',
    done() {
      startAnew(session);
      course.relay(false);
    },
  });
}

function resetConnection(session: Session, { raw }: Packet): Promise<void> {
  return new Promise((resolve) =>
    session.leg.send(raw, {
      shape: 'one',
      done(reply) {
        if (reply.error === undefined) startAnew(session);
        resolve();
      },
    }),
  );
}

function startAnew(session: Session): void {
  forget(session.state, undefined);
  session.prepared.clear();
  session.lastPrepared = undefined;
  session.longBytes = 0;
  session.instances.drop();
}
