// `lanekeeper database check`: are the shadows there, as the base tables are, and cut off from them?
import { parseArgs, styleText } from 'node:util';
import { type Connection, createConnection } from 'mysql2/promise';
import { type Finding, formatFinding, mendingStatements } from '../database/check/finding.ts';
import { inspectDatabase } from '../database/check/inspect.ts';
import { passwordOf } from '../database/password.ts';
import { createAssembler } from '../mesh/assemble.ts';
import { compileShadows } from '../shadow/compile.ts';
import type { ShadowMap } from '../shadow/map.ts';
import { readFiles } from '../sources/read.ts';
import { type Label, parseLabel } from '../traffic/label.ts';
import { print, printError, printProblems } from './output.ts';

export const summary = 'compares shadow tables on a server with the rules and with their base tables';

export const help = `Usage: lanekeeper database check --server HOST:PORT --user NAME --password-file FILE --config PATH …

Connects as this user and compares every table that the rules map with its shadow: is it there, has it the same columns
and keys, and does no trigger, view, foreign key, routine or event reach the base table behind the text of a statement?
Nothing is changed. Shadows on servers of their own are looked at there, as the user of their DatabaseEndpoint.

  --server HOST:PORT     of the base tables; [ADDRESS]:PORT for IPv6
  --user NAME            who may SELECT on the tables, and see views, triggers and routines
  --password-file FILE   its password; none without it
  --config PATH          rules, files or folders; may be repeated
  --label LABEL          shadows of this label only
  --namespace NAME       rules of this namespace only
  --create               print only the statements that mend what is found; they are not run
  --format text|json

Exit code: 0 all right (warnings too), 1 errors, no connection or mistakes in rules, 64 with wrong usage.`;

const flags = {
  server: { type: 'string' },
  user: { type: 'string' },
  'password-file': { type: 'string' },
  config: { type: 'string', multiple: true },
  label: { type: 'string' },
  namespace: { type: 'string' },
  create: { type: 'boolean', default: false },
  format: { type: 'string', default: 'text' },
} as const;

export async function run([command, ...args]: readonly string[]): Promise<number> {
  if (command !== 'check')
    return printError(
      `lanekeeper database: found ${command ?? 'nothing'}, expected check; see lanekeeper database --help`,
      64,
    );
  let given: Given;
  try {
    given = parse(args);
  } catch (error) {
    return printError(`lanekeeper database check: ${messageOf(error)}`, 64);
  }
  const map = await ruled(given);
  if (map === undefined) return 1;
  let connection: Connection | undefined;
  try {
    connection = await connect(given);
    return report(await inspectDatabase(connection, map), given);
  } catch (error) {
    const { host, port, user } = given;
    return printError(
      `lanekeeper database check: ${host}:${port}: found ${messageOf(error)}, expected a MySQL server that answers ${user}`,
      1,
    );
  } finally {
    connection?.destroy();
  }
}

type Given = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly passwordFile: string | undefined;
  readonly config: readonly string[];
  readonly label: Label | undefined;
  readonly namespace: string | undefined;
  readonly format: 'text' | 'json' | 'create';
};

function parse(args: readonly string[]): Given {
  const { values } = parseArgs({ args: [...args], options: flags });
  const { server = '', user, config, label: asked, namespace, create, format } = values;
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(server) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || !(Number(port) >= 1 && Number(port) <= 65_535))
    throw new Error(`--server: found ${JSON.stringify(server)}, expected HOST:PORT`);
  if (!user) throw new Error('--user: found nothing, expected the name of a user');
  if (config === undefined) throw new Error('--config: found nothing, expected files or folders of rules');
  const label = asked === undefined ? undefined : parseLabel(asked);
  if (asked !== undefined && label === undefined)
    throw new Error(`--label: found ${JSON.stringify(asked)}, expected a label`);
  if (format !== 'text' && format !== 'json')
    throw new Error(`--format: found ${JSON.stringify(format)}, expected text or json`);
  return {
    host,
    port: Number(port),
    user,
    passwordFile: values['password-file'],
    config: config.flatMap((paths) => paths.split(',')),
    label,
    namespace,
    format: create ? 'create' : format,
  };
}

async function ruled({ config, label, namespace }: Given): Promise<ShadowMap | undefined> {
  const { files, problems: unread } = await readFiles(config);
  const { mesh, problems } = createAssembler()(files);
  const mistakes = [...unread, ...problems];
  printProblems(mistakes, process.stderr);
  if (mistakes.some(({ severity }) => severity === 'error')) return undefined;
  const map = compileShadows(mesh.rules, namespace);
  if (label === undefined) return map;
  return { ...map, mappings: map.mappings.filter((each) => each.label === undefined || each.label === label) };
}

async function connect({ host, port, user, passwordFile }: Given): Promise<Connection> {
  return createConnection({ host, port, user, password: await passwordOf({ passwordFile }) });
}

function report(findings: readonly Finding[], { format }: Given): number {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  if (format === 'json') print(JSON.stringify({ ok: errors === 0, findings }, null, 2));
  else if (format === 'create') printStatements(findings);
  else {
    for (const finding of findings) {
      const colour = finding.severity === 'error' ? 'red' : 'yellow';
      print(styleText(colour, formatFinding(finding), { stream: process.stdout }));
    }
    print(`${errors} errors, ${findings.length - errors} warnings`);
  }
  return errors === 0 ? 0 : 1;
}

/** Of each server by itself. */
function printStatements(findings: readonly Finding[]): void {
  for (const server of new Set(findings.map((finding) => finding.server))) {
    const statements = mendingStatements(findings.filter((finding) => finding.server === server));
    if (statements.length === 0) continue;
    if (server !== undefined) print(`-- on ${server}`);
    for (const statement of statements) print(`${statement};`);
  }
}

function messageOf(error: unknown): string {
  // Of several addresses that refuse, the error itself says nothing.
  if (error instanceof AggregateError && !error.message) return error.errors.map(messageOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}
