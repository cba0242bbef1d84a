import { BlockList, isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isWithin, parseRange } from '../../src/rules/conditions/ranges.ts';

const v4 = fc.oneof(
  fc.ipV4(),
  fc.constantFrom('10.0.0.0', '10.0.0.1', '10.0.255.255', '10.1.0.0', '0.0.0.0', '255.255.255.255'),
);
const v6 = fc.oneof(
  fc.ipV6(),
  fc.constantFrom(
    '::',
    '::1',
    'fd00::',
    'fd00::ffff',
    'fd00:0:0:1::',
    '1::',
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  ),
);

test('an address is in a range, or is not, as Node has it', () => {
  let within = 0;
  fc.assert(
    fc.property(fc.oneof(fc.tuple(v4, v4), fc.tuple(v6, v6)), fc.nat(128), ([net, address], bits) => {
      const prefix = isIPv4(net) ? bits % 33 : bits;
      const list = new BlockList();
      list.addSubnet(net, prefix, isIPv4(net) ? 'ipv4' : 'ipv6');
      const range = parseRange(`${net}/${prefix}`);
      if (range === undefined) throw new Error(`${net}/${prefix} is a range`);
      const expected = list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
      if (expected) within++;
      expect([net, prefix, address, isWithin(address, [range])]).toEqual([net, prefix, address, expected]);
      // Twice, with another address between: what was parsed last is remembered.
      isWithin('192.0.2.1', [range]);
      expect(isWithin(address, [range])).toBe(expected);
    }),
    { seed: 19, numRuns: 3_000 },
  );
  expect(within).toBeGreaterThan(300);
});

test('what is an address is so for Node too', () => {
  const parts = fc.constantFrom(
    '0',
    '1',
    '10',
    '255',
    '256',
    '01',
    'ff',
    'fffff',
    '.',
    ':',
    '::',
    '1.2.3.4',
    ' ',
    '%eth0',
    '',
  );
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 15 }), fc.oneof(v4, v6), (texts, address) => {
      const text = texts.join('');
      expect([text, parseRange(text) !== undefined]).toEqual([
        text,
        (isIPv4(text) || isIPv6(text)) && !text.includes('%'),
      ]);
      expect(parseRange(address)).toBeDefined();
    }),
    { seed: 23, numRuns: 5_000 },
  );
});

test.each([
  ['10.0.0.1', '::ffff:10.0.0.1', true],
  ['::ffff:10.0.0.0/104', '10.9.9.9', true],
  ['::ffff:10.0.0.0/104', '11.0.0.0', false],
  ['::/0', '10.0.0.1', false],
  ['0.0.0.0/0', '::ffff:10.0.0.1', true],
  ['10.0.0.1/8', '10.200.0.1', true],
  ['10.0.0.0/8', '', false],
  ['10.0.0.0/8', 'unknown', false],
  ['10.0.0.0/8', '10.0.0.1:80', false],
])('%s holds %s: %s', (range, address, expected) => {
  const parsed = parseRange(range);
  expect(parsed && isWithin(address, [parsed])).toBe(expected);
});
