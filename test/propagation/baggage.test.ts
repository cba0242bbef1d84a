import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { labelOf, readBaggage, withLabel } from '../../src/propagation/baggage.ts';
import { type Label, parseLabel } from '../../src/traffic/label.ts';
import { label } from './given.ts';

const gray = label('gray');
const longest = label('a'.repeat(63));

describe('the label of a baggage is that of our member', () => {
  test.each<[string, string | undefined]>([
    ['OpenSergo-Label=gray', 'gray'],
    ['a=1,OpenSergo-Label=gray,b=2', 'gray'],
    ['a=1, \t OpenSergo-Label \t=\t gray \t,b=2', 'gray'],
    ['OpenSergo-Label=gray;ttl=3;x', 'gray'],
    ['OpenSergo-Label = gray ; ttl = 3', 'gray'],
    ['OpenSergo-Label=%67r%61y', 'gray'],
    ['OpenSergo-Label=%67%72%61%79%2e%65%75', 'gray.eu'],
    [`OpenSergo-Label=${'%61'.repeat(63)}`, longest],
    ['OpenSergo-Label=gray,OpenSergo-Label=gray', 'gray'],
    ['OpenSergo-Label=gray,a=1,OpenSergo-Label=%67ray;p=1', 'gray'],
    [',,OpenSergo-Label=gray,,', 'gray'],
  ])('%s', (baggage, expected) => {
    expect(labelOf(baggage)).toBe(expected);
    expect(readBaggage(baggage)).toEqual({ state: 'label', label: expected });
  });
});

describe('what is not one label of our member is none, and known as such', () => {
  test.each([
    'OpenSergo-Label=gray,OpenSergo-Label=blue',
    'OpenSergo-Label=gray,OpenSergo-Label=',
    'OpenSergo-Label=,OpenSergo-Label=gray',
    'OpenSergo-Label=gray,OpenSergo-Label',
    'OpenSergo-Label',
    'OpenSergo-Label=',
    'OpenSergo-Label=;p=gray',
    'OpenSergo-Label;p=gray',
    'OpenSergo-Label==gray',
    'OpenSergo-Label=gray.',
    'OpenSergo-Label=gray blue',
    'OpenSergo-Label="gray"',
    'OpenSergo-Label=gr%zzy',
    'OpenSergo-Label=gray%0a',
    'OpenSergo-Label=gray%',
    'OpenSergo-Label=gr\xe4y',
    `OpenSergo-Label=${'a'.repeat(64)}`,
    `OpenSergo-Label=${'%61'.repeat(64)}`,
  ])('%j', (baggage) => {
    expect(labelOf(baggage)).toBeUndefined();
    expect(readBaggage(baggage)).toEqual({ state: 'invalid' });
  });
});

describe('members of others are not ours, however near their key is', () => {
  test.each([
    undefined,
    '',
    ',',
    'a=1',
    'opensergo-label=gray',
    'OPENSERGO-LABEL=gray',
    'OpenSergo-Labels=gray',
    'xOpenSergo-Label=gray',
    'x OpenSergo-Label=gray',
    'OpenSergo-Label x=gray',
    'a=OpenSergo-Label=gray',
    'a=1;OpenSergo-Label=gray',
    '%4fpenSergo-Label=gray',
    '\xa0OpenSergo-Label=gray',
  ])('%j', (baggage) => {
    expect(readBaggage(baggage)).toEqual({ state: 'absent' });
    expect(withLabel(baggage, gray)).toBe(
      baggage && baggage !== ',' ? `OpenSergo-Label=gray,${baggage}` : 'OpenSergo-Label=gray',
    );
  });
});

describe('writing a label replaces our members and keeps those of others', () => {
  test.each<[string | undefined, Label | undefined, string | undefined]>([
    [undefined, gray, 'OpenSergo-Label=gray'],
    [undefined, undefined, undefined],
    ['', undefined, undefined],
    [' , ,\t', undefined, undefined],
    ['OpenSergo-Label=blue', undefined, undefined],
    ['OpenSergo-Label=blue', gray, 'OpenSergo-Label=gray'],
    ['OpenSergo-Label=gray,a=1', gray, 'OpenSergo-Label=gray,a=1'],
    ['a=1,OpenSergo-Label=blue,b=2', gray, 'OpenSergo-Label=gray,a=1,b=2'],
    ['a=1,OpenSergo-Label=blue,b=2', undefined, 'a=1,b=2'],
    [' OpenSergo-Label = e , OpenSergo-Label;p , OpenSergo-Label,a=1', undefined, 'a=1'],
    ['a = "1 2" ;p; q = %zz , b=\xe4\xff', gray, 'OpenSergo-Label=gray,a = "1 2" ;p; q = %zz,b=\xe4\xff'],
    ['a=1,,=,no equals sign,;,a=1', undefined, 'a=1,=,no equals sign,;,a=1'],
    ['a\t=\t1', undefined, 'a\t=\t1'],
    ['a=1\n,b=\x00,c=\x7f,d=\u010a,e=1\r\nx: y,f=\x1f,g=1', gray, 'OpenSergo-Label=gray,g=1'],
  ])('%j, %s', (baggage, written, expected) => {
    expect(withLabel(baggage, written)).toBe(expected);
  });
});

