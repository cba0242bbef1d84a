import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { formatProblem } from '../../src/problem.ts';
import { parseSettings, type Settings } from '../../src/settings/settings.ts';
import { type SettingName, settingTable, variableOf } from '../../src/settings/table.ts';

type Environment = Readonly<Record<string, string>>;

const needed = { config: '/rules', inbound: '9101=8080' };

/** The settings of flags by name, beside those that every sidecar needs. */
function settings(flags: Partial<Record<SettingName, string>>, env: Environment = {}): Settings {
  const args = Object.entries({ ...needed, ...flags }).map(([name, value]) => `--${name}=${value}`);
  const parsed = parseSettings(args, env);
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  return parsed.value;
}

function mistakes(args: readonly string[], env: Environment = {}): string[] {
  const parsed = parseSettings(args, env);
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
}

/** Of one flag that is not as it should be. */
function mistake(name: string, value: string): string | undefined {
  return mistakes(['--config', '/rules', '--inbound', '9101=8080', `--${name}`, value])[0];
}

const local = '127.0.0.1';
const port = (number: number, address = local): object => ({ address, port: number });

test('what is not said has its default', () => {
  expect(settings({})).toEqual({
    workload: {
      name: hostname(),
      namespace: 'default',
      labels: {},
      propagation: 'trace',
      edgeTrace: 'strip',
      inbound: [{ listen: port(9101), application: port(8080), edge: false }],
      outbound: [],
    },
    config: ['/rules'],
    database: {
      servers: [],
      ports: [],
      unattributed: { writes: 'refuse', reads: 'base' },
      definitions: 'refuse',
      maxStatementBytes: 16_777_216,
      tls: undefined,
      check: 'warn',
      user: undefined,
      passwordFile: undefined,
    },
    runDirectory: '/run/lanekeeper',
    snapshot: '/run/lanekeeper/last-good.json',
    admin: port(15020),
    envoy: undefined,
    concurrency: 1,
    accessLog: undefined,
    envoyLogLevel: 'warning',
    logLevel: 'info',
    memory: { maxEntries: 100_000, maxBytes: 67_108_864, ttlMs: 60_000 },
    drainMs: 10_000,
    socketGroup: undefined,
    takeOver: false,
  });
});

