// COM_QUERY: one text, or several parted by `;`.

import { variablesWithin } from '../label/variables.ts';
import { frame, longestPayload, type Packet } from '../packets/frames.ts';
import type { Attributes } from '../payloads/query.ts';
import { readQuery } from '../payloads/query.ts';
import { baseStatement, type Session } from '../session/session.ts';
import { expectationOf } from '../session/settle.ts';
import { turnOf } from '../session/turn.ts';
import { needsReading } from '../statements/glance.ts';
import type { Judgement, Refusal } from '../statements/judge.ts';
import type { Leg } from '../upstream/leg.ts';

type Given = {
  readonly packet: Packet;
  readonly attributes: Attributes;
  readonly textAt: number;
};

/** A promise where it must wait for something. HOT */
export function takeQuery(session: Session, packet: Packet): Promise<void> | undefined {
  const { wire, options } = session;
  const query = readQuery(packet.payload, wire.clientHasAttributes);
  if (query === undefined) {
    session.refuse(packet, { reason: 'malformed', message: 'found query attributes that cannot be read' });
    return undefined;
  }
  const given = { packet, attributes: query.attributes, textAt: query.textAt };
  if (query.attributes.size === 0 && session.isPlain() && !needsReading(packet.payload, query.textAt)) {
    options.count(baseStatement);
    session.leg.send(asWritten(session, given), session.leg.expected.query);
    return undefined;
  }
  const ready = session.ready();
  return ready === undefined ? judged(session, given) : ready.then(() => judged(session, given));
}

function judged(session: Session, given: Given): Promise<void> | undefined {
  const { state, memory } = session;
  const { packet, attributes, textAt } = given;
  const text = packet.payload.toString('latin1', textAt);
  const { mode, database, temporary, texts, variables } = state;
  if (mode === undefined) return unknown(session, given);
  const analysis = memory.analysisOf(text, mode);
  const { comments } = analysis;
  const carriers = { attributes, variables: variablesWithin(analysis, variables), comments };
  const judgement = session.judge.judge({ text, mode, database, temporary, texts, carriers });
  if (judgement instanceof Promise) return judgement.then((found) => carryOut(session, given, found, text));
  return carryOut(session, given, judgement, text);
}

const unread = { text: '', analysis: undefined, label: undefined };

/** The server does not say how it reads: of base that is nobody's business. */
function unknown(session: Session, given: Given): Promise<void> | undefined {
  const { options, leg, state } = session;
  const isBase = options.labels().length === 0 && state.variables.size === 0;
  if (isBase || options.shadows().isEmpty)
    return session.visit(leg, () => void leg.send(asWritten(session, given), expectationOf(session, unread)));
  session.refuse(given.packet, { reason: 'unknown-server', message: 'the server does not say its sql_mode' });
  return undefined;
}

function carryOut(session: Session, given: Given, judgement: Judgement, text: string): Promise<void> | undefined {
  if (judgement.do === 'refuse') {
    session.refuse(given.packet, judgement);
    return undefined;
  }
  const { mode } = session.state;
  const analysis = mode && session.memory.analysisOf(text, mode);
  const go = (leg: Leg | Refusal): void => {
    if ('do' in leg) {
      session.refuse(given.packet, leg);
      return;
    }
    session.counted(judgement);
    const expectation = expectationOf(session, { analysis, label: judgement.label });
    const bytes = judgement.do === 'pass' ? asWritten(session, given) : rewritten(session, given, judgement.text);
    leg.send(bytes, expectation);
  };
  const turn = turnOf(session, analysis, judgement);
  if (turn instanceof Promise) return turn.then(go);
  go(turn);
  return undefined;
}

function rewritten({ wire }: Session, { packet, textAt }: Given, text: string): Buffer {
  const { payload, sequence } = packet;
  const head = wire.serverHasAttributes ? textAt : 1;
  const size = head + text.length;
  if (size >= longestPayload)
    return frame(Buffer.concat([payload.subarray(0, head), Buffer.from(text, 'latin1')]), sequence);
  const bytes = Buffer.allocUnsafe(4 + size);
  bytes.writeInt32LE(size | (sequence << 24), 0);
  for (let at = 0; at < head; at += 1) bytes[4 + at] = payload[at] as number;
  bytes.write(text, 4 + head, 'latin1');
  return bytes;
}

/** The packet itself; without attributes, for a server that does not know them. HOT */
function asWritten({ wire }: Session, { packet, textAt }: Given): Buffer {
  const { raw, payload, sequence } = packet;
  if (textAt === 1 || wire.serverHasAttributes) return raw;
  if (raw.length !== payload.length + 4)
    return frame(Buffer.concat([payload.subarray(0, 1), payload.subarray(textAt)]), sequence);
  // Header and command move up to the text, over the attributes.
  const start = textAt - 1;
  const length = payload.length - start;
  const command = payload[0] as number;
  raw.writeUIntLE(length, start, 3);
  raw[start + 3] = sequence;
  raw[start + 4] = command;
  return raw.subarray(start);
}
