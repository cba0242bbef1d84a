// `lanekeeper bootstrap`: what a sidecar with these settings would give its Envoy.
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { renderBootstrap } from '../envoy/bootstrap.ts';
import { renderRoutes } from '../envoy/routes.ts';
import { createAssembler } from '../mesh/assemble.ts';
import { runPaths } from '../settings/run-paths.ts';
import { parseSettings } from '../settings/settings.ts';
import { readFiles } from '../sources/files.ts';
import { print, printProblems } from './output.ts';
import { settingsHelp } from './settings-help.ts';

export const summary = 'prints the Envoy configuration of a sidecar';

export const help = `Usage: lanekeeper bootstrap [--format yaml|json] [the flags of lanekeeper sidecar]

Prints the bootstrap and the route tables. Exit code: 0, 1 with mistakes in rules or services, 64 with wrong settings.

${settingsHelp()}`;

export async function run(args: readonly string[]): Promise<number> {
  const { format, rest } = formatOf(args);
  const settings = parseSettings(rest, process.env);
  const problems = settings.ok ? [] : [...settings.problems];
  if (format !== 'yaml' && format !== 'json')
    problems.push({
      severity: 'error',
      path: '--format',
      message: `found ${JSON.stringify(format)}, expected yaml or json`,
    });
  if (!settings.ok || problems.length > 0) {
    printProblems(problems, process.stderr);
    return 64;
  }
  const { files, problems: unread } = await readFiles(settings.value.config);
  const { mesh, problems: found } = createAssembler()(files);
  const mistakes = [...unread, ...found];
  printProblems(mistakes, process.stderr);
  const { workload } = settings.value;
  const bootstrap = renderBootstrap({ workload, mesh, paths: runPaths(settings.value), remembering: false });
  const output = { bootstrap, routes: Object.fromEntries(renderRoutes(workload, mesh)) };
  print(
    format === 'json'
      ? JSON.stringify(output, null, 2)
      : stringify(output, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd(),
  );
  return mistakes.some(({ severity }) => severity === 'error') ? 1 : 0;
}

function formatOf(args: readonly string[]): { format: string; rest: string[] } {
  const { tokens } = parseArgs({
    args: [...args],
    options: { format: { type: 'string' } },
    strict: false,
    tokens: true,
  });
  const token = tokens.find((candidate) => candidate.kind === 'option' && candidate.name === 'format');
  if (token?.kind !== 'option') return { format: 'yaml', rest: [...args] };
  const width = token.inlineValue ? 1 : 2;
  return {
    format: token.value ?? '',
    rest: args.filter((_, index) => index < token.index || index >= token.index + width),
  };
}
