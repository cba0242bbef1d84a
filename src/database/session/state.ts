// What a session has set on its server, as far as a lane must know: from what was sent, once the server has said yes.

import type { SessionChange } from '../../sql/analysis.ts';
import type { Mode } from '../../sql/mode.ts';
import { plainMode, serverOf, withCharset, withSqlMode } from '../../sql/mode.ts';
import { labelHeader } from '../../traffic/label.ts';
import { carrierVariables, isOfCarrier, notKnown } from '../label/variables.ts';
import { attempt, takeText } from '../packets/bytes.ts';
import type { Reply } from '../packets/replies.ts';
import { createSettings, type Settings } from '../upstream/settings.ts';

export type State = {
  database: string | undefined;
  /** How its texts are read; undefined until the server has been asked, and after a change that cannot be foreseen. */
  mode: Mode | undefined;
  sqlMode: string;
  charset: string;
  /** User variables that are carriers, as far as they are set. */
  readonly variables: Map<string, string>;
  temporary: ReadonlySet<string>;
  /** Statements prepared by text, and for whom. */
  readonly texts: Map<string, string>;
  readonly settings: Settings;
  /** Replies to come that will change any of this. */
  unsettled: number;
};

export function createState(database: string | undefined): State {
  return {
    database,
    mode: undefined,
    sqlMode: '',
    charset: '',
    variables: new Map(),
    temporary: new Set(),
    texts: new Map(),
    settings: createSettings(),
    unsettled: 0,
  };
}

/** As after a login. */
export function forget(state: State, database: string | undefined): void {
  state.database = database;
  state.mode = undefined;
  state.variables.clear();
  state.temporary = new Set();
  state.texts.clear();
  state.settings.clear();
}

/** All of it as bytes, that the charset of results may not change, and whatever the session's limit of rows is. */
export const question = `SELECT ${[
  ...['@@version', '@@sql_mode', '@@lower_case_table_names', '@@character_set_client', 'DATABASE()'],
  ...carrierVariables.map((name) => `CONVERT(@\`${name}\` USING utf8mb4)`),
]
  .map((each) => `CAST(${each} AS BINARY)`)
  .join()} LIMIT 1`;

/** What a server answers to `question`. False where it did not. */
export function learn(state: State, { error, rows: [row] }: Reply): boolean {
  if (error !== undefined || row === undefined) return false;
  const said = attempt(() => valuesOf(row));
  if (said === undefined) return false;
  const [version = '', sqlMode = '', caseless, charset = '', database, ...carriers] = said;
  const mode: Mode = { ...plainMode, server: serverOf(version), namesIgnoreCase: caseless !== '0' };
  state.mode = interned(withCharset(withSqlMode(mode, sqlMode), charset));
  state.sqlMode = sqlMode;
  state.charset = charset;
  state.database = database;
  state.variables.clear();
  for (const [at, name] of carrierVariables.entries()) {
    const value = carriers[at];
    if (value !== undefined) state.variables.set(name, value);
  }
  return true;
}

/** undefined for a NULL. */
function valuesOf(row: Buffer): readonly (string | undefined)[] {
  const cursor = { bytes: row, at: 0 };
  return Array.from({ length: 5 + carrierVariables.length }, () => {
    if (row[cursor.at] !== 0xfb) return takeText(cursor);
    cursor.at += 1;
    return undefined;
  });
}

const modes = new Map<string, Mode>();

/** One object for modes that are the same, so that they are compared as fast as numbers. There are few. */
function interned(mode: Mode): Mode {
  const key = JSON.stringify(mode);
  const known = modes.get(key);
  if (known === undefined) modes.set(key, mode);
  return known ?? mode;
}

/** What a change makes of it that the server has agreed to. */
export function apply(state: State, change: SessionChange): void {
  if (change.what === 'database') state.database = change.value;
  else if (change.what === 'variable') {
    if (!isOfCarrier(change)) return;
    if (change.value === undefined) doubtCarriers(state);
    else if (change.value === null) state.variables.delete(change.name);
    else state.variables.set(change.name, change.value);
  } else if (change.value === undefined || state.mode === undefined) state.mode = undefined;
  else if (change.what === 'sqlMode') {
    state.mode = interned(withSqlMode(state.mode, change.value));
    state.sqlMode = change.value;
  } else {
    state.mode = interned(withCharset(state.mode, change.value));
    state.charset = change.value;
  }
}

/** After what was not read, or not counted: all is asked for that a server can say, and the rest is believed no more. */
export function doubt(state: State): void {
  doubtCarriers(state);
  state.temporary = new Set();
  state.texts.clear();
}

/** Until the server is asked what they are, any of them may be a label. */
function doubtCarriers(state: State): void {
  state.mode = undefined;
  state.variables.set(labelHeader, notKnown);
}