/** Every setting: two texts, and what the settings are with the first. */
const everySetting: Readonly<Record<SettingName, [string, string, object]>> = {
  config: ['/a, b.yaml', '/c', { config: ['/a', 'b.yaml'] }],
  name: ['a-1', 'b-1', { workload: { name: 'a-1' } }],
  namespace: ['shop', 'other', { workload: { namespace: 'shop' } }],
  labels: ['app=a, version=v=2', 'app=b', { workload: { labels: { app: 'a', version: 'v=2' } } }],
  service: ['a', 'b', { workload: { service: 'a' } }],
  'trusted-hops': ['1', '2', { workload: { trustedHops: 1 } }],
  'take-over': ['yes', 'no', { takeOver: true }],
  'trusted-peers': [
    '10.0.0.0/8, fd00::1',
    '127.0.0.0/8',
    {
      workload: {
        trustedPeers: [
          { address: '10.0.0.0', prefix: 8 },
          { address: 'fd00::1', prefix: 128 },
        ],
      },
    },
  ],
  gateway: ['0.0.0.0:8080', '8081', { workload: { gateway: port(8080, '0.0.0.0') } }],
  inbound: [
    '[::]:9101=[::1]:8080/edge, 9102=81',
    '9103=8083',
    {
      workload: {
        inbound: [
          { listen: port(9101, '::'), application: port(8080, '::1'), edge: true },
          { listen: port(9102), application: port(81), edge: false },
        ],
      },
    },
  ],
  outbound: [
    '23101=b, 127.0.0.2:23101=c.other:9090',
    '23103=d',
    {
      workload: {
        outbound: [
          { listen: port(23101), service: 'b' },
          { listen: port(23101, '127.0.0.2'), service: 'c.other', port: 9090 },
        ],
      },
    },
  ],
  nacos: [
    'nacos-0:8849, [::1]',
    'n',
    {
      nacos: {
        servers: [
          { host: 'nacos-0', port: 8849 },
          { host: '::1', port: 8848 },
        ],
        namespaces: ['public'],
        groups: ['DEFAULT_GROUP'],
        rules: [],
      },
    },
  ],
  'nacos-namespace': ['dev, prod', 'x', { nacos: { namespaces: ['dev', 'prod'] } }],
  'nacos-group': ['A', 'B', { nacos: { groups: ['A'] } }],
  'nacos-services': ['a,b', 'c', { nacos: { services: ['a', 'b'] } }],
  'nacos-rules': [
    'r.yaml@G,s.yaml',
    'x',
    {
      nacos: {
        rules: [
          { dataId: 'r.yaml', group: 'G' },
          { dataId: 's.yaml', group: 'DEFAULT_GROUP' },
        ],
      },
    },
  ],
  'nacos-user': ['me', 'x', { nacos: { user: 'me' } }],
  'nacos-password-file': ['/p', '/q', { nacos: { passwordFile: '/p' } }],
  intercept: [
    '15001:15006:0x539',
    'no',
    { workload: { interception: { outboundPort: 15001, inboundPort: 15006, mark: 1337 } } },
  ],
  database: [
    '13306=mysql.shop:3306, [::1]:13307=[fd00::1]:3307',
    '13308=a:1',
    {
      database: {
        servers: [
          { listen: port(13306), host: 'mysql.shop', port: 3306 },
          { listen: port(13307, '::1'), host: 'fd00::1', port: 3307 },
        ],
      },
    },
  ],
  'database-ports': ['3306, 3307', 'none', { database: { ports: [3306, 3307] } }],
  'database-unattributed': [
    'writes=shadow, reads=refuse',
    'base',
    { database: { unattributed: { writes: 'shadow', reads: 'refuse' } } },
  ],
  'database-definitions': ['shadow', 'refuse', { database: { definitions: 'shadow' } }],
  'database-statement-bytes': ['1000', '2000', { database: { maxStatementBytes: 1_000 } }],
  'database-certificate': ['/c.pem', '/d.pem', { database: { tls: { certificate: '/c.pem' } } }],
  'database-key': ['/k.pem', '/l.pem', { database: { tls: { key: '/k.pem' } } }],
  'database-authority': ['/a.pem', '/b.pem', { database: { tls: { authority: '/a.pem' } } }],
  'database-check': ['refuse', 'no', { database: { check: 'refuse' } }],
  'database-user': ['me', 'x', { database: { user: 'me' } }],
  'database-password-file': ['/p', '/q', { database: { passwordFile: '/p' } }],
  calls: ['b, c.other', 'd', { workload: { calls: ['b', 'c.other'] } }],
  propagation: ['header', 'trace', { workload: { propagation: 'header' } }],
  'edge-trace': ['keep', 'strip', { workload: { edgeTrace: 'keep' } }],
  snapshot: ['/var/a.json', '/b', { snapshot: '/var/a.json' }],
  'run-dir': ['/run/a', '/run/b', { runDirectory: '/run/a' }],
  admin: ['[::1]:0', '15021', { admin: port(0, '::1') }],
  envoy: ['/opt/envoy', '/opt/b', { envoy: '/opt/envoy' }],
  concurrency: ['4', '2', { concurrency: 4 }],
  'access-log': ['stdout', '/b', { accessLog: 'stdout' }],
  'envoy-log-level': ['critical', 'off', { envoyLogLevel: 'critical' }],
  'log-level': ['debug', 'warn', { logLevel: 'debug' }],
  'memory-entries': ['10', '20', { memory: { maxEntries: 10 } }],
  'memory-bytes': ['1000', '2000', { memory: { maxBytes: 1_000 } }],
  'memory-ttl': ['500ms', '1s', { memory: { ttlMs: 500 } }],
  drain: ['2m', '1h', { drainMs: 120_000 }],
  'socket-group': ['1000', '2', { socketGroup: 1_000 }],
};

/** What a setting needs beside it. */
function besideOf(name: SettingName): string[] {
  if (name.startsWith('nacos-')) return ['--nacos=n', '--nacos-password-file=/p'];
  if (name === 'database-ports') return ['--intercept=yes'];
  if (name === 'database-check') return ['--database=1=a:1', '--database-user=me'];
  return /certificate|key|authority/.test(name) ? ['--database-certificate=/x.pem', '--database-key=/x.pem'] : [];
}

