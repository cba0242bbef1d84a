// What a reader of one kind of statement says about it, besides what it notes.
import type { Kind } from '../analysis.ts';
import type { Reading } from '../tables/reading.ts';

export type Read = { readonly verb: string; readonly kind: Kind };

/** Reads from the verb at this place to the end of the statement. */
export type Reader = (reading: Reading, at: number) => Read;
