// What can be seen of a text without reading it: whether it may carry a label, or change how later texts are read.

import { carrierVariables } from '../label/variables.ts';

/** First three letters of verbs that change nothing of a session. */
const plain = new Set(
  ['sel', 'ins', 'upd', 'del', 'rep', 'com', 'rol', 'sta', 'sho', 'des', 'exp', 'tru', 'alt', 'sav'].map((verb) =>
    codeOf(verb.charCodeAt(0), verb.charCodeAt(1), verb.charCodeAt(2)),
  ),
);

function codeOf(one: number, two: number, three: number): number {
  return (one << 16) | (two << 8) | three;
}

/**
 * True where a base workload's text must be read: a comment in it, or a second statement, or a verb other than those of
 * rows. Bytes of literals may deceive it; that costs time, and nothing else. HOT
 */
export function needsReading(payload: Buffer, textAt: number): boolean {
  let at = textAt;
  while ((payload[at] as number) <= 0x20) at += 1;
  if (at + 3 > payload.length) return true;
  // Lower case, without minding what else that makes of bytes that are no letters.
  const code = codeOf(
    (payload[at] as number) | 0x20,
    (payload[at + 1] as number) | 0x20,
    (payload[at + 2] as number) | 0x20,
  );
  return !plain.has(code) || hasMark(payload, at + 3);
}

const [semicolon, hash, dash, slash, star, at] = [0x3b, 0x23, 0x2d, 0x2f, 0x2a, 0x40];

/** What a variable's name begins with that is a carrier: its first letter, or a quote. Others change no label. */
const carriers = new Set(
  [...carrierVariables.flatMap((name) => [name, name.toUpperCase()]), '`', '"', "'"].map((name) => name.charCodeAt(0)),
);

/** HOT */
function hasMark(payload: Buffer, from: number): boolean {
  const size = payload.length;
  if (size - from > 2048)
    return (
      payload.indexOf(semicolon, from) >= 0 ||
      payload.indexOf(hash, from) >= 0 ||
      payload.indexOf('--', from, 'latin1') >= 0 ||
      payload.indexOf('/*', from, 'latin1') >= 0 ||
      hasVariable(payload, from)
    );
  let previous = 0;
  for (let index = from; index < size; index += 1) {
    const byte = payload[index] as number;
    if (byte <= at) {
      if (byte === semicolon || byte === hash) return true;
      if ((byte === dash && previous === dash) || (byte === star && previous === slash)) return true;
      if (byte === at && carriers.has(payload[index + 1] as number)) return true;
    }
    previous = byte;
  }
  return false;
}

function hasVariable(payload: Buffer, from: number): boolean {
  for (let index = payload.indexOf(at, from); index >= 0; index = payload.indexOf(at, index + 1))
    if (carriers.has(payload[index + 1] as number)) return true;
  return false;
}