describe('the result stays within 64 members and 8192 bytes, and our member has room', () => {
  const members = (count: number) => Array.from({ length: count }, (_, index) => `k${index}=v`);

  test('63 members of others stay beside ours, the 64th goes; without ours it stays and the 65th goes', () => {
    expect(withLabel(members(64).join(), gray)).toBe(['OpenSergo-Label=gray', ...members(63)].join());
    expect(withLabel(members(65).join(), undefined)).toBe(members(64).join());
  });

  test('members of ours that are replaced take nobody’s room', () => {
    const baggage = ['OpenSergo-Label=a', ...members(32), 'OpenSergo-Label=b', ...members(31), 'OpenSergo-Label=c'];
    expect(withLabel(baggage.join(), gray)?.split(',')).toHaveLength(64);
  });

  test('8192 bytes stay, of 8193 the last member goes as a whole', () => {
    const fits = `a=${'x'.repeat(8192 - 21 - 2 - 4)},b=1`;
    expect(withLabel(fits, gray)).toBe(`OpenSergo-Label=gray,${fits}`);
    expect(withLabel(fits, gray)).toHaveLength(8192);
    expect(withLabel(`${fits}2`, gray)).toBe(`OpenSergo-Label=gray,${fits.slice(0, -4)}`);
    expect(withLabel('x'.repeat(8192), undefined)).toHaveLength(8192);
    expect(withLabel('x'.repeat(8193), undefined)).toBeUndefined();
    expect(withLabel('x'.repeat(100_000), longest)).toBe(`OpenSergo-Label=${longest}`);
  });

  test('from the first member that does not fit the rest goes, as from the end', () => {
    expect(withLabel(`a=1,b=${'x'.repeat(9000)},c=3`, gray)).toBe('OpenSergo-Label=gray,a=1');
  });
});

describe('for any baggage', () => {
  const part = fc.oneof(
    fc.constantFrom(
      'OpenSergo-Label',
      'OpenSergo-Label=',
      'opensergo-label=',
      '=',
      ';',
      ',',
      ',,',
      ' ',
      '\t',
      '%',
      '%67',
    ),
    fc.constantFrom(
      '\n',
      '\r',
      '\x00',
      '\x7f',
      '\xa0',
      '\u010a',
      '\u2028',
      '"',
      'gray',
      'a=1',
      'b=2;p',
      'x'.repeat(3000),
    ),
    fc.string({ unit: 'binary', maxLength: 5 }),
  );
  const baggages = fc.oneof(
    fc.array(part, { maxLength: 40 }).map((parts) => parts.join('')),
    fc.array(part, { maxLength: 150 }).map((parts) => parts.join()),
  );
  const labels = fc.constantFrom('gray', 'blue', 'a.b-c_d', '0', longest).map(label);
  const run = { seed: 20261123, numRuns: 3000 };

  test('the label that was written is the label that is read', () => {
    fc.assert(
      fc.property(baggages, labels, (baggage, written) => {
        expect(labelOf(withLabel(baggage, written))).toBe(written);
        expect(readBaggage(withLabel(baggage, undefined))).toEqual({ state: 'absent' });
      }),
      run,
    );
  });

  test('what is read is in the grammar of labels', () => {
    fc.assert(
      fc.property(baggages, (baggage) => {
        const found = labelOf(baggage);
        expect(found === undefined || parseLabel(found) === found).toBe(true);
      }),
      run,
    );
  });

  test('the members of others are a beginning of those that were there, byte for byte', () => {
    fc.assert(
      fc.property(baggages, fc.option(labels, { nil: undefined }), (baggage, written) => {
        const before = foreign(baggage);
        const after = foreign(withLabel(baggage, written) ?? '');
        expect(after).toEqual(before.slice(0, after.length));
        const room = { members: written ? 63 : 64, bytes: written ? 8192 - 17 - written.length : 8192 };
        const next = before.slice(0, after.length + 1);
        const nothingMoreFits = next.length > room.members || next.join().length > room.bytes;
        expect(after.length === before.length || nothingMoreFits).toBe(true);
      }),
      run,
    );
  });

  test('the result is a header value within the bounds', () => {
    fc.assert(
      fc.property(baggages, fc.option(labels, { nil: undefined }), (baggage, written) => {
        const result = withLabel(baggage, written) ?? 'nothing';
        expect(result.length).toBeLessThanOrEqual(8192);
        expect(result.split(',').length).toBeLessThanOrEqual(64);
        expect([...result].filter((character) => !isHeaderByte(character))).toEqual([]);
      }),
      run,
    );
  });

  test('writing the same label again changes nothing', () => {
    fc.assert(
      fc.property(baggages, fc.option(labels, { nil: undefined }), (baggage, written) => {
        const once = withLabel(baggage, written);
        expect(withLabel(once, written)).toBe(once);
      }),
      run,
    );
  });
});

/** The members that withLabel has to keep, found in another way than its own. */
function foreign(baggage: string): string[] {
  return baggage
    .split(/[ \t]*,[ \t]*/)
    .map((member) => member.replace(/^[ \t]*/, '').replace(/[ \t]*$/, ''))
    .filter((member) => member !== '' && !/^OpenSergo-Label[ \t]*([=;]|$)/.test(member))
    .filter((member) => [...member].every(isHeaderByte));
}

function isHeaderByte(character: string): boolean {
  const code = character.charCodeAt(0);
  return character.length === 1 && code < 256 && code !== 0x7f && (code >= 0x20 || character === '\t');
}