describe('every setting has a flag and a variable, and the flag wins', () => {
  test.each(Object.keys(settingTable) as SettingName[])('%s', (name) => {
    const [text, other, expected] = everySetting[name];
    const without = Object.entries(needed).filter(([flag]) => flag !== name);
    const beside = besideOf(name);
    const args = [
      ...without.map(([flag, value]) => `--${flag}=${value}`),
      ...beside.filter((flag) => !flag.startsWith(`--${name}=`)),
    ];
    const variable = variableOf(name);
    expect(variable).toMatch(/^LANEKEEPER_[A-Z_]+$/);
    for (const [more, env] of [
      [[`--${name}`, text], {}],
      [[`--${name}=${text}`], { [variable]: other }],
      [[], { [variable]: text }],
    ] as [string[], Environment][]) {
      expect(parseSettings([...args, ...more], env)).toMatchObject({ ok: true, value: expected });
    }
    expect(parseSettings([...args, `--${name}`, other], { [variable]: text })).not.toMatchObject({ value: expected });
  });

  test('an empty one is as none', () => {
    expect(settings({ drain: '', 'access-log': '' }, { LANEKEEPER_NAMESPACE: '' })).toEqual(settings({}));
  });
});

test('a user of Nacos needs a password', () => {
  expect(mistakes(['--inbound', '1=2', '--nacos', 'n', '--nacos-user', 'me'])).toEqual([
    '--nacos-password-file: found nothing, expected a file with the password of me',
  ]);
});

test('settings of databases that need each other say so', () => {
  const wrong = (...flags: string[]) => mistakes(['--config', 'a', '--inbound', '9101=8080', ...flags]);
  expect(wrong('--database-certificate', 'a')).toEqual([
    '--database-key: found nothing, expected a file; certificate and key go together',
  ]);
  expect(wrong('--database-key', 'a', '--database-authority', 'b')).toEqual([
    '--database-certificate: found nothing, expected a file; certificate and key go together',
    '--database-authority: found without --database-certificate; without that, servers are spoken to in clear',
  ]);
  expect(wrong('--database-ports', '3306', '--database-check', 'refuse')).toEqual([
    '--database-ports: found without --intercept; name the server by --database 13306=HOST:3306',
    '--database-check: found "refuse", which needs --database and --database-user',
  ]);
  expect(wrong('--intercept', 'yes', '--database-ports', '0')).toEqual([
    '--database-ports: found "0", expected ports such as 3306,3307, or none',
  ]);
  expect(wrong('--database', '9101=a:3306')).toEqual([
    '--database: found port 9101, which is listened on already (--inbound); give each listener a port of its own',
  ]);
});

test('with interception port 3306 of other machines is a database, unless said otherwise', () => {
  const portsOf = (flags: Partial<Record<SettingName, string>>) =>
    settings({ intercept: 'yes', ...flags }).database.ports;
  expect(portsOf({})).toEqual([3306]);
  expect(portsOf({ 'database-ports': 'none' })).toEqual([]);
  expect(settings({}).database.ports).toEqual([]);
});

test('a port alone is one that the kernel redirects, and without interception a mistake', () => {
  const captured = { listen: port(8080, '0.0.0.0'), application: port(8080, '0.0.0.0'), captured: true };
  expect(settings({ inbound: '8080,8081/edge', intercept: 'yes' })).toMatchObject({
    workload: { inbound: [{ ...captured, edge: false }, { edge: true }] },
  });
  expect(mistakes(['--inbound', '8080', '--config', 'a'])).toEqual([
    '--inbound: found port 8080 alone, expected where this pod listens and where the application does, such as 9101=8080; or --intercept yes',
  ]);
});

