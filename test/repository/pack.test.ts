import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const articleRules = join(checkout, 'src', 'demo', 'rules');
let folder: string;

/** Packed from a copy, so that no other test sees dist/ come and go. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanekeeper-pack-'));
  const copy = join(folder, 'copy');
  const ignored = ['.git', '.cache', 'node_modules', 'dist', 'test'];
  cpSync(checkout, copy, { recursive: true, filter: (path) => !ignored.includes(basename(path)) || path === checkout });
  symlinkSync(join(checkout, 'node_modules'), join(copy, 'node_modules'));
  npm(copy, 'pack', '--pack-destination', folder);
  const [tarball = 'nothing was packed'] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  const home = join(folder, 'home');
  mkdirSync(home);
  npm(home, 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', join(folder, tarball));
}, 180_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the packed tarball, installed elsewhere, runs', () => {
  expect(lanekeeper('--version')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

test('the packed tarball finds the rules of the article right', () => {
  expect(lanekeeper('check', articleRules)).toMatchObject({ status: 0, stderr: '' });
});

test('the packed tarball loads all of the sidecar: a wrong setting is the first thing that it says', () => {
  expect(lanekeeper('sidecar')).toMatchObject({ status: 64, stderr: expect.stringContaining('--config') });
});

test('the packed tarball holds what runs, its protos and licences, and nothing else', () => {
  const installed = join(folder, 'home', 'node_modules', 'lanekeeper');
  expect(readdirSync(installed).sort()).toEqual(['LICENSE', 'README.md', 'dist', 'package.json', 'proto']);
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
  expect(files).toContain(join('proto', 'LICENSE'));
  expect(files.filter((name) => name.endsWith('.ts'))).toEqual([]);
});

function lanekeeper(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(join(folder, 'home', 'node_modules', '.bin', 'lanekeeper'), args, {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

function npm(cwd: string, ...args: string[]): void {
  // npm tells its children its own flags in the environment; this is another project.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_(config_(local_prefix|prefix)|package_|lifecycle_)/.test(name),
    ),
  );
  execFileSync('npm', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
