// Why a labelled statement is refused: a closed list, and what to do about each.
import type { Obstacle } from './analysis.ts';

export type Reason = Obstacle | 'no-shadow' | 'no-database' | 'definition' | 'qualifier' | 'charset';

/** One sentence each: what is the matter, and how it is mended. */
export const reasons: Readonly<Record<Reason, string>> = {
  unread: 'The statement could not be read to its end as the server would; write it without what is named here.',
  'unknown-verb': 'Nothing is known of what such a statement changes; run it without a label.',
  call: 'What a procedure changes cannot be seen in the text; call it without a label, or send its statements themselves.',
  dynamic:
    'What it does is said in a variable, an expression or an earlier statement; send it as a statement, or prepare one literal.',
  server: 'It changes what everybody on the server has; run it without a label.',
  'server-file': 'It writes a file of the server, which has no shadow; select the rows and write them elsewhere.',
  routine:
    'What a body of several statements does, later and for everybody, cannot be seen; define it without a label.',
  'no-shadow': 'The table has no shadow for this label; give it one in the rules.',
  'no-database': 'The table is named without a database while none is chosen; qualify it, or choose one.',
  definition: 'A label may not define tables here; run it without a label, or let definitions go to the shadow.',
  qualifier: 'It cannot be told which of two tables a qualified column means once one is diverted; use an alias.',
  charset:
    'The name has letters of which the server makes others, by the charset of the client or as it ignores case; use utf8mb4 and lower case, or an ASCII name.',
};
