// A MySQL for tests: MYSQLD, `mysqld` on the PATH, else the one of Debian's unstable release, unpacked into the cache.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { librariesOf, unpackDebian } from '../../../src/demo/mariadb/debian.ts';
import { cacheFolder } from '../../../src/supervisor/binary/machine.ts';

const cache = cacheFolder();
const folder = join(cache, 'mysql-debian');
const run = promisify(execFile);
const binary = 'usr/sbin/mysqld';
let found: Promise<readonly string[]> | undefined;

/** The words that start it. */
export function findMysql(): Promise<readonly string[]> {
  found ??= find();
  return found;
}

async function find(): Promise<readonly string[]> {
  const named = process.env['MYSQLD'];
  if (named) return [named];
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((place) => join(place, 'mysqld'));
  for (const each of [...onPath, '/usr/sbin/mysqld']) if (existsSync(each) && (await isMysql(each))) return [each];
  if (!existsSync(folder))
    await unpackDebian({ name: 'mysql-server-core', folder, holds: binary, release: 'sid' }).catch((error: Error) => {
      throw new Error(`found no MySQL, and could not unpack Debian's (${error.message}); name a mysqld by MYSQLD`);
    });
  // It is made for another C library than this machine's, and so comes with its own loader.
  const libraries = librariesOf(folder);
  const loader = libraries.map((each) => join(each, 'ld-linux-x86-64.so.2')).find(existsSync);
  if (loader === undefined) throw new Error(`${folder}: no loader of programs in it; remove the folder, and try again`);
  return [loader, '--library-path', libraries.join(':'), join(folder, binary)];
}

/** MariaDB has a `mysqld` as well. */
async function isMysql(file: string): Promise<boolean> {
  const said = await run(file, ['--version']).catch(() => undefined);
  return said !== undefined && !said.stdout.includes('MariaDB');
}
