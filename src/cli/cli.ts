// Which command is meant. One command a file.
import { readFileSync } from 'node:fs';
import * as bootstrap from './bootstrap.ts';
import * as check from './check.ts';
import * as database from './database.ts';
import * as demo from './demo.ts';
import * as explain from './explain.ts';
import { print, printError } from './output.ts';
import * as redirect from './redirect.ts';
import * as sidecar from './sidecar.ts';
import * as sql from './sql.ts';

export type Command = {
  readonly summary: string;
  readonly help: string;
  /** Exit code: 0 well, 1 failed, 64 wrong usage or settings (EX_USAGE). */
  readonly run: (args: readonly string[]) => Promise<number>;
};

const commands = new Map<string, Command>(
  Object.entries({ sidecar, redirect, check, explain, sql, database, bootstrap, demo }),
);

/** Runs a command line without the program's name; resolves to its exit code. */
export async function run([name, ...args]: readonly string[]): Promise<number> {
  if (name === '--version' || name === 'version') return print(version());
  if (name === undefined) return printError(usage(), 64);
  const isHelp = name === 'help' || name === '--help' || name === '-h';
  const [asked] = isHelp ? args : [name];
  if (asked === undefined) return print(usage());
  const command = commands.get(asked);
  if (command === undefined)
    return printError(`lanekeeper: unknown command ${JSON.stringify(asked)}\n\n${usage()}`, 64);
  return isHelp || args.includes('--help') || args.includes('-h') ? print(command.help) : command.run(args);
}

function usage(): string {
  const rows = [...commands].map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`);
  return [
    'Usage: lanekeeper COMMAND [flags]',
    '',
    ...rows,
    '',
    'lanekeeper COMMAND --help says more. lanekeeper --version',
  ].join('\n');
}

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}
