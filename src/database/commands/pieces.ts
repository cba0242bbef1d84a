// COM_STMT_SEND_LONG_DATA: values that come in pieces, before the execution that says whose they are.

import { command } from '../packets/command.ts';
import { frame, type Packet } from '../packets/frames.ts';
import { lastId, statementId } from '../payloads/execute.ts';
import type { Session } from '../session/session.ts';
import { addressed, type Prepared, statementOf, type Variant, variantOf } from '../statements/prepared.ts';

/** Kept until the execution says whose it is; what is too much goes to the statement as it is written. */
export function takeLongData(session: Session, { payload, raw }: Packet): void {
  const statement = statementOf(session, payload);
  if (statement === undefined && statementId(payload) === lastId) return;
  if (statement === undefined || payload.length < 7) {
    session.leg.send(raw);
    return;
  }
  const parameter = payload.readUInt16LE(5);
  const size = payload.length + pieceBytes;
  const { options } = session;
  const isKept = !options.shadows().isEmpty && session.longBytes + size <= options.maxStatementBytes;
  if (statement.pinned !== undefined || !isKept) {
    const { leg, id } = pin(session, statement);
    leg.send(id === statementId(payload) ? raw : frame(addressed(command.longData, id, payload.subarray(5)), 0));
    if (!statement.long.has(parameter) && parameter < statement.parameters) statement.long.set(parameter, []);
    return;
  }
  statement.longBytes += size;
  session.longBytes += size;
  const data = Buffer.from(payload.subarray(7));
  const known = statement.long.get(parameter);
  if (known === undefined) statement.long.set(parameter, [data]);
  else known.push(data);
}

/** What it costs to keep a piece, besides its bytes. */
const pieceBytes = 256;

/** What was kept goes to the variant that is the likeliest. */
export function pin(session: Session, statement: Prepared): Variant {
  if (statement.pinned !== undefined) return statement.pinned;
  const base = session.isPlain() ? variantOf(statement, session.leg, statement.text) : undefined;
  const variant = base ?? statement.current;
  for (const bytes of longDataOf(statement, variant.id)) variant.leg.send(bytes);
  const parameters = [...statement.long.keys()];
  clearLong(session, statement);
  for (const parameter of parameters) statement.long.set(parameter, []);
  statement.pinned = variant;
  return variant;
}

export function clearLong(session: Session, statement: Prepared): void {
  if (statement.long.size > 0) statement.long.clear();
  session.longBytes -= statement.longBytes;
  statement.longBytes = 0;
  statement.pinned = undefined;
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
