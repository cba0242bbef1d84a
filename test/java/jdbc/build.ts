// The drivers, fetched once with mvn into the cache, and the program that runs on them.
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from '../../../src/supervisor/binary/machine.ts';

const cache = cacheFolder();
const folder = join(cache, 'jdbc-1'); // Another number for other versions in pom.xml.
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const run = promisify(execFile);

export type Program = {
  /** What it prints, given its arguments. */
  run(args: readonly string[]): Promise<unknown>;
  remove(): void;
};

/** Rejects where java 17 or mvn is missing, or the drivers cannot be had. */
export async function buildProgram(): Promise<Program> {
  await fetchDrivers();
  const classes = mkdtempSync(join(tmpdir(), 'lanekeeper-jdbc-'));
  const drivers = join(folder, 'lib', '*');
  await run('javac', ['-encoding', 'UTF-8', '-d', classes, '-cp', drivers, here('Scenarios.java')]);
  return {
    async run(args) {
      const jvm = ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Duser.timezone=UTC'];
      const argv = [...jvm, '-cp', [classes, drivers].join(delimiter), 'Scenarios', ...args];
      const { stdout } = await run('java', argv, { maxBuffer: 1e8 });
      return JSON.parse(stdout);
    },
    remove: () => rmSync(classes, { recursive: true, force: true }),
  };
}

async function fetchDrivers(): Promise<void> {
  if (existsSync(folder)) return;
  const work = `${folder}.${process.pid}`;
  try {
    cpSync(here('pom.xml'), join(work, 'pom.xml'), { recursive: true });
    const copy = ['dependency:copy-dependencies', '-DoutputDirectory=lib', '-DincludeScope=runtime'];
    await run('mvn', ['-q', '-B', '-C', ...copy], { cwd: work, maxBuffer: 1e8 });
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
