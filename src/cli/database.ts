// `lanekeeper database check`: has every table that rules speak of a shadow, and is it as its base is?
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { type Finding, inspectDatabase } from '../database/check/inspect.ts';
import { createAssembler } from '../mesh/assemble.ts';
import { compileShadows } from '../shadow/compile.ts';
import type { ShadowMap } from '../shadow/map.ts';
import { readFiles } from '../sources/read.ts';
import { print, printError, printProblems } from './output.ts';

export const summary = 'holds a database against the rules: missing shadows, drift, ways around them';

export const help = `Usage: lanekeeper database check --config PATH … --server HOST:PORT --user NAME [flags]

Compares every table that rules give a shadow with that shadow: is it there, has it the columns, keys and options of its
base. And looks for what reaches a base table behind the text of statements: views, triggers, foreign keys, routines.

  --config PATH          rules, files or folders; may be repeated
  --server HOST:PORT     the server of base
  --user NAME            who may read its information_schema
  --password-file FILE   file with that user's password
  --namespace NAME       rules of this namespace (default: of all)
  --label LABEL          shadows of this label alone
  --create               print the DDL that would mend it, and nothing else; nothing is ever run
  --format text|json

Exit code: 0 all right (warnings too), 1 something is wrong or cannot be asked, 64 wrong usage.`;

const flags = {
  config: { type: 'string', multiple: true },
  server: { type: 'string' },
  user: { type: 'string' },
  'password-file': { type: 'string' },
  namespace: { type: 'string' },
  label: { type: 'string' },
  create: { type: 'boolean', default: false },
  format: { type: 'string', default: 'text' },
} as const;

export async function run([command, ...args]: readonly string[]): Promise<number> {
  if (command !== 'check')
    return printError(
      `lanekeeper database: found ${command ?? 'nothing'}, expected check; see lanekeeper database --help`,
      64,
    );
  let given: ReturnType<typeof parse>;
  try {
    given = parse(args);
  } catch (error) {
    return printError(`lanekeeper database check: ${error instanceof Error ? error.message : error}`, 64);
  }
  const { values, host, port } = given;
  const { files, problems: unread } = await readFiles(values.config ?? []);
  const { mesh, problems } = createAssembler()(files);
  const errors = [...unread, ...problems].filter(({ severity }) => severity === 'error');
  if (errors.length > 0) {
    printProblems(errors, process.stderr);
    return 1;
  }
  const map = ofLabel(compileShadows(mesh.rules, values.namespace), values.label);
  if (map.mappings.length === 0)
    return printError('lanekeeper database check: found no rule about a database in --config', 1);
  try {
    const password = values['password-file'] === undefined ? '' : readFileSync(values['password-file'], 'utf8').trim();
    const connection = await createConnection({ host, port, user: values.user ?? '', password });
    try {
      return report(await inspectDatabase(connection, map), { ...values, tables: map.mappings.length });
    } finally {
      await connection.end();
    }
  } catch (error) {
    return printError(
      `lanekeeper database check: ${host}:${port}: ${error instanceof Error ? error.message : error}`,
      1,
    );
  }
}

function ofLabel(map: ShadowMap, label: string | undefined): ShadowMap {
  if (label === undefined) return map;
  return { ...map, mappings: map.mappings.filter((mapping) => mapping.label === undefined || mapping.label === label) };
}

function report(
  findings: readonly Finding[],
  { create, format, tables }: { readonly create: boolean; readonly format: string; readonly tables: number },
): number {
  const ddl = [...new Set(findings.flatMap((finding) => finding.ddl))];
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  if (create) {
    if (ddl.length > 0) print(ddl.map((statement) => `${statement};`).join('\n'));
  } else if (format === 'json') print(JSON.stringify({ ok: errors === 0, findings }, null, 2));
  else {
    for (const { severity, kind, subject, message } of findings) print(`${severity}: ${kind}: ${subject}: ${message}`);
    const rest = findings.length - errors;
    print(
      `${tables} ${tables === 1 ? 'rule' : 'rules'}: ${errors} wrong, ${rest} ${rest === 1 ? 'warning' : 'warnings'}${ddl.length > 0 ? '; --create prints what would mend it' : ''}`,
    );
  }
  return errors === 0 ? 0 : 1;
}

function parse(args: readonly string[]) {
  const { values } = parseArgs({ args: [...args], options: flags });
  const mistakes: string[] = [];
  const [, host = '', port = '3306'] = /^(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(values.server ?? '') ?? [];
  if (values.config === undefined) mistakes.push('--config: found nothing, expected a file or folder with rules');
  if (host === '') mistakes.push(`--server: found ${JSON.stringify(values.server ?? '')}, expected HOST:PORT`);
  if (values.user === undefined) mistakes.push('--user: found nothing, expected the name of a user');
  if (values.format !== 'text' && values.format !== 'json')
    mistakes.push(`--format: found ${JSON.stringify(values.format)}, expected text or json`);
  if (mistakes.length > 0) throw new Error(mistakes.join('\n  '));
  return { values, host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}
