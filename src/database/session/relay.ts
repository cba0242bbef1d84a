// Bytes of a client that pass without being read as commands: of a login, of a file, of what is too long.

import { complaint } from '../packets/answers.ts';
import type { Input } from '../packets/frames.ts';
import type { Refusal } from '../statements/judge.ts';
import type { Leg } from '../upstream/leg.ts';
import type { Session } from './session.ts';

/** Where a long packet goes, or why nowhere. */
export type Streamed = Leg | Refusal;

/** Of a login: no proof of who somebody is takes as many. */
const maxDialogueBytes = 1 << 16;

/** True while there may be more to do. */
export function relayDialogue(input: Input, leg: Leg): boolean {
  const packet = input.next(maxDialogueBytes);
  if (packet === 'long') throw new Error(`found a packet of a login of more than ${maxDialogueBytes} bytes`);
  if (packet !== undefined) leg.send(packet.raw);
  return packet !== undefined;
}

export function relayAll(input: Input, leg: Leg): false {
  for (const bytes of input.all()) leg.send(bytes);
  return false;
}

/** Of one packet, as much as is here. */
export function relayPacket(session: Session, input: Input, to: Streamed): 'part' | 'end' | 'empty' {
  const { bytes, isEnd, isEmpty, sequence } = input.stream();
  if (!('do' in to)) for (const each of bytes) to.send(each);
  if (!isEnd) return 'part';
  if ('do' in to) {
    const message = `lanekeeper: ${to.reason}: ${to.message}`;
    session.options.count({ what: 'refusal', reason: to.reason });
    session.active.answer(complaint({ code: 1235, state: '42000', message, sequence: sequence + 1 }));
  }
  return isEmpty ? 'empty' : 'end';
}

export function complain(leg: Leg): true {
  const message = 'lanekeeper: malformed packet';
  leg.answer(complaint({ code: 1835, state: 'HY000', message, sequence: 1 }));
  return true;
}
