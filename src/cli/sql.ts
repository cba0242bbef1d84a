// `lanekeeper sql explain`: what becomes of one statement under a label, and why.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createAssembler } from '../mesh/assemble.ts';
import * as form from '../settings/forms.ts';
import { compileShadows } from '../shadow/compile.ts';
import { readFiles } from '../sources/read.ts';
import { analyse } from '../sql/analyse.ts';
import type { Analysis } from '../sql/analysis.ts';
import { type DivertOptions, divert, type Verdict } from '../sql/divert.ts';
import { type Mode, plainMode, withCharset, withSqlMode } from '../sql/mode.ts';
import { reasons } from '../sql/refusals.ts';
import type { Shadows } from '../sql/shadows.ts';
import { parseLabel } from '../traffic/label.ts';
import { print, printError, printProblems } from './output.ts';

export const summary = 'says what becomes of a statement under a label, and why';

export const help = `Usage: lanekeeper sql explain --map TABLE=SHADOW … [--database NAME] STATEMENT
       lanekeeper sql explain --config PATH … --label LABEL [--database NAME] STATEMENT

Says for a statement of SQL which tables it names and where, what each of them becomes, the text that the server gets, or
why the statement is refused and how that is mended. STATEMENT may be several, parted by ";", or - for standard input.

  --map TABLE=SHADOW     app.orders=app.orders_gray; may be repeated
  --config PATH          rules, files or folders, instead; may be repeated
  --label LABEL          whose shadows these are, with --config
  --database NAME        the default database, as after USE
  --definitions MODE     what CREATE, ALTER, DROP do: refuse (default) or shadow
  --sql-mode MODES       ANSI_QUOTES, NO_BACKSLASH_ESCAPES and the like, as the session has it
  --charset NAME         character_set_client of the session (default: utf8mb4)
  --server VERSION       mariadb-10.11 (default), mysql-8.0, … whose comments and grammar count
  --ignore-case          names of tables compare without case (lower_case_table_names is not 0)
  --format text|json

Exit code: 0 where it is rewritten or passes, 1 where it is refused, or with mistakes in rules, 64 with wrong usage.`;

const flags = {
  map: { type: 'string', multiple: true },
  config: { type: 'string', multiple: true },
  label: { type: 'string' },
  database: { type: 'string' },
  definitions: { type: 'string', default: 'refuse' },
  'sql-mode': { type: 'string', default: '' },
  charset: { type: 'string', default: 'utf8mb4' },
  server: { type: 'string', default: 'mariadb-10.11' },
  'ignore-case': { type: 'boolean', default: false },
  format: { type: 'string', default: 'text' },
} as const;

export async function run([command, ...args]: readonly string[]): Promise<number> {
  if (command !== 'explain')
    return printError(`lanekeeper sql: found ${command ?? 'nothing'}, expected explain; see lanekeeper sql --help`, 64);
  let given: Given;
  try {
    given = parse(args);
  } catch (error) {
    return printError(`lanekeeper sql explain: ${error instanceof Error ? error.message : error}`, 64);
  }
  const shadows = typeof given.shadows === 'function' ? await given.shadows() : given.shadows;
  if (shadows === undefined) return 1;
  const { text, mode, database, definitions } = given;
  const analysis = analyse(text, mode);
  const verdict = divert(text, analysis, { database, shadows, definitions });
  const told = tell(analysis, verdict, { database, shadows });
  print(given.format === 'json' ? JSON.stringify(told, null, 2) : describe(told));
  return verdict.do === 'refuse' ? 1 : 0;
}

type Given = {
  readonly text: string;
  readonly mode: Mode;
  readonly database: string | undefined;
  readonly definitions: DivertOptions['definitions'];
  readonly format: 'text' | 'json';
  /** undefined, and the mistakes are printed, where rules have some. */
  readonly shadows: Shadows | (() => Promise<Shadows | undefined>);
};

function parse(args: readonly string[]): Given {
  const { values, positionals } = parseArgs({ args: [...args], options: flags, allowPositionals: true });
  const [statement, ...more] = positionals;
  if (statement === undefined || more.length > 0)
    throw new Error(`found ${positionals.length} statements, expected one, in quotes, or - for standard input`);
  if ((values.map === undefined) === (values.config === undefined))
    throw new Error('expected either --map TABLE=SHADOW or --config PATH with --label LABEL');
  const label = values.label === undefined ? undefined : parseLabel(values.label);
  if (values.config !== undefined && label === undefined)
    throw new Error(`--label: found ${JSON.stringify(values.label ?? '')}, expected a label whose shadows count`);
  const sqlMode = withSqlMode({ ...plainMode, server: serverOf(values.server) }, values['sql-mode']);
  const mode = { ...withCharset(sqlMode, values.charset), namesIgnoreCase: values['ignore-case'] };
  const config = values.config?.flatMap((paths) => paths.split(','));
  return {
    text: toBytes(statement === '-' ? readFileSync(0, 'utf8') : statement),
    mode,
    database: values.database === undefined ? undefined : toBytes(values.database),
    definitions: chosen('--definitions', ['refuse', 'shadow'], values.definitions),
    format: chosen('--format', ['text', 'json'], values.format),
    shadows:
      config === undefined || label === undefined
        ? mapped(values.map ?? [])
        : () => ruled(config, (map) => (mode.namesIgnoreCase ? map.ignoringCase : map).of(label)),
  };
}

