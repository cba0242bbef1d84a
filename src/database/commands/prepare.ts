// COM_STMT_PREPARE, and the commands of prepared statements that execute nothing.

import { frame, type Packet } from '../packets/frames.ts';
import { statementId } from '../payloads/execute.ts';
import { noAttributes } from '../payloads/query.ts';
import type { Session } from '../session/session.ts';
import type { Judgement } from '../statements/judge.ts';
import { addressed, type Prepared, readHead } from '../statements/prepared.ts';

const command = { prepare: 0x16, longData: 0x18, close: 0x19, reset: 0x1a } as const;

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
  const { options, state } = session;
  const { mode, database, temporary, texts, variables } = state;
  if (options.labels.length === 0) return sent(session, packet, undefined);
  if (mode === undefined) {
    session.refuse(packet, { reason: 'unknown-server', message: 'the server does not say its sql_mode' });
    return undefined;
  }
  const text = packet.payload.toString('latin1', 1);
  const carriers = { attributes: noAttributes, variables, comments: [] };
  const judgement = session.judge.judge({ text, mode, database, temporary, texts, carriers });
  if (judgement instanceof Promise) return judgement.then((found) => sent(session, packet, found));
  return sent(session, packet, judgement);
}

function sent(session: Session, packet: Packet, judgement: Judgement | undefined): undefined {
  if (judgement?.do === 'refuse') {
    session.refuse(packet, judgement);
    return undefined;
  }
  const { state, prepared, leg } = session;
  const { mode, database } = state;
  const text = packet.payload.toString('latin1', 1);
  const becomes = judgement?.do === 'rewrite' ? judgement.text : text;
  session.preparing += 1;
  const bytes =
    becomes === text
      ? packet.raw
      : frame(Buffer.concat([Buffer.from([command.prepare]), Buffer.from(becomes, 'latin1')]), 0);
  leg.send(bytes, {
    shape: 'prepare',
    done(reply) {
      session.preparing -= 1;
      session.lastPrepared = undefined;
      const head = readHead(reply);
      if (head === undefined) return;
      const { id, columns, parameters } = head;
      const variant = { text: becomes, id, types: undefined };
      const statement: Prepared = {
        ...{ id, text, mode, database, parameters, columns, current: variant },
        ...{
          variants: new Map([[becomes, variant]]),
          types: undefined,
          long: new Map(),
          longBytes: 0,
          pinned: undefined,
        },
      };
      prepared.set(id, statement);
      session.lastPrepared = statement;
    },
  });
  return undefined;
}

/** undefined where there is none; with the id of MariaDB's drivers for the last that was prepared. */
export function statementOf(session: Session, payload: Buffer): Prepared | undefined {
  const id = statementId(payload);
  return id === 0xffff_ffff ? session.lastPrepared : session.prepared.get(id);
}

/** Kept until the execution says whose it is; what is too much goes to the statement as it is written. */
export function takeLongData(session: Session, { payload, raw }: Packet): void {
  const statement = statementOf(session, payload);
  if (statement === undefined || payload.length < 7 || session.options.shadows().isEmpty) {
    session.leg.send(raw);
    return;
  }
  const parameter = payload.readUInt16LE(5);
  const data = Buffer.from(payload.subarray(7));
  statement.longBytes += data.length;
  if (statement.longBytes > session.options.maxStatementBytes) pin(session, statement);
  if (statement.pinned !== undefined) {
    session.leg.send(frame(addressed(command.longData, statement.pinned.id, payload.subarray(5)), 0));
    if (!statement.long.has(parameter)) statement.long.set(parameter, []);
    return;
  }
  const known = statement.long.get(parameter);
  if (known === undefined) statement.long.set(parameter, [data]);
  else known.push(data);
}

/** What was kept goes to the variant that is the likeliest. */
export function pin({ leg }: Session, statement: Prepared): void {
  if (statement.pinned !== undefined) return;
  statement.pinned = statement.current;
  for (const bytes of longDataOf(statement, statement.current.id)) leg.send(bytes);
  for (const parameter of statement.long.keys()) statement.long.set(parameter, []);
}

export function clearLong(statement: Prepared): void {
  statement.long.clear();
  statement.longBytes = 0;
  statement.pinned = undefined;
}

export function takeClose(session: Session, { payload, raw }: Packet): void {
  const statement = statementOf(session, payload);
  if (statement === undefined) {
    session.leg.send(raw);
    return;
  }
  session.prepared.delete(statement.id);
  if (session.lastPrepared === statement) session.lastPrepared = undefined;
  for (const { id } of statement.variants.values()) session.leg.send(frame(addressed(command.close, id), 0));
}

export function takeReset(session: Session, { payload, raw }: Packet): void {
  const statement = statementOf(session, payload);
  if (statement === undefined) {
    session.leg.send(raw, session.expected.one);
    return;
  }
  clearLong(statement);
  for (const variant of statement.variants.values())
    if (variant !== statement.current) void session.leg.ask(addressed(command.reset, variant.id), 'one');
  session.leg.send(frame(addressed(command.reset, statement.current.id), 0), session.expected.one);
}

export function longDataOf({ long }: Prepared, id: number): Buffer[] {
  return [...long].flatMap(([parameter, all]) =>
    all.map((data) => {
      const index = Buffer.alloc(2);
      index.writeUInt16LE(parameter);
      return frame(addressed(command.longData, id, Buffer.concat([index, data])), 0);
    }),
  );
}
