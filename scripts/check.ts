// `npm run check`: everything that can be said about the code without running it. All checks run, also after a failure.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const checks = [
  { heading: 'lint and format', command: ['biome', 'check', '.'] },
  { heading: 'types', command: ['tsc', '--noEmit'] },
  {
    heading: 'repository: architecture, house rules, generated files, tables',
    command: ['vitest', 'run', 'test/repository'],
  },
] as const;

const failed: string[] = [];
for (const { heading, command } of checks) {
  const [program, ...args] = command;
  console.log(`\n== ${heading} (${command.join(' ')})`);
  const { status, error } = spawnSync(program, args, { cwd: checkout, stdio: 'inherit' });
  if (error !== undefined)
    console.log(`${program} could not be started: ${error.message}; start this with npm run check`);
  if (status !== 0) failed.push(heading);
}

console.log(failed.length === 0 ? `\n${checks.length} checks passed` : `\nFailed: ${failed.join('; ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
