// Starts `serve.ts`, and ends it with the test.
import { type ChildProcess, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Resources } from '../../src/xds/resources.ts';

export type ServerProcess = Awaited<ReturnType<typeof startServer>>;

export async function startServer(socket: string) {
  rmSync(socket, { force: true }); // a killed one leaves it
  const child = fork(fileURLToPath(new URL('serve.ts', import.meta.url)), [socket], { execArgv: [] });
  await said(child, 'ready');
  return {
    send: (resources: Resources) => child.send(asPatch(resources)),
    /** Resolves when Envoy has answered to all of it. */
    async update(resources: Resources): Promise<void> {
      child.send(asPatch(resources));
      await said(child, 'settled');
    },
    settled: () => said(child, 'settled'),
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    async kill(): Promise<void> {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function said(child: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const hear = (message: unknown): void => {
      if (message !== word) return;
      child.off('message', hear);
      resolve();
    };
    child.on('message', hear);
    child.once('exit', (code, signal) => reject(new Error(`the server ended: ${signal ?? code}`)));
  });
}

function asPatch(resources: Resources) {
  return Object.fromEntries(Object.entries(resources).map(([type, all]) => [type, Object.fromEntries(all)]));
}
