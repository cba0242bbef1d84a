// Unix sockets: who is behind one, and whether a path may be ours.
import { rmSync } from 'node:fs';
import { connect } from 'node:net';

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
 * Makes the path free to listen on: what a dead process left behind is removed. Rejects where somebody listens there, or
 * the path is longer than the system allows.
 */
export async function claimSocket(path: string): Promise<void> {
  if (Buffer.byteLength(path) > maxPathBytes)
    throw new Error(`${path}: the path of a socket must not exceed ${maxPathBytes} bytes; choose a shorter --run-dir`);
  if (await answers(path))
    throw new Error(`${path}: another process is serving here; give each sidecar a --run-dir of its own`);
  rmSync(path, { force: true });
}
