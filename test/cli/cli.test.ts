// The command line as a shell sees it: a process, its two outputs and its exit code.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { redirectTable } from '../../src/redirect/flags.ts';
import { settingTable, variableOf } from '../../src/settings/table.ts';
import { serviceText } from '../mesh/fixture.ts';
import { trafficRule } from '../rules/fixture.ts';

type Ended = { readonly code: number; readonly out: string; readonly err: string };

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const version = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
const condition = { condition: '==', type: 'header', key: 'location', value: 'cn-shenzhen' };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanekeeper-cli-'));
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  write('good.yaml', serviceText('b', { paths: ['/b'] }) + trafficRule('r', { match: [condition] }));
  write('warning.yaml', serviceText('b') + trafficRule('r', {}));
  write('bad.yaml', serviceText('b', { ports: [{ port: 0 }] }) + trafficRule('r', { match: [condition], priorty: 1 }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs in the folder of the test, with an environment that says nothing of colours or settings. */
function lanekeeper(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const options = { cwd: folder, env: { PATH: process.env['PATH'] ?? '', ...env } };
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], options, (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
    );
  });
}

const escapes = '\u001b[';
const badPort = 'bad.yaml:2:106: spec.ports[0].port: found 0, expected a port, 1 to 65535';
const badRule = expect.stringMatching(
  /^bad\.yaml:4:\d+: spec\.priorty: unknown field "priorty"; did you mean "priority"\?$/,
);

describe('lanekeeper', () => {
  test.each([['--version'], ['version']])('%s says the version of the package', async (flag) => {
    expect(await lanekeeper([flag])).toEqual({ code: 0, out: `${version}\n`, err: '' });
  });

  test.each([['--help'], ['-h'], ['help']])('%s names every command', async (flag) => {
    const { code, out, err } = await lanekeeper([flag]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^Usage: lanekeeper COMMAND \[flags\]\n/);
    for (const command of ['sidecar', 'redirect', 'check', 'bootstrap', 'demo'])
      expect(out).toMatch(new RegExp(`^ {2}${command} `, 'm'));
  });

  test('without a command is wrong usage, and says what there is', async () => {
    const { code, out, err } = await lanekeeper([]);
    expect([code, out]).toEqual([64, '']);
    expect(err).toMatch(/^Usage: lanekeeper COMMAND/);
  });

  test.each([[['cheque']], [['help', 'cheque']], [['--help', 'cheque']], [['constructor']]])(
    'with a command that there is not, as %j, is wrong usage',
    async (args) => {
      const { code, out, err } = await lanekeeper(args);
      expect([code, out]).toEqual([64, '']);
      expect(err).toMatch(/^lanekeeper: unknown command "\w+"\n\nUsage: lanekeeper COMMAND/);
    },
  );

  test.each(['sidecar', 'redirect', 'check', 'bootstrap', 'demo'])('%s has a help', async (command) => {
    const out = expect.stringMatching(new RegExp(`^Usage: lanekeeper ${command} `));
    expect(await lanekeeper([command, '--help'])).toEqual({ code: 0, out, err: '' });
  });

  test.each([[['check', '-h']], [['help', 'check']], [['--help', 'check']], [['check', 'bad.yaml', '--help']]])(
    'has the help of a command, asked for as %j',
    async (args) => {
      expect(await lanekeeper(args)).toEqual(await lanekeeper(['check', '--help']));
    },
  );

  test('sidecar --help lists every flag with its default, and how the variables are called', async () => {
    const { out } = await lanekeeper(['sidecar', '--help']);
    for (const [name, { fallback }] of Object.entries(settingTable)) {
      expect(out).toContain(`  --${name} `);
      if (fallback !== '') expect(out).toContain(`(default: ${fallback})`);
    }
    expect(out).toContain(variableOf('run-dir'));
  });
});

