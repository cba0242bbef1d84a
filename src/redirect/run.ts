// Running one program of the kernel's tools, and what its failure means to the one who has to mend it.
import { spawnSync } from 'node:child_process';
import type { Step } from './redirect.ts';

/** What a person is told: what was run, what it said, how to mend it. */
export class RedirectError extends Error {}

/** The output of a program. Throws a RedirectError where it fails. */
export function run({ command, input = '' }: Step): string {
  const [program = '', ...args] = command;
  const { status, signal, error, stdout, stderr } = spawnSync(program, args, {
    input,
    encoding: 'utf8',
    env: environment(),
  });
  // A program that ends before it has read everything (EPIPE) has a status, and has said why.
  if (error !== undefined && status === null)
    throw new RedirectError(`${program} cannot be run: ${error.message}. ${remedy(program, error.message)}`);
  if (status === 0) return stdout;
  const said = stderr.trim() || stdout.trim() || (signal ? `ended by ${signal}` : `ended with code ${status}`);
  throw new RedirectError(`${command.join(' ')} said: ${said.replaceAll('\n', '\n  ')}\n  ${remedy(program, said)}`);
}

/** Messages are read, so they are to be in English; the tools of a user without /usr/sbin on the PATH are found too. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C', PATH: searchPath() };
}

export function searchPath(): string {
  return [process.env['PATH'], '/usr/sbin', '/sbin'].filter(Boolean).join(':');
}

function remedy(program: string, said: string): string {
  const legacy = program.includes('legacy');
  if (/ENOENT/.test(said)) return `Debian and Alpine: install the package ${packageOf(program)}.`;
  if (/lock/.test(said) && legacy) return 'Name a file that may be written: XTABLES_LOCKFILE=/tmp/xtables.lock.';
  if (/permitted|denied|must be root|unable to initialize/i.test(said))
    return legacy
      ? legacyNeeds
      : 'It needs the capability NET_ADMIN in this network namespace: in Kubernetes an init container that runs as user 0 with capabilities: { drop: [ALL], add: [NET_ADMIN] }.';
  if (
    /not supported|No such file or directory|does not exist|Couldn't load|missing kernel module|Invalid argument/i.test(
      said,
    )
  )
    return 'The kernel may lack what it needs (nat, redirect, owner): try another --backend; in a user namespace with a single user go by --mark.';
  return 'What would be fed to it is printed by --dry-run.';
}

export const legacyNeeds =
  'It needs the capabilities NET_ADMIN and NET_RAW in this network namespace, and user 0; nft needs only the first.';

function packageOf(program: string): string {
  if (program === 'nft') return 'nftables';
  return program === 'ip' ? 'iproute2' : 'iptables';
}
