// `lanekeeper check PATH…`: are these rules and services right?
import { parseArgs } from 'node:util';
import { createAssembler } from '../mesh/assemble.ts';
import { readFiles } from '../sources/read.ts';
import { print, printError, printProblems } from './output.ts';

export const summary = 'checks rules and services, for a person or a pipeline';

export const help = `Usage: lanekeeper check [--format text|json] PATH…

Reads every *.yaml, *.yml and *.json of the folders, and the files, that are named, as a sidecar would,
and reports every mistake at once. Exit code: 0 all right (warnings too), 1 mistakes, 64 wrong usage.`;

export async function run(args: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return printError(`lanekeeper check: ${error instanceof Error ? error.message : error}`, 64);
  }
  const { values, positionals } = parsed;
  if (positionals.length === 0) return printError(help, 64);
  if (values.format !== 'text' && values.format !== 'json')
    return printError(`lanekeeper check: --format: found ${JSON.stringify(values.format)}, expected text or json`, 64);

  const { files, problems: unread } = await readFiles(positionals);
  const { mesh, problems: found } = createAssembler()(files);
  const problems = [...unread, ...found];
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  if (values.format === 'json') print(JSON.stringify({ ok: errors === 0, problems }, null, 2));
  else {
    printProblems(problems, process.stdout);
    const { rules, services } = mesh;
    const read = [
      counted(files.length, 'file'),
      counted(rules.traffic.length + rules.workloads.length, 'rule'),
      counted(services.size, 'service'),
    ];
    print(`${read.join(', ')}: ${counted(errors, 'mistake')}, ${counted(problems.length - errors, 'warning')}`);
  }
  return errors === 0 ? 0 : 1;
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: { format: { type: 'string', default: 'text' } },
    allowPositionals: true,
  });
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
