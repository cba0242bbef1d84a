// A network namespace with mounts of its own, held open by a process of ours that ends with us.
import { type ChildProcess, spawn } from 'node:child_process';
import { environment, type Kind, unshareWords } from './support.ts';

export type Namespace = {
  readonly pid: number;
  /** The words that run a program inside; without a user, as the namespace's root. Paths must be absolute. */
  command(argv: readonly string[], uid?: number): string[];
  /** Runs a program inside, to its end; rejects with what it said where it fails. */
  run(argv: readonly string[], input?: string): Promise<string>;
  /** Ends every process inside; the kernel then forgets the namespace. */
  close(): Promise<void>;
};

export type NamespaceOptions = {
  readonly kind: Kind;
  /** The namespace whose users it shares; its first one makes them. */
  readonly beside?: Namespace;
  /** Files that are seen inside in place of the machine's. */
  readonly files?: Readonly<Record<string, string>>;
};

// Nothing has a name outside, so nothing can be left behind: when we end, however we do, the pipe closes, and what
// still runs in here is killed.
const holder = `
set -e
while [ $# -gt 0 ]; do mount --bind "$2" "$1"; shift 2; done
ip link set lo up
echo ready
cat > /dev/null || :
for process in /proc/[0-9]*; do
  [ $process/ns/net -ef /proc/$$/ns/net ] || continue
  [ \${process#/proc/} = $$ ] || kill -9 \${process#/proc/} 2> /dev/null || :
done`;

export async function openNamespace({ kind, beside, files = {} }: NamespaceOptions): Promise<Namespace> {
  const first = beside === undefined ? unshareWords(kind) : [...joined(kind, beside.pid, []), ...unshareWords('root')];
  const child = start([...first, '--', 'sh', '-c', holder, 'sh', ...Object.entries(files).flat()], true);
  await new Promise<void>((resolve, reject) => {
    let said = '';
    child.stderr?.on('data', (data) => {
      said += data;
    });
    child.stdout?.once('data', () => resolve());
    child.once('error', reject).once('exit', () => reject(new Error(`no network namespace: ${said.trim()}`)));
  });
  const pid = child.pid ?? 0;
  const inside = joined(kind, pid, ['--net', '--mount']);
  const command = (argv: readonly string[], uid?: number) => [...inside, '--', ...asUser(kind, uid), ...argv];
  return {
    pid,
    command,
    run: (argv, input = '') => toEnd(start(command(argv), false), argv, input),
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.stdin?.end();
      await ended;
    },
  };
}

function joined(kind: Kind, pid: number, words: readonly string[]): string[] {
  const user = kind === 'root' ? [] : ['--user', '--preserve-credentials'];
  const all = [...user, ...words];
  return all.length === 0 ? [] : ['nsenter', '--target', `${pid}`, ...all];
}

/** A user without any capability, as in a pod. Where there is a single user, it stays what it is. */
function asUser(kind: Kind, uid: number | undefined): string[] {
  if (uid === undefined || uid === 0 || kind === 'single user') return [];
  const powerless = ['--clear-groups', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all'];
  return ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, ...powerless];
}

function start([program = '', ...args]: readonly string[], detached: boolean): ChildProcess {
  return spawn(program, args, { env: environment(), stdio: 'pipe', detached });
}

function toEnd(child: ChildProcess, argv: readonly string[], input: string): Promise<string> {
  let [out, said] = ['', ''];
  child.stdout?.on('data', (data) => {
    out += data;
  });
  child.stderr?.on('data', (data) => {
    said += data;
  });
  child.stdin?.on('error', () => {}).end(input);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(out) : reject(new Error(`${argv.join(' ')} ended with ${code}: ${said.trim()}`)),
    );
  });
}
