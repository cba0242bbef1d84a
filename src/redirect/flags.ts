// The flags of `lanekeeper redirect`; every mistake at once.
import type { Range } from '../mesh/workload.ts';
import type { Problem, Result } from '../problem.ts';
import { type FlagTable, readFlags } from '../settings/flags.ts';
import * as form from '../settings/forms.ts';
import {
  type Backend,
  backends,
  type Exempt,
  mergePorts,
  ownPorts,
  type PortRange,
  type Redirect,
} from './redirect.ts';

export const redirectTable = {
  direction: { value: 'both|inbound|outbound', fallback: 'both', help: 'which connections are led through Envoy' },
  'outbound-port': { value: 'PORT', fallback: '15001', help: 'where Envoy takes what the application opens' },
  'inbound-port': { value: 'PORT', fallback: '15006', help: 'where Envoy takes what reaches the pod' },
  uid: {
    value: 'UID',
    fallback: '1337',
    help: 'user of Envoy and lanekeeper, whose own connections go out untouched; the application must run as another',
  },
  gid: { value: 'GID', fallback: 'the uid', help: 'group whose connections go out untouched as well' },
  mark: {
    value: 'MARK',
    fallback: '',
    help: 'go by the mark that Envoy puts on its connections, in place of uid and gid: for namespaces with a single user',
  },
  'exclude-inbound': {
    value: 'PORT[-PORT],…',
    fallback: '',
    help: `ports that are reached directly, besides ${ownPorts.join(', ')}`,
  },
  'exclude-outbound': {
    value: 'PORT[-PORT],…',
    fallback: '',
    help: 'ports that are called directly, whatever the address',
  },
  'exclude-cidr': { value: 'CIDR,…', fallback: '', help: 'addresses that are called directly' },
  backend: {
    value: `auto|${backends.join('|')}`,
    fallback: 'auto',
    help: 'what lays the rules; auto: the first of these that can',
  },
  remove: { value: '', fallback: '', help: 'take the rules away; connections that go through Envoy are cut' },
  'dry-run': { value: '', fallback: '', help: 'print what would be run, and what would be fed to it' },
  format: { value: 'text|json', fallback: 'text', help: 'of --dry-run; text is a shell script' },
} as const satisfies FlagTable;

type Name = keyof typeof redirectTable;

export type Asked = {
  readonly redirect: Redirect;
  readonly backend: Backend | 'auto';
  readonly remove: boolean;
  readonly dryRun: boolean;
  readonly format: 'text' | 'json';
};

export function parseRedirect(args: readonly string[]): Result<Asked> {
  const problems: Problem[] = [];
  const given = readFlags(args, { table: redirectTable, command: 'redirect', problems });
  const mistake = (name: Name, message: string) => problems.push({ severity: 'error', path: `--${name}`, message });
  const read = <T>(name: Name, parse: (text: string) => form.Parsed<T>): T | undefined => {
    const text = given.get(name);
    if (text === undefined) return undefined;
    const parsed = parse(text);
    if ('value' in parsed) return parsed.value;
    mistake(name, `found ${JSON.stringify(text)}, expected ${parsed.expected}`);
    return undefined;
  };

  const direction = read('direction', form.oneOf(['both', 'inbound', 'outbound'])) ?? 'both';
  const outboundPort = read('outbound-port', port) ?? 15001;
  const inboundPort = read('inbound-port', port) ?? 15006;
  const inbound = {
    port: inboundPort,
    except: mergePorts([...ports(ownPorts), ...(read('exclude-inbound', portRanges) ?? [])]),
  };
  const outbound = {
    port: outboundPort,
    except: mergePorts(read('exclude-outbound', portRanges) ?? []),
    exceptRanges: read('exclude-cidr', plainRanges) ?? [],
  };
  const exempt = exemptOf({ uid: read('uid', id), gid: read('gid', id), mark: read('mark', mark) });
  const asked: Asked = {
    redirect: { ...(direction !== 'outbound' && { inbound }), ...(direction !== 'inbound' && { outbound }), exempt },
    backend: read('backend', form.oneOf(['auto', ...backends])) ?? 'auto',
    remove: given.has('remove'),
    dryRun: given.has('dry-run'),
    format: read('format', form.oneOf(['text', 'json'])) ?? 'text',
  };
  if (outboundPort === inboundPort)
    mistake('inbound-port', `found ${inboundPort}, which is --outbound-port too; each direction has a port of its own`);
  const idle = { both: [], inbound: outboundFlags, outbound: inboundFlags }[direction];
  for (const name of idle.filter((flag) => given.has(flag)))
    mistake(name, `found beside --direction ${direction}, which leaves the other direction alone`);
  if (given.has('format') && !asked.dryRun) mistake('format', 'found without --dry-run, whose form it is');
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: asked };
}