describe('a value that is none is answered with what was expected', () => {
  const anAddress = 'a port, or an IP address and a port such as 0.0.0.0:8080 or [::]:8080';
  const ports = 'ports such as 9101=8080, where this pod listens and where the application does, or 9101=8080/edge';
  const services = 'ports and services such as 23101=orders or 23102=stock.other:9090';
  const grammar =
    '1 to 63 letters, digits, "-", "_" or ".", beginning and ending with a letter or digit, and not "base" (that is no label)';
  test.each<[SettingName, string, string]>([
    ['name', 'a b', 'a name such as orders-7d4f'],
    ['database', '13306=a', 'ports and servers such as 13306=mysql.shop:3306, not "13306=a"'],
    ['database', '13306=a:65536', 'ports and servers such as 13306=mysql.shop:3306, not "13306=a:65536"'],
    ['database-unattributed', 'write=base', 'refuse, shadow or base, or one for each: writes=refuse,reads=base'],
    ['database-unattributed', 'writes=no', 'refuse, shadow or base, or one for each: writes=refuse,reads=base'],
    ['namespace', '-a', 'a name such as orders-7d4f'],
    ['labels', 'app', 'labels such as app=orders,version=v2, not "app"'],
    ['labels', '=a', 'labels such as app=orders,version=v2, not "=a"'],
    ['labels', 'app=a,app=b', 'each label once, not app twice'],
    ['labels', 'traffic.opensergo.io/label=base', `after traffic.opensergo.io/label= a label: ${grammar}`],
    ['labels', 'traffic.opensergo.io/label=', `after traffic.opensergo.io/label= a label: ${grammar}`],
    ['gateway', '0', anAddress],
    ['gateway', '65536', anAddress],
    ['gateway', 'localhost:80', anAddress],
    ['gateway', '::1:80', anAddress],
    ['gateway', '[::1]', anAddress],
    ['gateway', '10.0.0.256:80', anAddress],
    ['admin', '65536', anAddress],
    ['inbound', '9101/egde', `${ports}, not "9101/egde"`],
    ['inbound', '9101=8080,9102=', `${ports}, not "9102="`],
    ['inbound', '0=8080', `${ports}, not "0=8080"`],
    ['inbound', '9101=0', `${ports}, not "9101=0"`],
    ['inbound', '9101=8080/egde', `${ports}, not "9101=8080/egde"`],
    ['outbound', '1=b,2=C', `${services}, not "2=C"`],
    ['outbound', '1=b:0', `${services}, not "1=b:0"`],
    ['outbound', '1=b:65536', `${services}, not "1=b:65536"`],
    ['outbound', 'b=1', `${services}, not "b=1"`],
    ['intercept', '15001', 'yes, no, or the ports of outgoing and incoming connections such as 15001:15006'],
    ['intercept', 'true', 'yes, no, or the ports of outgoing and incoming connections such as 15001:15006'],
    ['intercept', '0:15006', 'yes, no, or the ports of outgoing and incoming connections such as 15001:15006'],
    ['nacos', 'a b', 'servers such as nacos-0:8848,nacos-1:8848'],
    ['nacos', 'a:65000', 'servers such as nacos-0:8848,nacos-1:8848'],
    ['nacos-rules', '@G', 'data ids such as rules.yaml or rules.yaml@SHOP'],
    ['propagation', 'both', 'one of trace, header'],
    ['edge-trace', 'Keep', 'one of strip, keep'],
    ['concurrency', '0', 'a whole number above 0'],
    ['concurrency', '1.5', 'a whole number above 0'],
    ['memory-entries', '1e6', 'a whole number above 0'],
    ['memory-bytes', '-1', 'a whole number above 0'],
    ['memory-ttl', '60', 'a duration such as 500ms, 60s or 5m'],
    ['drain', '1 h', 'a duration such as 500ms, 60s or 5m'],
    ['socket-group', 'root', 'a whole number above 0'],
    ['envoy-log-level', 'warn', 'one of trace, debug, info, warning, error, critical, off'],
    ['log-level', 'warning', 'one of trace, debug, info, warn, error, silent'],
  ])('--%s %s', (name, value, expected) => {
    const args = Object.entries({ ...needed, [name]: value }).map(([flag, text]) => `--${flag}=${text}`);
    const message = `found ${JSON.stringify(value)}, expected ${expected}`;
    expect(mistakes(args)).toEqual([`--${name}: ${message}`]);
    const others = args.filter((arg) => !arg.startsWith(`--${name}=`));
    expect(mistakes(others, { [variableOf(name)]: value })).toEqual([`${variableOf(name)}: ${message}`]);
  });
});

