// The npm package `nacos`, as applications have it: installed once into the cache, outside of our own dependencies.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../src/supervisor/binary/machine.ts';

const version = '2.6.3';
const cache = cacheFolder();

/** The folder with its package.json. */
export async function packageFolder(): Promise<string> {
  const folder = join(cache, `npm-nacos-${version}`);
  if (existsSync(folder)) return folder;
  const work = `${folder}.${process.pid}`;
  try {
    mkdirSync(work, { recursive: true });
    writeFileSync(join(work, 'package.json'), JSON.stringify({ private: true, dependencies: { nacos: version } }));
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    await promisify(execFile)('npm', ['install', ...quiet], { cwd: work });
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}
