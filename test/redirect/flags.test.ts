import { describe, expect, test } from 'vitest';
import { formatProblem } from '../../src/problem.ts';
import { parseRedirect } from '../../src/redirect/flags.ts';

const own = [
  { first: 15000, last: 15000 },
  { first: 15020, last: 15021 },
  { first: 15090, last: 15090 },
];
const byUser = [
  { by: 'uid', value: 1337 },
  { by: 'gid', value: 1337 },
];

describe('the flags of lanekeeper redirect', () => {
  test('may all be left away', () => {
    expect(parseRedirect([])).toEqual({
      ok: true,
      value: {
        redirect: {
          inbound: { port: 15006, except: own },
          outbound: { port: 15001, except: [], exceptRanges: [] },
          exempt: byUser,
        },
        backend: 'auto',
        remove: false,
        dryRun: false,
        format: 'text',
      },
    });
  });

  test('may be repeated where they are lists', () => {
    expect(
      parseRedirect(['--exclude-inbound=80,90-99', '--exclude-inbound', '15001', '--exclude-cidr', '10.0.0.1']),
    ).toMatchObject({
      value: {
        redirect: {
          inbound: {
            except: [{ first: 80, last: 80 }, { first: 90, last: 99 }, { first: 15000, last: 15001 }, ...own.slice(1)],
          },
          outbound: { exceptRanges: [{ address: '10.0.0.1', prefix: 32 }] },
        },
      },
    });
  });

  test.each<[string[], object[]]>([
    [
      ['--uid', '0'],
      [
        { by: 'uid', value: 0 },
        { by: 'gid', value: 0 },
      ],
    ],
    [
      ['--uid', '5', '--gid', '6'],
      [
        { by: 'uid', value: 5 },
        { by: 'gid', value: 6 },
      ],
    ],
    [
      ['--gid', '6'],
      [
        { by: 'uid', value: 1337 },
        { by: 'gid', value: 6 },
      ],
    ],
    [['--mark', '0x539'], [{ by: 'mark', value: 1337 }]],
    [
      ['--mark', '7', '--uid', '5'],
      [
        { by: 'uid', value: 5 },
        { by: 'gid', value: 5 },
        { by: 'mark', value: 7 },
      ],
    ],
  ])('%j say whose connections go out untouched', (flags, exempt) => {
    expect(parseRedirect(flags)).toMatchObject({ value: { redirect: { exempt } } });
  });

  test.each([
    ['inbound', ['inbound', 'exempt']],
    ['outbound', ['outbound', 'exempt']],
  ])('--direction %s leaves the other one alone', (direction, keys) => {
    const parsed = parseRedirect(['--direction', direction]);
    expect(parsed.ok && Object.keys(parsed.value.redirect)).toEqual(keys);
  });

  test.each<[string[], string[]]>([
    [
      ['--inbound-port', '15001'],
      ['--inbound-port: found 15001, which is --outbound-port too; each direction has a port of its own'],
    ],
    [['--uid', 'envoy'], ['--uid: found "envoy", expected a numeric id, 0 to 4294967294']],
    [['--gid', '4294967295'], ['--gid: found "4294967295", expected a numeric id, 0 to 4294967294']],
    [['--mark', '0'], ['--mark: found "0", expected a mark above 0 such as 1337 or 0x539']],
    [['--mark', '0x1ffffffff'], ['--mark: found "0x1ffffffff", expected a mark above 0 such as 1337 or 0x539']],
    [['--outbound-port', '0'], ['--outbound-port: found "0", expected a port, 1 to 65535']],
    [
      ['--exclude-inbound', '80,90-80'],
      ['--exclude-inbound: found "80,90-80", expected ports such as 443 or 8000-8100, parted by commas, not "90-80"'],
    ],
    [
      ['--exclude-outbound', '1-2-3'],
      ['--exclude-outbound: found "1-2-3", expected ports such as 443 or 8000-8100, parted by commas, not "1-2-3"'],
    ],
    [
      ['--exclude-cidr', '10.0.0.0/33'],
      [
        '--exclude-cidr: found "10.0.0.0/33", expected IP ranges such as 10.0.0.0/8 or fd00::/8, parted by commas (found "10.0.0.0/33")',
      ],
    ],
    [
      ['--exclude-cidr', 'fe80::1%eth0'],
      ['--exclude-cidr: found "fe80::1%eth0", expected addresses without a zone, not "fe80::1%eth0"'],
    ],
    [
      ['--backend', 'ipt', '--format', 'json', '--remove=yes', '--colour', 'blue', 'now'],
      [
        '--remove: found "yes", expected no value',
        '--colour: unknown flag; see lanekeeper redirect --help',
        'unexpected "now"; a redirect takes flags only',
        '--backend: found "ipt", expected one of auto, nft, iptables-nft, iptables-legacy',
        '--format: found without --dry-run, whose form it is',
      ],
    ],
    [
      ['--direction', 'inbound', '--outbound-port', '1', '--exclude-cidr', '10.0.0.1'],
      [
        '--outbound-port: found beside --direction inbound, which leaves the other direction alone',
        '--exclude-cidr: found beside --direction inbound, which leaves the other direction alone',
      ],
    ],
    [['--gid', '5', '--uid'], ['--uid: found no value, expected UID']],
  ])('%j: every mistake is said, with its flag', (flags, expected) => {
    const parsed = parseRedirect(flags);
    expect(parsed.ok ? [] : parsed.problems.map(formatProblem)).toEqual(expected);
  });
});
