// Text for a person: to standard output, or with an exit code to standard error. Colours only on a terminal.
import { styleText } from 'node:util';
import { formatProblem, type Problem } from '../problem.ts';

// `lanekeeper bootstrap | head`: who has read enough is no failure.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

export function print(text: string): 0 {
  process.stdout.write(`${text}\n`);
  return 0;
}

export function printError(text: string, exitCode: number): number {
  process.stderr.write(`${text}\n`);
  return exitCode;
}

/** Every problem on a line of its own; mistakes red and warnings yellow where a person looks. */
export function printProblems(problems: readonly Problem[], stream: NodeJS.WriteStream): void {
  for (const problem of problems) {
    const colour = problem.severity === 'error' ? 'red' : 'yellow';
    stream.write(`${styleText(colour, formatProblem(problem), { stream })}\n`);
  }
}