function chosen<const T extends string>(flag: string, allowed: readonly T[], given: string): T {
  const parsed = form.oneOf(allowed)(given);
  if ('value' in parsed) return parsed.value;
  throw new Error(`${flag}: found ${JSON.stringify(given)}, expected ${parsed.expected}`);
}

/** mysql-8.0.36 → 80036; of 8.0 alone the newest, whatever it is. */
function serverOf(given: string): Mode['server'] {
  const [, flavour, major, minor, patch = '99'] =
    /^(mariadb|mysql)-(\d{1,2})\.(\d{1,2})(?:\.(\d{1,2}))?$/.exec(given) ?? [];
  if (flavour === undefined)
    throw new Error(`--server: found ${JSON.stringify(given)}, expected mariadb-10.11, mysql-8.0.36 or the like`);
  const version = Number(major) * 10_000 + Number(minor) * 100 + Number(patch);
  return { flavour: flavour === 'mysql' ? 'mysql' : 'mariadb', version };
}

function mapped(pairs: readonly string[]): Shadows {
  const shadows = new Map<string, { readonly database: string; readonly table: string }>();
  const values = new Set<string>();
  for (const pair of pairs) {
    const [, database, table, shadowDatabase, shadowTable] = /^([^.=]+)\.([^.=]+)=([^.=]+)\.([^.=]+)$/.exec(pair) ?? [];
    if (database === undefined || table === undefined || shadowDatabase === undefined || shadowTable === undefined)
      throw new Error(`--map: found ${JSON.stringify(pair)}, expected DATABASE.TABLE=DATABASE.TABLE`);
    shadows.set(toBytes(`${database}.${table}`), { database: toBytes(shadowDatabase), table: toBytes(shadowTable) });
    values.add(toBytes(`${shadowDatabase}.${shadowTable}`));
  }
  return {
    shadowOf: ({ database, table }) => shadows.get(`${database}.${table}`),
    isShadow: ({ database, table }) => values.has(`${database}.${table}`),
  };
}

const noShadows: Shadows = { shadowOf: () => undefined, isShadow: () => false };

async function ruled(
  config: readonly string[],
  pick: (map: ReturnType<typeof compileShadows>) => Shadows | undefined,
): Promise<Shadows | undefined> {
  const { files, problems: unread } = await readFiles(config);
  const { mesh, problems } = createAssembler()(files);
  const mistakes = [...unread, ...problems];
  printProblems(mistakes, process.stderr);
  if (mistakes.some(({ severity }) => severity === 'error')) return undefined;
  return pick(compileShadows(mesh.rules)) ?? noShadows;
}

type Told = ReturnType<typeof tell>;

function tell(
  { statements, comments }: Analysis,
  verdict: Verdict,
  { database, shadows }: { readonly database: string | undefined; readonly shadows: Shadows },
) {
  let current = database;
  const all = statements.map(({ verb, kind, tables, changes }) => {
    const named = tables.map((table) => {
      const name = table.database ?? current;
      const shadow = name === undefined ? undefined : shadows.shadowOf({ database: name, table: table.table });
      return {
        database: name && fromBytes(name),
        table: fromBytes(table.table),
        byte: table.from,
        written: table.isWritten,
        shadow: shadow && fromBytes(`${shadow.database}.${shadow.table}`),
      };
    });
    for (const change of changes) if (change.what === 'database') current = change.value;
    return { verb, kind, tables: named };
  });
  const common = { statements: all, comments: comments.map(fromBytes) };
  if (verdict.do === 'pass') return { verdict: 'passes', ...common } as const;
  if (verdict.do === 'rewrite') return { verdict: 'rewritten', text: fromBytes(verdict.text), ...common } as const;
  const { reason, message } = verdict;
  return { verdict: 'refused', reason, message: fromBytes(message), mend: reasons[reason], ...common } as const;
}

function describe(told: Told): string {
  const rows: [string, string][] = told.statements.flatMap(({ verb, kind, tables }): [string, string][] => [
    ['statement', `${verb} (${kind})`],
    ...tables.map(({ database, table, byte, written, shadow }, index): [string, string] => [
      index === 0 ? 'tables' : '',
      `${database === undefined ? '' : `${database}.`}${table} at byte ${byte}, ${written ? 'written' : 'read'}: ${shadow ?? 'has no shadow'}`,
    ]),
  ]);
  rows.push(['verdict', told.verdict === 'refused' ? `refused, ${told.reason}: ${told.message}` : told.verdict]);
  if (told.verdict === 'refused') rows.push(['mend', told.mend]);
  if (told.verdict === 'rewritten') rows.push(['text', told.text]);
  return rows.map(([name, text]) => `${name.padEnd(12)}${text}`).join('\n');
}

function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function fromBytes(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}
