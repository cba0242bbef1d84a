// What this machine has: programs, and the folder for what is fetched.
import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Environment = Readonly<Record<string, string | undefined>>;

/** LANEKEEPER_CACHE, else `.cache` of a checkout, else the user's own. */
export function cacheFolder(env: Environment = process.env): string {
  if (env['LANEKEEPER_CACHE']) return resolve(env['LANEKEEPER_CACHE']);
  if (import.meta.url.endsWith('.ts')) return fileURLToPath(new URL('../../../.cache', import.meta.url));
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'lanekeeper');
}

/** A file that this user may run. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

type Run = { readonly env?: Environment; readonly timeoutMs?: number };

type Outcome = { readonly error?: Error & { code?: unknown }; readonly stdout: string; readonly stderr: string };

/** Resolves with what a program said, also where it failed or is not there. */
export function run(file: string, args: readonly string[], options: Run = {}): Promise<Outcome> {
  const { env = process.env, timeoutMs = 0 } = options;
  return new Promise((settle) => {
    execFile(file, args, { env: { ...env }, timeout: timeoutMs }, (error, stdout, stderr) =>
      settle(error ? { error, stdout, stderr } : { stdout, stderr }),
    );
  });
}
