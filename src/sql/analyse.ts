// Reads a text of SQL: its statements, and all that a lane must know of them.
import { type Analysis, changesOf, type SessionChange, type Statement } from './analysis.ts';
import { type Lexed, readStatement } from './lexer.ts';
import { type Mode, unreadable, withCharset, withSqlMode } from './mode.ts';
import { hasBody } from './statements/bodies.ts';
import { readStatementAt } from './statements/verbs.ts';
import { hinder, openReading } from './tables/reading.ts';
import type { Token } from './tokens/token.ts';

/** Never throws, whatever the bytes are. HOT */
export function analyse(text: string, mode: Mode): Analysis {
  return read(text, mode, inner);
}

/** A text in a literal can hold no other: the server prepares no PREPARE. */
function inner(text: string, mode: Mode): Analysis {
  return read(text, mode, (deeper) => ({ statements: [], comments: [], unread: deeper, mode }));
}

function read(text: string, given: Mode, within: (text: string, mode: Mode) => Analysis): Analysis {
  const statements: Statement[] = [];
  const comments: string[] = [];
  let mode: Mode | undefined = given;
  let at = 0;
  while (at < text.length) {
    const unknown = mode === undefined ? 'what is behind a change of sql_mode or charset' : unreadable(mode);
    if (mode === undefined || unknown !== undefined) {
      const unread = `${unknown}, from byte ${at} on`;
      // A label in a comment counts all the same.
      while (at < text.length) at = readStatement(text, at, given, comments).to;
      return { statements, comments, unread, mode: given };
    }
    const tokens: Token[] = [];
    let lexed: Lexed = readStatement(text, at, mode, comments, tokens);
    const isBody = hasBody(tokens);
    if (isBody)
      while (lexed.to < text.length && lexed.unread === undefined)
        lexed = readStatement(text, lexed.to, mode, comments, tokens);
    at = lexed.to;
    if (lexed.unread !== undefined) return { statements, comments, unread: lexed.unread, mode: given };
    if (tokens.length === 0 || tokens[0]?.word === ';') continue;
    const statement = statementOf({ text, mode, tokens, isBody }, within);
    statements.push(statement);
    for (const change of changesOf(statement)) mode = mode && changed(mode, change);
  }
  return { statements, comments, unread: undefined, mode: given };
}

/** How the next statement is read; undefined where nobody knows. */
function changed(mode: Mode, { what, value }: SessionChange): Mode | undefined {
  if (what === 'sqlMode') return value === undefined ? undefined : withSqlMode(mode, value);
  if (what === 'charset') return value === undefined ? undefined : withCharset(mode, value);
  return mode;
}

type Given = {
  readonly text: string;
  readonly mode: Mode;
  readonly tokens: readonly Token[];
  readonly isBody: boolean;
};

function statementOf({ text, mode, tokens, isBody }: Given, within: (text: string, mode: Mode) => Analysis): Statement {
  const reading = openReading(text, mode, tokens);
  const { verb, kind } = readStatementAt(reading, 0, (literal) => within(literal, mode));
  if (isBody) hinder(reading, 'routine', verb);
  for (const qualifier of reading.pending) reading.qualifiers.push(qualifier);
  const last = tokens[tokens.length - 1];
  return {
    verb,
    kind,
    mode,
    from: tokens[0]?.from ?? 0,
    to: (last?.word === ';' ? tokens[tokens.length - 2] : last)?.to ?? 0,
    tables: reading.tables,
    qualifiers: reading.qualifiers,
    changes: reading.changes,
    settings: reading.settings,
    ctes: reading.ctes,
    labels: reading.labels,
    obstacle: reading.obstacle,
    found: reading.found,
    dynamic: reading.dynamic,
    prepared: reading.prepared,
  };
}
