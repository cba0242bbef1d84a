// What a session has set on its server, as far as a lane must know: from what was sent, once the server has said yes.

import type { SessionChange } from '../../sql/analysis.ts';
import type { Mode } from '../../sql/mode.ts';
import { plainMode, serverOf, withCharset, withSqlMode } from '../../sql/mode.ts';
import { attempt, takeText } from '../packets/bytes.ts';
import type { Reply } from '../packets/replies.ts';
import { createSettings, type Settings } from '../upstream/settings.ts';

export type State = {
  database: string | undefined;
  /** How its texts are read; undefined until the server has been asked, and after a change that cannot be foreseen. */
  mode: Mode | undefined;
  sqlMode: string;
  charset: string;
  /** User variables that were set to literals. */
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

export const question = 'SELECT @@version, @@sql_mode, @@lower_case_table_names, @@character_set_client, DATABASE()';

/** What a server answers to `question`. False where it did not. */
export function learn(state: State, { error, rows: [row] }: Reply): boolean {
  if (error !== undefined || row === undefined) return false;
  const cursor = { bytes: row, at: 0 };
  const said = attempt(() => [takeText(cursor), takeText(cursor), takeText(cursor), takeText(cursor)]);
  if (said === undefined) return false;
  const [version = '', sqlMode = '', caseless, charset = ''] = said;
  const mode: Mode = { ...plainMode, server: serverOf(version), namesIgnoreCase: caseless !== '0' };
  state.mode = interned(withCharset(withSqlMode(mode, sqlMode), charset));
  state.sqlMode = sqlMode;
  state.charset = charset;
  state.database = attempt(() => takeText(cursor));
  return true;
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
    if (change.value === undefined) state.variables.delete(change.name);
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