describe('lanekeeper check', () => {
  test('says what it read where all is right', async () => {
    expect(await lanekeeper(['check', 'good.yaml'])).toEqual({
      code: 0,
      out: '1 file, 1 rule, 1 service: 0 mistakes, 0 warnings\n',
      err: '',
    });
  });

  test('takes warnings for right, and says them', async () => {
    const { code, out } = await lanekeeper(['check', 'warning.yaml']);
    expect(code).toBe(0);
    expect(out.split('\n')).toEqual([
      expect.stringMatching(/^warning\.yaml:4:\d+: warning: spec\.match: found an empty list, expected a condition/),
      '1 file, 1 rule, 1 service: 0 mistakes, 1 warning',
      '',
    ]);
  });

  test('says every mistake at once, and ends with 1', async () => {
    const { code, out } = await lanekeeper(['check', 'bad.yaml']);
    expect(code).toBe(1);
    expect(out.split('\n')).toEqual([badPort, badRule, '1 file, 0 rules, 0 services: 2 mistakes, 0 warnings', '']);
  });

  test('reads a folder, and several paths', async () => {
    const { code, out } = await lanekeeper(['check', '.', 'nowhere']);
    expect(code).toBe(1);
    expect(out).toContain(
      'nowhere: cannot be read: there is no such file or folder; expected a YAML file or a folder of them\n',
    );
    expect(out).toContain('\n3 files, ');
  });

  test('--format json is for programs', async () => {
    const { code, out, err } = await lanekeeper(['check', '--format', 'json', 'bad.yaml']);
    expect([code, err]).toEqual([1, '']);
    expect(JSON.parse(out)).toEqual({
      ok: false,
      problems: [
        {
          severity: 'error',
          file: 'bad.yaml',
          line: 2,
          column: 106,
          path: 'spec.ports[0].port',
          message: 'found 0, expected a port, 1 to 65535',
        },
        expect.objectContaining({ file: 'bad.yaml', path: 'spec.priorty' }),
      ],
      notes: [],
    });
    expect(JSON.parse((await lanekeeper(['check', '--format=json', 'good.yaml'])).out)).toEqual({
      ok: true,
      problems: [],
      notes: [],
    });
  });

  test.each<[string, string[], string]>([
    ['without a path', [], 'Usage: lanekeeper check '],
    [
      'with an unknown format',
      ['--format', 'xml', 'good.yaml'],
      'lanekeeper check: --format: found "xml", expected text, json or github\n',
    ],
    ['with an unknown flag', ['--strict', 'good.yaml'], "lanekeeper check: Unknown option '--strict'"],
    [
      'with a flag that has no value',
      ['good.yaml', '--format'],
      "lanekeeper check: Option '--format <value>' argument missing",
    ],
  ])('%s is wrong usage', async (_, args, expected) => {
    const { code, out, err } = await lanekeeper(['check', ...args]);
    expect([code, out]).toEqual([64, '']);
    expect(err.startsWith(expected)).toBe(true);
  });
});

describe('lanekeeper bootstrap', () => {
  const flags = ['--gateway', '8080', '--name', 'test'];

  test('prints the same configuration as YAML and as JSON', async () => {
    const yaml = await lanekeeper(['bootstrap', '--config', 'good.yaml', ...flags]);
    const json = await lanekeeper(['bootstrap', '--config', 'good.yaml', '--format', 'json', ...flags]);
    expect([yaml.code, yaml.err, json.code, json.err]).toEqual([0, '', 0, '']);
    const configuration: unknown = JSON.parse(json.out);
    expect(parse(yaml.out, { version: '1.1' })).toEqual(configuration);
    expect(configuration).toMatchObject({ node: { id: 'test' } });
    expect(json.out).toContain('b|base');
  });

  test('takes its settings from the environment too', async () => {
    const env = { LANEKEEPER_CONFIG: 'good.yaml', LANEKEEPER_GATEWAY: '8080' };
    const named = await lanekeeper(['bootstrap', '--config=good.yaml', ...flags]);
    expect(await lanekeeper(['bootstrap', '--format=yaml', '--name', 'test'], env)).toEqual(named);
  });

  test('with mistakes in rules or services prints what is right, says them beside it, and ends with 1', async () => {
    const { code, out, err } = await lanekeeper(['bootstrap', '--config', 'bad.yaml', ...flags]);
    expect(code).toBe(1);
    expect(err.split('\n')).toEqual([badPort, badRule, '']);
    expect(parse(out)).toHaveProperty('static_resources');
  });

  test('with wrong settings prints all of them and no configuration, and ends with 64', async () => {
    const { code, out, err } = await lanekeeper(['bootstrap', '--format', 'xml', '--gateway', 'x', '--colour', 'blue']);
    expect([code, out]).toEqual([64, '']);
    expect(err.split('\n')).toEqual([
      '--colour: unknown flag; see lanekeeper sidecar --help',
      '--gateway: found "x", expected a port, or an IP address and a port such as 0.0.0.0:8080 or [::]:8080',
      '--config: found nothing, expected a file or folder with rules and services, or --nacos',
      '--format: found "xml", expected yaml or json',
      '',
    ]);
  });

  test('into a reader that has enough ends well', async () => {
    const instances = Array.from({ length: 3_000 }, (_, index) => ({ address: '10.0.0.1', port: index + 1 }));
    writeFileSync(join(folder, 'large.yaml'), serviceText('b', { instances, paths: ['/b'] }));
    const bootstrap = `"${process.execPath}" "${main}" bootstrap --config large.yaml --gateway 8080`;
    const command = `{ ${bootstrap}; echo "code $?" >&2; } 2> ended | head -c 1; cat ended; rm ended large.yaml`;
    expect(execFileSync('sh', ['-c', command], { cwd: folder }).toString()).toBe('ncode 0\n');
  });
});