test('every mistake is reported at once, by the name of the flag or variable that it came from', () => {
  expect(
    mistakes(['--drain', 'soon', '--colour=blue', 'extra', '--admin', '9101', '--inbound', '9101=8080', '--name'], {
      LANEKEEPER_CONCURRENCY: 'all',
      LANEKEEPER_PROPAGATION: 'header',
    }),
  ).toEqual([
    '--colour: unknown flag; see lanekeeper sidecar --help',
    'unexpected "extra"; a sidecar takes flags only',
    '--name: found no value, expected NAME',
    'LANEKEEPER_CONCURRENCY: found "all", expected a whole number above 0',
    '--drain: found "soon", expected a duration such as 500ms, 60s or 5m',
    '--config: found nothing, expected a file or folder with rules and services, or --nacos',
    '--admin: found port 9101, which is listened on already (--inbound); give each listener a port of its own',
  ]);
});

describe('a command line', () => {
  test('without anything says what is needed', () => {
    expect(mistakes([])).toEqual([
      '--inbound: found neither --gateway nor --inbound nor --outbound nor --intercept nor --database, expected a port to listen on',
      '--config: found nothing, expected a file or folder with rules and services, or --nacos',
    ]);
  });

  test('whose only port is wrong is told of that, not that there is none', () => {
    expect(mistakes(['--config', '/a', '--gateway', 'x'])).toEqual([expect.stringContaining('--gateway: found "x"')]);
  });

  test('with a name that every object has is not taken for a flag', () => {
    expect(mistake('constructor', 'x')).toBe('--constructor: unknown flag; see lanekeeper sidecar --help');
    expect(mistake('__proto__', 'x')).toBe('--__proto__: unknown flag; see lanekeeper sidecar --help');
  });

  test('with an unknown flag is told of it once, not of its value too', () => {
    expect(mistakes(['--config=/a', '--gateway=80', '--colour', 'blue', '-x', 'y'])).toEqual([
      '--colour: unknown flag; see lanekeeper sidecar --help',
      '-x: unknown flag; see lanekeeper sidecar --help',
    ]);
  });

  test('with something that is no flag is told so, at its beginning too', () => {
    expect(mistakes(['rules', '--config=/a', '--gateway=80'])).toEqual([
      'unexpected "rules"; a sidecar takes flags only',
    ]);
  });

  test('that ends in a flag without its value, or goes on with another flag, is told which value is missing', () => {
    expect(mistakes(['--config=/a', '--gateway=80', '--run-dir', '--name', 'a', '--drain'])).toEqual([
      '--run-dir: found no value, expected FOLDER',
      'unexpected "a"; a sidecar takes flags only',
      '--drain: found no value, expected DURATION',
    ]);
  });
});

describe('a repeated flag', () => {
  test('adds to a list', () => {
    const args = [
      '--config',
      '/a',
      '--config',
      '/b',
      '--outbound',
      '1=a',
      '--outbound',
      '2=b',
      '--labels',
      'a=1',
      '--labels',
      'b=2',
    ];
    expect(parseSettings(args, {})).toMatchObject({
      value: {
        config: ['/a', '/b'],
        workload: { labels: { a: '1', b: '2' }, outbound: [{ service: 'a' }, { service: 'b' }] },
      },
    });
  });

  test('is a mistake where there is one value', () => {
    const args = ['--config', '/a', '--gateway', '80', '--run-dir', '/a', '--run-dir', '/b', '--name', 'a', '--name=b'];
    expect(mistakes(args)).toEqual([
      '--run-dir: found "/b" as a second value, expected one',
      '--name: found "b" as a second value, expected one',
    ]);
  });
});

