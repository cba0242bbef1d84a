// Where in what a server says a connection breaks, what its client is told then, and how often that server was told something.
import type { Piece } from './relay.ts';

export type Places = readonly (readonly [string, (pieces: readonly Piece[]) => number])[];

export const middle = (piece: Piece | undefined) => ((piece?.from ?? 0) + (piece?.to ?? 0)) >> 1;

export const lost = /closed|ECONNRESET|lost/i;

/** What a server has been told that holds this text, by its general log. */
export const toldSql = (text: string) =>
  `SELECT argument FROM mysql.general_log WHERE command_type IN ('Query', 'Execute') AND argument LIKE '%${text}%'
   AND argument NOT LIKE '%general_log%'`;
