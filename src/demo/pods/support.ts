// Whether this machine and this user can have pods: network namespaces, and rules that redirect in them.
import { spawnSync } from 'node:child_process';

/**
 * `root`: as root. `rootless`: anybody, with a range of users of their own (/etc/subuid). `single user`: anybody; every
 * process is one user, who can only be told apart by a mark.
 */
export type Kind = 'root' | 'rootless' | 'single user';

export const kinds: readonly Kind[] = ['root', 'rootless', 'single user'];

/** How a process gets a network and mounts of its own. */
export function unshareWords(kind: Kind): string[] {
  const user = {
    root: [],
    rootless: ['--user', '--map-root-user', '--map-auto'],
    'single user': ['--user', '--map-root-user'],
  };
  return ['unshare', ...user[kind], '--net', '--mount'];
}

const attempt = `ip link add left type veth peer name right && nft -f - <<'RULES'
table inet attempt {
  chain out {
    type nat hook output priority -100; policy accept;
    meta l4proto tcp redirect to :1
  }
}
RULES
`;
// Who is root of a namespace with a single user is no such root.
const others = 'setpriv --reuid=1000 --regid=1000 --clear-groups true';

/**
 * The best kind that works here (or the one that LANEKEEPER_PODS names), tried for real; else what stands in the way,
 * for the one who can change it.
 */
export function networkSupport(wanted = process.env['LANEKEEPER_PODS']): { kind: Kind } | { lacks: string } {
  if (process.platform !== 'linux') return { lacks: `Linux (this is ${process.platform})` };
  const needed = {
    ip: 'iproute2',
    nft: 'nftables',
    unshare: 'util-linux',
    nsenter: 'util-linux',
    setpriv: 'util-linux',
    setsid: 'util-linux',
  };
  const missing = Object.entries(needed).filter(([program]) => !run(['sh', '-c', `command -v ${program}`]).ok);
  if (missing.length > 0)
    return { lacks: missing.map(([program, name]) => `${program} (Debian and Alpine: package ${name})`).join(', ') };
  const failures: string[] = [];
  for (const kind of kinds.filter((each) => (wanted ? each === wanted : each !== 'root' || process.getuid?.() === 0))) {
    const { ok, said } = run([
      ...unshareWords(kind),
      '--',
      'sh',
      '-ec',
      kind === 'single user' ? attempt : attempt + others,
    ]);
    if (ok) return { kind };
    failures.push(`${kind}: ${said.trim().replaceAll('\n', ' ') || 'it fails'}`);
  }
  return {
    lacks: `leave to make network namespaces: run as root, or allow user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns, user.max_user_namespaces; /etc/subuid for rootless). ${failures.join('; ')}`,
  };
}

/** Administrators' programs are not on everybody's PATH. */
export function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: [process.env['PATH'], '/usr/sbin', '/sbin'].filter(Boolean).join(':'), LC_ALL: 'C' };
}

/** In a session of its own: where util-linux 2.38 may make no range of users it ends, but leaves a child that waits. */
function run(argv: readonly string[]): { ok: boolean; said: string } {
  const options = { encoding: 'utf8', env: environment(), timeout: 5_000, killSignal: 'SIGKILL' } as const;
  const { pid, status, stderr, error } = spawnSync('setsid', argv, options);
  const hangs = error !== undefined && 'code' in error && error.code === 'ETIMEDOUT';
  if (hangs) endSession(pid);
  return { ok: status === 0 && !hangs, said: [stderr?.trim(), error?.message].filter(Boolean).join(': ') };
}

function endSession(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}
