import { expect, test } from 'vitest';
import { toRequest } from '../../src/extproc/wire.ts';
import type { Direction } from '../../src/traffic/agreement.ts';

/** A request with these lines of X-Forwarded-For. */
function addressOf(direction: Direction, ...values: string[]): string | undefined {
  const headers = values.map((value) => ({ key: 'x-forwarded-for', rawValue: Buffer.from(value) }));
  return toRequest({ headers: { headers } }, direction).sourceAddress;
}

test.each<[Direction, string[], string | undefined]>([
  ['gateway', ['10.0.0.1'], '10.0.0.1'],
  ['edge', ['10.0.0.1, 192.0.2.1'], '192.0.2.1'],
  ['edge', ['10.0.0.1,fd00::1'], 'fd00::1'],
  ['edge', ['10.0.0.1', '192.0.2.1'], '192.0.2.1'],
  ['edge', [], undefined],
  ['edge', ['10.0.0.1,'], undefined],
  ['inbound', ['10.0.0.1'], undefined],
  ['outbound', ['10.0.0.1'], undefined],
])(
  'at direction %s a request that was forwarded for %j comes from %s: what Envoy itself added last',
  (direction, values, expected) => {
    expect(addressOf(direction, ...values)).toBe(expected);
  },
);

test.each<[Direction, string | undefined]>([
  ['gateway', undefined],
  ['edge', undefined],
  ['inbound', 'app=b'],
])('at direction %s who calls is %s, whatever an Envoy that is not ours lets through', (direction, expected) => {
  const headers = [{ key: 'x-lane-source', rawValue: Buffer.from('app=b') }];
  expect(toRequest({ headers: { headers } }, direction).header('x-lane-source')).toBe(expected);
});