const outboundFlags: readonly Name[] = ['outbound-port', 'exclude-outbound', 'exclude-cidr'];
const inboundFlags: readonly Name[] = ['inbound-port', 'exclude-inbound'];

type Given = { readonly uid: number | undefined; readonly gid: number | undefined; readonly mark: number | undefined };

/** A mark stands for uid and gid, which a namespace with a single user does not even know; who names them has all. */
function exemptOf({ uid, gid, mark }: Given): Exempt[] {
  const user = uid ?? (mark === undefined ? 1337 : undefined);
  const group = gid ?? user;
  return [
    ...(user === undefined ? [] : [{ by: 'uid', value: user } as const]),
    ...(group === undefined ? [] : [{ by: 'gid', value: group } as const]),
    ...(mark === undefined ? [] : [{ by: 'mark', value: mark } as const]),
  ];
}

const aPort = 'a port, 1 to 65535';

function port(given: string): form.Parsed<number> {
  return /^\d{1,5}$/.test(given) && Number(given) > 0 && Number(given) < 65_536
    ? { value: Number(given) }
    : { expected: aPort };
}

/** `443`, `8000-8100`, several parted by commas. */
function portRanges(given: string): form.Parsed<PortRange[]> {
  const values: PortRange[] = [];
  for (const part of parts(given)) {
    const [first = '', last = first, ...more] = part.split('-');
    const [from, to] = [port(first), port(last)];
    if (!('value' in from) || !('value' in to) || from.value > to.value || more.length > 0)
      return { expected: `ports such as 443 or 8000-8100, parted by commas, not ${JSON.stringify(part)}` };
    values.push({ first: from.value, last: to.value });
  }
  return { value: values };
}

/** No backend knows the zone of `fe80::1%eth0`. */
function plainRanges(given: string): form.Parsed<Range[]> {
  const parsed = form.ranges(parts(given).join(','));
  const zoned = 'value' in parsed ? parsed.value.find(({ address }) => address.includes('%')) : undefined;
  return zoned === undefined ? parsed : { expected: `addresses without a zone, not ${JSON.stringify(zoned.address)}` };
}

/** The kernel keeps 4294967295 for nobody. */
function id(given: string): form.Parsed<number> {
  return /^\d{1,10}$/.test(given) && Number(given) < 4_294_967_295
    ? { value: Number(given) }
    : { expected: 'a numeric id, 0 to 4294967294' };
}

/** 0 is what every connection without a mark has. */
function mark(given: string): form.Parsed<number> {
  const value = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(given) ? Number(given) : 0;
  return value > 0 && value <= 0xffff_ffff ? { value } : { expected: 'a mark above 0 such as 1337 or 0x539' };
}

function ports(numbers: readonly number[]): PortRange[] {
  return numbers.map((number) => ({ first: number, last: number }));
}

function parts(given: string): string[] {
  return given
    .split(',')
    .map((text) => text.trim())
    .filter(Boolean);
}