describe('listeners', () => {
  test.each<[string, string[], string | undefined]>([
    [
      'of one address and port',
      ['--gateway=80', '--outbound=80=b'],
      '--outbound: found port 80, which is listened on already (--gateway)',
    ],
    [
      'of one port twice in a flag',
      ['--outbound=80=b,80=c'],
      '--outbound: found port 80, which is listened on already;',
    ],
    ['of one port, one on every address', ['--outbound=0.0.0.0:80=b,127.0.0.2:80=c'], '--outbound: found port 80,'],
    [
      'of one port, one on every address of IPv6',
      ['--outbound=[::]:80=b,127.0.0.2:80=c'],
      '--outbound: found port 80,',
    ],
    [
      'of one port, inbound: they are known by it',
      ['--inbound=127.0.0.1:80=1,127.0.0.2:80=2'],
      '--inbound: found port 80,',
    ],
    ['of the admin port', ['--gateway=15020'], '--admin: found port 15020, which is listened on already (--gateway)'],
    ['of one port on two addresses', ['--outbound=127.0.0.1:80=b,127.0.0.2:80=c'], undefined],
    ['of one port on two addresses of IPv6', ['--outbound=[::1]:80=b,[fd00::2]:80=c'], undefined],
    ['beside any free admin port', ['--gateway=80', '--admin=0'], undefined],
  ])('%s', (_, args, expected) => {
    const found = mistakes(['--config=/a', ...args]);
    expect(found).toEqual(expected === undefined ? [] : [expect.stringContaining(expected)]);
  });
});

describe('the own label comes from the environment', () => {
  const key = 'traffic.opensergo.io/label';
  const bootstrap = 'OPENSERGO_BOOTSTRAP_CONFIG';
  const needed = ['--config=/a', '--gateway=80'];
  test.each<[string, Environment, string[], string | undefined]>([
    ['by the name of the article', { [key]: 'gray' }, [], 'gray'],
    ['by several', { [key]: 'gray, blue' }, [], 'gray, blue'],
    ['by what OpenSergo’s agents take', { [bootstrap]: '{"OPENSERGO_LABEL":"gray","a":1}' }, [], 'gray'],
    ['not where that names none', { [bootstrap]: '{"endpoint":"a"}' }, [], undefined],
    ['not where that is empty', { [bootstrap]: '{"OPENSERGO_LABEL":""}' }, [], undefined],
    [
      'by the name of the article before the agents’',
      { [key]: 'gray', [bootstrap]: '{"OPENSERGO_LABEL":"b"}' },
      [],
      'gray',
    ],
    ['but a flag wins', { [key]: 'gray' }, [`--labels=app=a,${key}=blue`], 'blue'],
    ['and other labels stay beside it', { [key]: 'gray' }, ['--labels=app=a'], 'gray'],
    ['not where there is none', {}, [], undefined],
    ['not where it is empty', { [key]: '' }, [], undefined],
  ])('%s', (_, env, args, label) => {
    const parsed = parseSettings([...needed, ...args], env);
    expect(parsed).toMatchObject({ ok: true });
    expect(parsed.ok && parsed.value.workload.labels[key]).toBe(label);
  });

  test.each<[string, Environment, string]>([
    ['no label', { [key]: 'base' }, `${key}: found "base", expected a label: `],
    ['one of several is none', { [key]: 'gray,-b' }, `${key}: found "gray,-b", expected a label: `],
    [
      'no label, by OpenSergo',
      { [bootstrap]: '{"OPENSERGO_LABEL":"a b"}' },
      `OPENSERGO_LABEL of ${bootstrap}: found "a b", expected a label: `,
    ],
    [
      'no JSON',
      { [bootstrap]: 'OPENSERGO_LABEL=gray' },
      `${bootstrap}: found "OPENSERGO_LABEL=gray", expected a JSON object such as {"OPENSERGO_LABEL": "gray"}`,
    ],
    ['no object', { [bootstrap]: '["gray"]' }, `${bootstrap}: found "[\\"gray\\"]", expected a JSON object`],
    ['nothing', { [bootstrap]: 'null' }, `${bootstrap}: found "null", expected a JSON object`],
    [
      'no text',
      { [bootstrap]: '{"OPENSERGO_LABEL":2}' },
      `${bootstrap}: found "{\\"OPENSERGO_LABEL\\":2}", expected a JSON object`,
    ],
  ])('or is a mistake: %s', (_, env, expected) => {
    expect(mistakes(needed, env)).toEqual([expect.stringContaining(expected)]);
  });
});