test('lanekeeper sidecar with wrong settings starts nothing, says all of them and ends with 64', async () => {
  const { code, out, err } = await lanekeeper(['sidecar', '--drain', 'soon', '--admin', 'x']);
  expect([code, out]).toEqual([64, '']);
  expect(
    err
      .trimEnd()
      .split('\n')
      .map((line) => line.split(':')[0]),
  ).toEqual(['--admin', '--drain', '--inbound', '--config']);
});

describe('lanekeeper redirect', () => {
  const golden = readFileSync(new URL('../redirect/goldens/with-exclusions.nft', import.meta.url), 'utf8');
  const exclusions = [
    ...['--exclude-inbound', '9100,9200-9210', '--exclude-outbound', '443,9000-9010'],
    ...['--exclude-cidr', '192.0.2.0/24,fd00::/8'],
  ];

  test('--help lists every flag', async () => {
    const { out } = await lanekeeper(['redirect', '--help']);
    for (const name of Object.keys(redirectTable)) expect(out).toMatch(new RegExp(`^  --${name}( |$)`, 'm'));
  });

  test('--dry-run prints what would be fed to what, as a script and for programs; nobody needs leave for it', async () => {
    const flags = ['redirect', '--dry-run', '--backend', 'nft', ...exclusions];
    const [text, json] = [await lanekeeper(flags), await lanekeeper([...flags, '--format', 'json'])];
    expect([text.code, json.code]).toEqual([0, 0]);
    expect(text.out).toContain(`nft -f - <<'RULES'\n${golden}RULES\n`);
    expect((JSON.parse(json.out) as object[]).at(-1)).toEqual({ command: ['nft', '-f', '-'], input: golden });
  });

  test('with wrong flags says all that is wrong and does nothing', async () => {
    const { code, out, err } = await lanekeeper(['redirect', '--uid', 'x', '--backend', 'y', '--z']);
    expect([code, out]).toEqual([64, '']);
    expect(err.split('\n').map((line) => line.split(':')[0])).toEqual(['--z', '--uid', '--backend', '']);
  });
});

describe('colours', () => {
  test.each([
    ['check', ['check', 'bad.yaml', 'warning.yaml']],
    ['bootstrap', ['bootstrap', '--gateway', 'x']],
  ])('of %s are not for a pipe', async (_, args) => {
    const { out, err } = await lanekeeper(args);
    expect(out + err).not.toContain(escapes);
  });

  /** The output of a command on a terminal. */
  function onTerminal(env: Record<string, string>): string {
    const script = 'import pty, sys; pty.spawn(sys.argv[1:])';
    return execFileSync('python3', ['-c', script, process.execPath, main, 'check', 'bad.yaml', 'warning.yaml'], {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    }).toString();
  }

  test('are for a terminal: mistakes red, warnings yellow', () => {
    const out = onTerminal({});
    expect(out).toContain(`\u001b[31m${badPort}\u001b[39m`);
    expect(out).toContain('\u001b[33mwarning.yaml:4:');
  });

  test('are not for one where NO_COLOR is set', () => {
    const out = onTerminal({ NO_COLOR: '1' });
    expect(out).toContain(badPort);
    expect(out).not.toContain(escapes);
  });
});
