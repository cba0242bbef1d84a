// Debian's packages, unpacked into a folder without installing anything. No root.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const env = { ...process.env, LC_ALL: 'C' };
const maxBuffer = 1e8;

export type Unpack = {
  /** The package. Those that it needs come with it. */
  readonly name: string;
  /** Made at once, or not at all. */
  readonly folder: string;
  /** A file that must be among what was unpacked: `usr/sbin/mariadbd`. */
  readonly holds: string;
  /** Another release of Debian than this machine's: then all that the package needs comes with it, the C library too. */
  readonly release?: string;
};

/** Where the package of this machine's release has it all, what this machine has already is left out. */
export async function unpackDebian({ name, folder, holds, release }: Unpack): Promise<void> {
  const work = `${folder}.${process.pid}`;
  const [debs, root] = [join(work, 'debs'), join(work, 'root')];
  try {
    for (const each of [debs, root, join(work, 'lists', 'partial'), join(work, 'archives', 'partial')])
      mkdirSync(each, { recursive: true });
    const own = [...ownState(work), ...(release === undefined ? [] : await ofRelease(release, work))];
    const afresh = async () => {
      await run('apt-get', [...own, 'update'], { maxBuffer });
      await download(name, own, debs);
    };
    // Images of containers have no lists of packages, and those of the machine may be root's to write.
    await (release === undefined ? download(name, [], debs).catch(afresh) : afresh());
    for (const deb of readdirSync(debs)) await run('dpkg-deb', ['-x', join(debs, deb), root]);
    if (!existsSync(join(root, holds))) throw new Error(`no ${holds} among what was unpacked`);
    renameSync(root, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Folders of libraries in what was unpacked. */
export function librariesOf(folder: string): readonly string[] {
  return ['usr/lib', 'lib'].flatMap((name) => {
    const lib = join(folder, name);
    if (!existsSync(lib)) return [];
    const ofMachines = readdirSync(lib).filter((each) => each.endsWith('-linux-gnu'));
    return ofMachines.map((each) => join(lib, each));
  });
}

/** The package, and those that it needs and this machine has not. */
async function download(name: string, options: readonly string[], cwd: string): Promise<void> {
  const simulate = ['--simulate', '--no-install-recommends', 'install', name];
  const { stdout } = await run('apt-get', [...options, ...simulate], { env, maxBuffer });
  const needed = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, each = '']) => each);
  await run('apt-get', [...options, 'download', ...new Set([...needed, name])], { cwd, maxBuffer });
}

function ownState(work: string): string[] {
  return options({
    'Dir::State::Lists': join(work, 'lists'),
    'Dir::Cache::Archives': join(work, 'archives'),
    'Dir::Cache::pkgcache': '',
    'Dir::Cache::srcpkgcache': '',
    'Debug::NoLocking': '1',
    'APT::Sandbox::User': '',
  });
}

/** That release alone, from where this machine has its own, and as if nothing were installed. */
async function ofRelease(release: string, work: string): Promise<string[]> {
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages']);
  const from = stdout.split('\n').find((each) => /\/debian\/?$/.test(each));
  if (from === undefined) throw new Error('apt names no source of Debian');
  const [list, status] = [join(work, 'sources.list'), join(work, 'status')];
  writeFileSync(list, `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${from} ${release} main\n`);
  writeFileSync(status, '');
  return options({
    'Dir::Etc::sourcelist': list,
    'Dir::Etc::sourceparts': '-',
    'Dir::Etc::preferencesparts': '-',
    'Dir::State::status': status,
    'Acquire::Check-Valid-Until': 'false', // a mirror may lag behind
  });
}

function options(given: Readonly<Record<string, string>>): string[] {
  return Object.entries(given).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}
