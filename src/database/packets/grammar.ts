// Of which packets a reply is made, and which is its last.

import { cursorExists, eofStatus, moreResults, type Ok, readError, readOk, type ServerError } from './answers.ts';
import { attempt, takeLength } from './bytes.ts';
import { longestPayload } from './frames.ts';

/**
 * How a reply is built: of most commands, as that of a query. `one`: a single packet, whatever it is. `login`: whatever a
 * server says to somebody who shows who he is, until it lets him in or not.
 */
export type Shape = 'query' | 'prepare' | 'fetch' | 'fields' | 'one' | 'login';

/** What the next packet is. */
export type State = 'first' | 'definition' | 'definitionsEnd' | 'row' | 'file';

export type Ending = {
  readonly error: ServerError | undefined;
  /** The database that the server says is chosen now, where it says so. */
  readonly database: string | undefined;
  readonly status: number;
};

export type GrammarOptions = {
  readonly deprecatesEof: boolean;
  readonly hasTracking: boolean;
  /** One result of the reply has come as a whole. */
  result(): void;
  ended(ending: Ending): void;
  /** The server asks for a file. */
  fileAsked(): void;
};

export type Grammar = {
  readonly state: State;
  start(shape: Shape): void;
  /** Of definitions and of rows that `isRow` says are rows the payload does not matter. */
  packet(payload: Buffer, length: number): void;
  /** By its first byte: rows begin with no such bytes, but for those that are longer than what ends them. */
  isRow(mark: number, length: number): boolean;
};

export function createGrammar(options: GrammarOptions): Grammar {
  const { deprecatesEof, hasTracking } = options;
  let shape: Shape = 'one';
  /** Definitions to come: of columns, or of parameters first. */
  let definitions = 0;
  let columnsToCome = 0;
  let status = 0;
  let database: string | undefined;
  const grammar: { -readonly [key in keyof Grammar]: Grammar[key] } = { state: 'first', start, packet, isRow };
  return grammar;

  function start(next: Shape): void {
    shape = next;
    database = undefined;
    grammar.state = 'first';
  }

  function packet(payload: Buffer, length: number): void {
    const { state } = grammar;
    if (state === 'definition') defined();
    else if (state === 'definitionsEnd') behindDefinitions(eofStatus(payload));
    else if (state === 'row') row(payload, length);
    else first(payload, length);
  }

  function isRow(mark: number, length: number): boolean {
    return mark < 0xfe || (mark === 0xfe && length >= (deprecatesEof ? longestPayload : 9));
  }

  function first(payload: Buffer, length: number): void {
    const mark = payload[0] ?? 0;
    const isFinal = mark === 0 || mark === 0xfe;
    if (mark === 0xff) end(readError(payload));
    else if (shape === 'query') queryHead(payload, mark);
    else if (shape === 'prepare' && mark === 0 && payload.length >= 9) preparedHead(payload);
    else if (shape === 'fetch') {
      // Rows without a head.
      grammar.state = 'row';
      row(payload, length);
    } else if (shape === 'fields') {
      if (!isRow(mark, length)) result(finalOf(payload));
    } else if (shape === 'one' && !isFinal) end(undefined);
    else if (shape !== 'login' || mark === 0) result(finalOf(payload));
  }

  function queryHead(payload: Buffer, mark: number): void {
    if (mark === 0 || mark === 0xfe) result(finalOf(payload));
    else if (mark === 0xfb) {
      grammar.state = 'file';
      options.fileAsked();
    } else {
      definitions = mark < 0xfb ? mark : (attempt(() => takeLength({ bytes: payload, at: 0 })) ?? 0);
      if (definitions === 0) end(undefined);
      else grammar.state = 'definition';
    }
  }

  /** Parameters, where there are any, then columns, where there are any. */
  function preparedHead(payload: Buffer): void {
    const [columns, parameters] = [payload.readUInt16LE(5), payload.readUInt16LE(7)];
    columnsToCome = parameters > 0 ? columns : 0;
    definitions = parameters > 0 ? parameters : columns;
    if (definitions === 0) end(undefined);
    else grammar.state = 'definition';
  }

  function defined(): void {
    definitions -= 1;
    if (definitions > 0) return;
    if (deprecatesEof) behindDefinitions(0);
    else grammar.state = 'definitionsEnd';
  }

  function behindDefinitions(said: number): void {
    if (shape === 'prepare') {
      [definitions, columnsToCome] = [columnsToCome, 0];
      if (definitions === 0) end(undefined);
      else grammar.state = 'definition';
    } else if ((said & cursorExists) !== 0) result({ status: said, database: undefined });
    else grammar.state = 'row';
  }

  function row(payload: Buffer, length: number): void {
    const mark = payload[0] ?? 0;
    if (mark === 0xff) end(readError(payload));
    else if (!isRow(mark, length)) result(finalOf(payload));
  }

  /** What ends rows, or stands for all of them; both forms may begin with 0xFE. */
  function finalOf(payload: Buffer): Ok {
    const isEof = payload[0] === 0xfe && !deprecatesEof;
    return isEof ? { status: eofStatus(payload), database: undefined } : readOk(payload, hasTracking);
  }

  function result(ok: Ok): void {
    status = ok.status;
    database = ok.database ?? database;
    options.result();
    if ((status & moreResults) !== 0 && shape !== 'one' && shape !== 'login') grammar.state = 'first';
    else end(undefined);
  }

  function end(error: ServerError | undefined): void {
    grammar.state = 'first';
    options.ended({ error, database, status });
  }
}
