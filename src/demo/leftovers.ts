// A demo that was killed hard leaves its Envoys behind: the next one ends them.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { envoyAdmin } from '../supervisor/admin.ts';
import { answers } from '../supervisor/socket.ts';

const graceMs = 15_000;

/** The folder as ours alone, empty. Rejects where a demo that lives holds it. */
export async function claimFolder(folder: string, createFolder: () => void): Promise<{ release(): void }> {
  const lock = join(folder, 'demo.sock');
  if (await answers(lock)) throw new Error('a demo is running with this port already; choose another with --port');
  if (existsSync(folder)) await removeLeftovers(folder);
  createFolder();
  const server = createServer().listen(lock);
  server.unref();
  return {
    release() {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function removeLeftovers(folder: string): Promise<void> {
  const members = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const sockets = members.map(({ name }) => join(folder, name));
  const deadline = Date.now() + graceMs;
  // Sidecars end by themselves when the demo is gone, and an Envoy with its sidecar; an Envoy whose sidecar was killed
  // as well has to be told.
  for (const directory of sockets) {
    while ((await answers(join(directory, 'extproc.sock'))) && Date.now() < deadline) await sleep(50);
    const socket = join(directory, 'admin.sock');
    await envoyAdmin(socket)
      .post('/quitquitquit')
      .catch(() => '');
    while ((await answers(socket)) && Date.now() < deadline) await sleep(20);
  }
  // In pods they are of other users, whose sockets we may not try; they end with their pods.
  while (hasProcesses(folder) && Date.now() < deadline) await sleep(50);
  rmSync(folder, { recursive: true, force: true });
}

/** Where the system tells. */
function hasProcesses(folder: string): boolean {
  const isTheirs = (pid: string) => {
    try {
      const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return ['--run-dir', '--config-path'].some((flag) => text.includes(`${flag}\0${folder}/`));
    } catch {
      return false; // it has ended meanwhile
    }
  };
  return existsSync('/proc/self/cmdline') && readdirSync('/proc').some((name) => /^\d+$/.test(name) && isTheirs(name));
}
