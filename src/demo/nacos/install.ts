// A Nacos for tests and the demo: r-nacos (a binary; ready at once), else Nacos itself on Java, kept in the cache.
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder, isExecutable } from '../../supervisor/binary/machine.ts';

export type Installed =
  | { readonly kind: 'r-nacos'; readonly binary: string }
  | { readonly kind: 'nacos'; readonly classPath: string };

const rnacosVersion = '0.8.8';
const nacosVersion = '3.1.0'; // of pom.xml
const cache = cacheFolder();
const rnacosFolder = join(cache, `rnacos-${rnacosVersion}`);
const nacosFolder = join(cache, `nacos-${nacosVersion}`);
const run = promisify(execFile);

/** In this order: RNACOS, `rnacos` on the PATH, a built one, a fetched Nacos, one that can be fetched. */
export async function findNacos(kinds: readonly Installed['kind'][] = ['r-nacos', 'nacos']): Promise<Installed> {
  const places = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'rnacos'));
  const named = process.env['RNACOS'];
  const binary = [...(named ? [named] : []), ...places, join(rnacosFolder, 'bin', 'rnacos')].find(isExecutable);
  if (binary !== undefined && kinds.includes('r-nacos')) return { kind: 'r-nacos', binary: resolve(binary) };
  if (!kinds.includes('nacos')) throw new Error('no r-nacos: name one by RNACOS, or `node scripts/nacos.ts build`');
  return { kind: 'nacos', classPath: await fetchNacos() };
}

/** From Maven Central, once: what is there is a rebuild of Nacos by a third party, good for tests alone. */
export async function fetchNacos(): Promise<string> {
  if (!existsSync(nacosFolder)) {
    const work = `${nacosFolder}.${process.pid}`;
    try {
      mkdirSync(join(work, 'classes'), { recursive: true });
      for (const name of ['pom.xml', 'NacosStandalone.java'])
        cpSync(fileURLToPath(new URL(name, import.meta.url)), join(work, name));
      const copy = ['dependency:copy-dependencies', '-DoutputDirectory=lib', '-DincludeScope=runtime'];
      await run('mvn', ['-q', '-B', '-C', ...copy], { cwd: work });
      await run('javac', ['-d', 'classes', '-cp', 'lib/*', 'NacosStandalone.java'], { cwd: work });
      if (!existsSync(join(work, 'classes', 'NacosStandalone.class')))
        throw new Error('javac has made no class; expected that of a JDK of 17 or later');
      renameSync(work, nacosFolder);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  const lib = join(nacosFolder, 'lib');
  // Two of its libraries hold classes of one name, and only those of this one have what is called.
  const hessian = readdirSync(lib).find((name) => /^hessian-4/.test(name)) ?? '';
  return [join(nacosFolder, 'classes'), join(lib, hessian), join(lib, '*')].join(delimiter);
}

/** With cargo: about twenty minutes on two cores. */
export async function buildRnacos(): Promise<string> {
  const what = ['install', 'rnacos', '--version', rnacosVersion, '--locked', '--root', rnacosFolder];
  await run('cargo', what, { maxBuffer: 1e9 });
  return join(rnacosFolder, 'bin', 'rnacos');
}
