// Unix sockets: who is behind one, and whether a path may be ours.
import { readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, dirname, join } from 'node:path';

// sun_path, less the final zero; some systems cut a longer path silently.
const maxPathBytes = process.platform === 'darwin' ? 103 : 107;

/** True where a process accepts connections on the socket. */
export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('error', () => resolve(false));
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
  });
}

/**
 * A socket under a name of this process, which `publish` puts behind the path that Envoy knows, as a link: so the next
 * lanekeeper can take the path over while this one still answers, and the end of this one does not remove it.
 */
export type NamedSocket = {
  readonly path: string;
  publish(): void;
  /** Removes the link where it still is ours. */
  withdraw(): void;
};

/** Rejects where somebody answers at `path` already and is not to be replaced, or the path is longer than the system allows. */
export async function claimSocket(path: string, { replace }: { readonly replace: boolean }): Promise<NamedSocket> {
  const own = `${path}.${process.pid}`;
  if (Buffer.byteLength(own) > maxPathBytes)
    throw new Error(`${own}: the path of a socket must not exceed ${maxPathBytes} bytes; choose a shorter --run-dir`);
  if (!replace && (await answers(path)))
    throw new Error(
      `${path}: another process is serving here; give each sidecar a --run-dir of its own, or --take-over yes`,
    );
  await removeDead(path);
  return {
    path: own,
    publish() {
      rmSync(`${own}.link`, { force: true });
      symlinkSync(basename(own), `${own}.link`);
      renameSync(`${own}.link`, path);
    },
    withdraw() {
      if (targetOf(path) === basename(own)) rmSync(path, { force: true });
    },
  };
}

/** The sockets of processes that were killed. */
async function removeDead(path: string): Promise<void> {
  const folder = dirname(path);
  for (const name of readdirSync(folder).filter((each) => each.startsWith(`${basename(path)}.`))) {
    if (!(await answers(join(folder, name)))) rmSync(join(folder, name), { force: true });
  }
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}
