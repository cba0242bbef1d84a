// The jar of the Spring application: built once with mvn into the cache, outside of git.
import { execFile } from 'node:child_process';
import { cpSync, existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from '../../src/supervisor/binary/machine.ts';

const cache = cacheFolder();

/** Rejects where java 17 or mvn is missing, or what they need cannot be had. */
export async function buildApplication(): Promise<string> {
  const folder = join(cache, 'spring-application-1');
  const jar = join(folder, 'target', 'spring-application-1.jar');
  if (existsSync(jar)) return jar;
  const work = `${folder}.${process.pid}`;
  try {
    for (const part of ['pom.xml', 'src'])
      cpSync(fileURLToPath(new URL(part, import.meta.url)), join(work, part), { recursive: true });
    await promisify(execFile)('mvn', ['-q', '-B', 'package', '-DskipTests'], { cwd: work, maxBuffer: 1e8 });
    rmSync(folder, { recursive: true, force: true });
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return jar;
}
