// A pair of parentheses that is open while a statement is read, and what may come next in it.
import type { TableReference } from '../analysis.ts';
import { folded } from '../tokens/token.ts';
import type { Draft, Reading } from './reading.ts';

export type State =
  /** A query begins: SELECT, VALUES, TABLE, WITH or a parenthesis. */
  | 'query'
  /** The select list: FROM opens factors. */
  | 'list'
  /** A table, a derived table or parentheses of joins. */
  | 'factor'
  /** Behind a factor, before its alias. */
  | 'alias'
  /** Behind the alias, ON conditions included: a comma or a JOIN opens the next factor. */
  | 'joined'
  /** After SET in an UPDATE. */
  | 'assignments'
  /** WHERE and all behind it: tables are named in parentheses only. */
  | 'tail'
  /** Parentheses of an expression, or of nothing that matters. */
  | 'expression'
  /** The name of a CTE, its body, and what is behind it. */
  | 'cte'
  | 'cte-body'
  | 'behind-cte';

export type Frame = {
  state: State;
  /** Nothing of it was read: it may still turn out to be a query. In assignments: the next is assigned to. */
  isFresh: boolean;
  /** The factor that may still get an alias. */
  factor: Draft<TableReference> | undefined;
  /** This block has a table that qualifiers with the target's name mean. */
  hidesTarget: boolean;
  /** How many qualifiers of the target were pending when this block began. */
  pending: number;
  /** CTEs that end with it. */
  ctes: string[] | undefined;
  /** The CTE whose body is being read. */
  cte: string | undefined;
  isRecursive: boolean;
  /** Its factors are those of the statement itself, not of a query in it: what UPDATE and DELETE may change. */
  isOuter: boolean;
  /** Parentheses of joins: what is in them belongs to the block around. */
  isJoin: boolean;
  /** The first token of the select item that is being read, and how many tables were noted before it. */
  item: number;
  tables: number;
};

export function openFrame(state: State, pending: number): Frame {
  return {
    state,
    isFresh: true,
    factor: undefined,
    hidesTarget: false,
    pending,
    ctes: undefined,
    cte: undefined,
    isRecursive: false,
    isOuter: false,
    isJoin: false,
    item: 0,
    tables: 0,
  };
}

/** What parentheses hold that open now, and what then comes behind them. */
export function openInside(frame: Frame, { pending }: Reading): Frame {
  frame.isFresh = false;
  const inner = openFrame('expression', pending.length);
  switch (frame.state) {
    case 'factor':
      frame.state = 'alias';
      frame.factor = undefined;
      inner.state = 'factor';
      inner.isOuter = frame.isOuter;
      inner.isJoin = true;
      return inner;
    case 'query':
    case 'behind-cte':
      frame.state = 'tail';
      inner.state = 'query';
      return inner;
    case 'cte-body':
      inner.state = 'query';
      return inner;
    default:
      return inner;
  }
}

/** A SELECT of a frame ends: its own tables take the qualifiers that mean them. */
export function closeBlock(frame: Frame, { pending, qualifiers }: Reading): void {
  frame.factor = undefined;
  if (frame.hidesTarget && pending.length > frame.pending) {
    for (const qualifier of pending.splice(frame.pending))
      if (qualifier.database !== undefined) qualifiers.push({ ...qualifier, of: 'any' });
  }
  frame.hidesTarget = false;
  frame.pending = pending.length;
}

/** What a factor is called in its block. */
export function expose(frame: Frame, { target, mode }: Reading, name: string): void {
  if (target !== undefined && folded(name, mode) === target) frame.hidesTarget = true;
}
