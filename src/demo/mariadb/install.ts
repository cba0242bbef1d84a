// A MariaDB for tests and the demo: one that is here, else Debian's packages, unpacked into the cache without installing anything.
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** A server, and the folder with its system tables and messages. */
export type Installed = {
  readonly mariadbd: string;
  readonly share: string;
  /** Where it finds libraries that this machine has not installed. */
  readonly libraries?: string;
};

const cache = resolve(process.env['LANEKEEPER_CACHE'] || fileURLToPath(new URL('../../../.cache', import.meta.url)));
const folder = join(cache, 'mariadb-debian');
const administrators = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec'];
const run = promisify(execFile);
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
  if (installed === undefined) return undefined;
  const folders = ['usr/lib', 'lib'].flatMap((name) => {
    const lib = join(root, name);
    return existsSync(lib)
      ? readdirSync(lib)
          .filter((each) => each.endsWith('-linux-gnu'))
          .map((each) => join(lib, each))
      : [];
  });
  return folders.length === 0 ? installed : { ...installed, libraries: folders.join(delimiter) };
}

/** Debian's own package, and those that it needs and this machine has not: 10 to 20 MB. No root. */
export async function fetchMariadb(): Promise<Installed> {
  const work = `${folder}.${process.pid}`;
  const [debs, root] = [join(work, 'debs'), join(work, 'root')];
  try {
    for (const each of [debs, root, join(work, 'lists', 'partial'), join(work, 'archives', 'partial')])
      mkdirSync(each, { recursive: true });
    await download([], debs).catch(async () => {
      // Images of containers have no lists of packages, and those of the machine may be root's to write.
      const own = ownState(work);
      await run('apt-get', [...own, 'update'], { maxBuffer: 1e8 });
      await download(own, debs);
    });
    for (const deb of readdirSync(debs)) await run('dpkg-deb', ['-x', join(debs, deb), root]);
    if (unpacked(root) === undefined) throw new Error('no mariadbd among what was unpacked');
    renameSync(root, folder);
  } catch (error) {
    if (!existsSync(folder)) throw new Error(ways(error));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const installed = unpacked(folder);
  if (installed === undefined) throw new Error(ways('nothing was unpacked'));
  return installed;
}

/** The package, and those that it needs and this machine has not. */
async function download(options: readonly string[], cwd: string): Promise<void> {
  const env = { ...process.env, LC_ALL: 'C' };
  const name = 'mariadb-server-core';
  const simulate = ['--simulate', '--no-install-recommends', 'install', name];
  const { stdout } = await run('apt-get', [...options, ...simulate], { env, maxBuffer: 1e8 });
  const needed = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, each = '']) => each);
  await run('apt-get', [...options, 'download', ...new Set([...needed, name])], { cwd, maxBuffer: 1e8 });
}

function ownState(work: string): string[] {
  const settings = { 'Dir::State::Lists': join(work, 'lists'), 'Dir::Cache::Archives': join(work, 'archives') };
  const caches = {
    'Dir::Cache::pkgcache': '',
    'Dir::Cache::srcpkgcache': '',
    'Debug::NoLocking': '1',
    'APT::Sandbox::User': '',
  };
  return Object.entries({ ...settings, ...caches }).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

function ways(error: unknown): string {
  const why = error instanceof Error ? error.message.trim() : String(error);
  return `found no MariaDB, and could not unpack Debian's (${why}); install mariadb-server-core, put mariadbd on the PATH, or name it by MARIADBD`;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
