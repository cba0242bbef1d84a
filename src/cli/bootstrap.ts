// `lanekeeper bootstrap`: what a sidecar with these settings would give its Envoy.
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { renderBootstrap } from '../envoy/bootstrap.ts';
import { createRenderer } from '../envoy/render.ts';
import type { Resource } from '../envoy/resource.ts';
import { renderStandalone } from '../envoy/standalone.ts';
import { createAssembler } from '../mesh/assemble.ts';
import type { Problem } from '../problem.ts';
import { runPaths } from '../settings/run-paths.ts';
import { parseSettings, type Settings } from '../settings/settings.ts';
import { readFiles } from '../sources/read.ts';
import { print, printProblems } from './output.ts';
import { settingsHelp } from './settings-help.ts';

export const summary = 'prints the Envoy configuration of a sidecar';

export const help = `Usage: lanekeeper bootstrap [--format yaml|json] [the flags of lanekeeper sidecar]

Prints one file that Envoy can load: the bootstrap with its route tables inside. A sidecar keeps the tables in files
of their own. Exit code: 0, 1 with mistakes in rules or services, 64 with wrong settings.

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
  const { configuration, problems: mistakes } = await render(settings.value);
  printProblems(mistakes, process.stderr);
  print(format === 'json' ? JSON.stringify(configuration, null, 2) : toYaml(configuration));
  return mistakes.some(({ severity }) => severity === 'error') ? 1 : 0;
}

/** What a sidecar with these settings gives its Envoy, in one piece, and what is wrong with its rules and services. */
export async function render(settings: Settings): Promise<{ configuration: Resource; problems: readonly Problem[] }> {
  const { workload } = settings;
  const { files, problems: unread } = await readFiles(settings.config);
  const { mesh, problems } = createAssembler()(files);
  const paths = runPaths(settings);
  const bootstrap = renderBootstrap({ workload, paths, remembering: false });
  return {
    configuration: renderStandalone(bootstrap, createRenderer(workload, paths)(mesh)),
    problems: [...unread, ...problems],
  };
}

/** Envoy reads YAML 1.1, where a plain `yes` is a boolean: what it could mistake is quoted. */
export function toYaml(configuration: Resource): string {
  return stringify(configuration, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false }).trimEnd();
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
