// A MariaDB for tests and the demo: one that is here, else Debian's packages, unpacked into the cache without installing anything.
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { cacheFolder, isExecutable } from '../../supervisor/binary/machine.ts';
import { librariesOf, unpackDebian } from './debian.ts';

/** A server, and the folder with its system tables and messages. */
export type Installed = {
  readonly mariadbd: string;
  readonly share: string;
  /** Where it finds libraries that this machine has not installed. */
  readonly libraries?: string;
};

const cache = cacheFolder();
const folder = join(cache, 'mariadb-debian');
const administrators = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec'];
let found: Promise<Installed> | undefined;

/** In this order: MARIADBD, `mariadbd` on the PATH or where administrators have it, an unpacked one, Debian's packages. */
export function findMariadb(): Promise<Installed> {
  found ??= find();
  return found;
}

async function find(): Promise<Installed> {
  const named = process.env['MARIADBD'];
  if (named) {
    const installed = at(named);
    if (installed === undefined)
      throw new Error(`MARIADBD: found ${named}, expected a server with its share/mysql beside it`);
    return installed;
  }
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...administrators];
  for (const place of folders) {
    const installed = at(join(place, 'mariadbd'));
    if (installed !== undefined) return installed;
  }
  return unpacked(folder) ?? (await fetchMariadb());
}

/** The server of this file, where it is one and its folder of system tables is found. */
function at(file: string): Installed | undefined {
  if (!isExecutable(file)) return undefined;
  const prefix = dirname(dirname(realpathSync(file)));
  const share = ['mysql', 'mariadb'].map((name) => join(prefix, 'share', name));
  const tables = share.find((each) => existsSync(join(each, 'mysql_system_tables.sql')));
  return tables === undefined ? undefined : { mariadbd: file, share: tables };
}

function unpacked(root: string): Installed | undefined {
  const installed = at(join(root, 'usr', 'sbin', 'mariadbd'));
  const libraries = librariesOf(root);
  return installed === undefined || libraries.length === 0
    ? installed
    : { ...installed, libraries: libraries.join(delimiter) };
}

/** Debian's own package, and those that it needs and this machine has not: 10 to 20 MB. */
async function fetchMariadb(): Promise<Installed> {
  await unpackDebian({ name: 'mariadb-server-core', folder, holds: 'usr/sbin/mariadbd' }).catch((error) => {
    throw new Error(ways(error));
  });
  const installed = unpacked(folder);
  if (installed === undefined) throw new Error(ways('nothing was unpacked'));
  return installed;
}

function ways(error: unknown): string {
  const why = error instanceof Error ? error.message.trim() : String(error);
  return `found no MariaDB, and could not unpack Debian's (${why}); install mariadb-server-core, put mariadbd on the PATH, or name it by MARIADBD`;
}
