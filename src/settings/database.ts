// Settings of database proxies.
import type { Address } from '../mesh/workload.ts';
import type { Problem } from '../problem.ts';
import * as form from './forms.ts';
import type { SettingName } from './table.ts';

/** What a statement becomes that says no label, while labels are remembered. */
export type Policy = 'refuse' | 'shadow' | 'base';

export type DatabaseSettings = {
  /** Local ports, and the server behind each. */
  readonly servers: readonly { readonly listen: Address; readonly host: string; readonly port: number }[];
  /** With interception: ports of other machines that are databases. */
  readonly ports: readonly number[];
  readonly unattributed: { readonly writes: Policy; readonly reads: Policy };
  readonly definitions: 'refuse' | 'shadow';
  readonly maxStatementBytes: number;
  /** Files. */
  readonly tls:
    | { readonly certificate: string; readonly key: string; readonly authority: string | undefined }
    | undefined;
  readonly check: 'no' | 'warn' | 'refuse';
  readonly user: string | undefined;
  readonly passwordFile: string | undefined;
};

type Read = <T>(name: SettingName, parse: (text: string) => form.Parsed<T>) => T | undefined;

/** `isIntercepted`: connections are redirected here, so that databases are found by their port. */
export function databaseSettings(read: Read, isIntercepted: boolean): DatabaseSettings {
  const [certificate, key] = [read('database-certificate', form.text), read('database-key', form.text)];
  const captured = read('database-ports', ports);
  const authority = read('database-authority', form.text);
  return {
    servers: read('database', databases) ?? [],
    ports: isIntercepted ? (captured ?? [3306]) : [],
    unattributed: read('database-unattributed', policies) ?? defaultPolicies,
    definitions: read('database-definitions', form.oneOf(['refuse', 'shadow'])) ?? 'refuse',
    maxStatementBytes: read('database-statement-bytes', form.count) ?? 16_777_216,
    tls: certificate !== undefined && key !== undefined ? { certificate, key, authority } : undefined,
    check: read('database-check', form.oneOf(['no', 'warn', 'refuse'])) ?? 'warn',
    user: read('database-user', form.text),
    passwordFile: read('database-password-file', form.text),
  };
}

/** What one flag needs of another. */
export function databaseContradictions(
  given: (name: SettingName) => boolean,
  { servers, check, user }: DatabaseSettings,
): Problem[] {
  const problems: Problem[] = [];
  const mistake = (name: SettingName, message: string) =>
    problems.push({ severity: 'error', path: `--${name}`, message });
  if (given('database-certificate') !== given('database-key'))
    mistake(
      given('database-key') ? 'database-certificate' : 'database-key',
      'found nothing, expected a file; certificate and key go together',
    );
  if (given('database-authority') && !given('database-certificate'))
    mistake('database-authority', 'found without --database-certificate; without that, servers are spoken to in clear');
  if (given('database-ports') && !given('intercept'))
    mistake('database-ports', 'found without --intercept; name the server by --database 13306=HOST:3306');
  if (check === 'refuse' && (servers.length === 0 || user === undefined))
    mistake('database-check', 'found "refuse", which needs --database and --database-user');
  return problems;
}

const defaultPolicies = { writes: 'refuse', reads: 'base' } as const;
const policyNames = ['refuse', 'shadow', 'base'] as const;

/** `refuse` for both, or `writes=refuse,reads=base`. */
function policies(given: string): form.Parsed<DatabaseSettings['unattributed']> {
  const expected = { expected: 'refuse, shadow or base, or one for each: writes=refuse,reads=base' };
  const result: { writes: Policy; reads: Policy } = { ...defaultPolicies };
  for (const part of given.split(',').map((text) => text.trim())) {
    const [left = '', right] = part.split('=');
    const policy = policyNames.find((name) => name === (right ?? left));
    const isKnown = right === undefined || left === 'writes' || left === 'reads';
    if (policy === undefined || !isKnown) return expected;
    if (right === undefined || left === 'writes') result.writes = policy;
    if (right === undefined || left === 'reads') result.reads = policy;
  }
  return { value: result };
}

/** `3306,3307`, or `none`. */
function ports(given: string): form.Parsed<number[]> {
  if (given === 'none') return { value: [] };
  const values = given.split(',').map((text) => Number(text.trim()));
  return values.every((port) => Number.isInteger(port) && port > 0 && port < 65_536)
    ? { value: [...new Set(values)] }
    : { expected: 'ports such as 3306,3307, or none' };
}

/** `13306=mysql.shop:3306`, several parted by commas. */
function databases(given: string): form.Parsed<DatabaseSettings['servers'][number][]> {
  return form.each(given, 'ports and servers such as 13306=mysql.shop:3306', (left, right) => {
    const listen = left === undefined ? undefined : form.address(left);
    const parts = /^(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(right);
    const [host, port] = [parts?.[1] ?? parts?.[2], Number(parts?.[3])];
    if (!listen || !('value' in listen) || host === undefined || port < 1 || port > 65_535) return undefined;
    return { listen: listen.value, host, port };
  });
}
