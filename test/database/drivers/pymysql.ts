// PyMySQL, fetched once with pip into the cache, and a script that runs on it.
import { execFile } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from '../../../src/supervisor/binary/machine.ts';
import { isMysql } from '../server.ts';

const version = '1.1.2';
const cache = cacheFolder();
// What a MySQL wants of a password in clear is RSA, of another package.
const name = isMysql ? 'PyMySQL[rsa]' : 'PyMySQL';
const folder = join(cache, `python-${name.toLowerCase()}-${version}`);
// Not of the name of the module: Python would take it for that.
const script = fileURLToPath(new URL('scenarios.py', import.meta.url));
const run = promisify(execFile);

/** Rejects where python3 or pip is missing, or PyMySQL cannot be had. */
export async function fetchPymysql(): Promise<void> {
  if (existsSync(folder)) return;
  const work = `${folder}.${process.pid}`;
  try {
    const what = ['-q', '--disable-pip-version-check', '--target', work, `${name}==${version}`];
    await run('python3', ['-m', 'pip', 'install', ...what]);
    // Who was first has the same.
    if (!existsSync(folder)) renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What a scenario of the script answers, given how to connect. */
export async function runPymysql(scenario: string, connect: Readonly<Record<string, unknown>>): Promise<unknown> {
  const argv = [script, scenario, JSON.stringify(connect)];
  const { stdout } = await run('python3', argv, { env: { ...process.env, PYTHONPATH: folder }, maxBuffer: 1e8 });
  return JSON.parse(stdout);
}
