// `lanekeeper check PATH…`: are these rules and services right?
import { parseArgs } from 'node:util';
import { gateNotes } from '../envoy/routes/gate.ts';
import { createAssembler } from '../mesh/assemble.ts';
import type { Mesh } from '../mesh/mesh.ts';
import { formatPlace, type Problem } from '../problem.ts';
import { reviewRules, reviewSelectors } from '../rules/written/review.ts';
import { readFiles } from '../sources/read.ts';
import { print, printError, printProblems } from './output.ts';

export const summary = 'checks rules and services, for a person or a pipeline';

export const help = `Usage: lanekeeper check [--format text|json|github] PATH…

Reads every *.yaml, *.yml and *.json of the folders, and the files, that are named, as a sidecar would,
and reports every mistake at once; as warnings also rules that can never match, or never be reached, and
selectors that meet none of the instances, where there are any; as notes what Envoy asks beyond what a rule
labels. github: workflow commands, which GitHub shows beside the lines.
Exit code: 0 all right (warnings too), 1 mistakes, 64 wrong usage.`;

const formats = ['text', 'json', 'github'] as const;
type Format = (typeof formats)[number];

export async function run(args: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return printError(`lanekeeper check: ${error instanceof Error ? error.message : error}`, 64);
  }
  const { values, positionals } = parsed;
  if (positionals.length === 0) return printError(help, 64);
  const format = formats.find((known) => known === values.format);
  if (format === undefined)
    return printError(
      `lanekeeper check: --format: found ${JSON.stringify(values.format)}, expected text, json or github`,
      64,
    );

  const { files, problems: unread } = await readFiles(positionals);
  const { mesh, problems: found } = createAssembler()(files);
  const problems = [...unread, ...found, ...review(mesh)];
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const { rules, services } = mesh;
  const read = [
    counted(files.length, 'file'),
    counted(rules.traffic.length + rules.workloads.length + rules.databases.length, 'rule'),
    counted(services.size, 'service'),
  ].join(', ');
  const summary = `${read}: ${counted(errors, 'mistake')}, ${counted(problems.length - errors, 'warning')}`;
  report(format, { problems, notes: notesOf(mesh), summary });
  return errors === 0 ? 0 : 1;
}

function review({ rules, services }: Mesh): Problem[] {
  const all = [...services.values()];
  if (all.length === 0) return reviewRules(rules);
  const workloads = all.flatMap(({ namespace, instances }) => instances.map(({ labels }) => ({ namespace, labels })));
  const edges = new Set(all.filter(({ ports }) => ports.some(({ edge }) => edge)).map(({ namespace }) => namespace));
  const hasGateway = all.some(({ paths }) => paths.length > 0);
  return [...reviewRules(rules), ...reviewSelectors(rules, { workloads, edges, hasGateway })];
}

type Note = Omit<Problem, 'severity' | 'path'>;

function notesOf({ rules }: Mesh): Note[] {
  return [...gateNotes(rules.traffic)].map(([{ name, place, onFailure }, more]) => {
    const also = onFailure === 'refuse' ? ', and refuses all that it asks while the processor is away' : '';
    return { ...place, message: `rule ${name} asks more than it labels${also}: ${more.join('; ')}` };
  });
}

type Findings = { readonly problems: readonly Problem[]; readonly notes: readonly Note[]; readonly summary: string };

function report(format: Format, { problems, notes, summary }: Findings): void {
  if (format === 'json') {
    print(JSON.stringify({ ok: problems.every(({ severity }) => severity !== 'error'), problems, notes }, null, 2));
    return;
  }
  if (format === 'text') {
    printProblems(problems, process.stdout);
    for (const note of notes) print(`${formatPlace(note)}: note: ${note.message}`);
  } else {
    for (const problem of problems) print(workflowCommand(problem.severity, problem));
    for (const note of notes) print(workflowCommand('notice', note));
  }
  print(summary);
}

/** https://docs.github.com/actions/reference/workflow-commands-for-github-actions */
function workflowCommand(
  command: 'error' | 'warning' | 'notice',
  { file, line, column, message, path }: Omit<Problem, 'severity'>,
): string {
  const properties = Object.entries({ file, line, col: column })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${escaped(String(value)).replaceAll(':', '%3A').replaceAll(',', '%2C')}`);
  const text = path ? `${path}: ${message}` : message;
  return `::${command}${properties.length > 0 ? ` ${properties.join(',')}` : ''}::${escaped(text)}`;
}

function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
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
