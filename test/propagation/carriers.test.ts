import { describe, expect, test } from 'vitest';
import { carriedLabel } from '../../src/propagation/carriers.ts';
import { requestWith } from './given.ts';

const none = { label: undefined, disagreement: false, invalid: false };
const invalid = { label: undefined, disagreement: false, invalid: true };
const gray = { label: 'gray', disagreement: false, invalid: false };
const disputed = { label: 'gray', disagreement: true, invalid: false };

describe('a request carries the label of its header, else that of its baggage', () => {
  test.each<[string, string | undefined, string | undefined, object]>([
    ['neither', undefined, undefined, none],
    ['a baggage without our member', undefined, 'a=1', none],
    ['the header alone', 'gray', undefined, gray],
    ['the baggage alone', undefined, 'a=1,OpenSergo-Label=gray', gray],
    ['both alike', 'gray', 'OpenSergo-Label=gray', gray],
    [
      'both, of different labels: the header wins and the disagreement is told',
      'gray',
      'OpenSergo-Label=blue',
      disputed,
    ],
    ['labels that differ in case only are different', 'gray', 'OpenSergo-Label=Gray', disputed],
    ['the header, beside a member that is no label: no disagreement', 'gray', 'OpenSergo-Label=!', gray],
    ['the header, beside two members that differ', 'gray', 'OpenSergo-Label=a,OpenSergo-Label=b', gray],
  ])('%s', (_, header, baggage, expected) => {
    expect(carried(header, baggage)).toEqual(expected);
  });
});

describe('a header that is there and is no label hides the baggage, as it does in Envoy', () => {
  test.each([
    ['two values', 'gray,blue'],
    ['one value twice', 'gray,gray'],
    ['outside the grammar', 'gray; x=1'],
    ['too long', 'a'.repeat(64)],
    ['not ASCII', 'gr\xe4y'],
    ['with a line break', 'gray\n'],
    ['empty', ''],
  ])('%s', (_, header) => {
    expect(carried(header, undefined)).toEqual(invalid);
    expect(carried(header, 'OpenSergo-Label=gray')).toEqual(invalid);
  });
});

describe('without a header, a member of ours that is no label is known as such', () => {
  test.each(['OpenSergo-Label=', 'OpenSergo-Label=a,OpenSergo-Label=b', 'a=1,OpenSergo-Label=!'])('%s', (baggage) => {
    expect(carried(undefined, baggage)).toEqual(invalid);
  });
});

function carried(header: string | undefined, baggage: string | undefined) {
  const headers: Record<string, string> = {};
  if (header !== undefined) headers['x-opensergo-traffic'] = header;
  if (baggage !== undefined) headers['baggage'] = baggage;
  return carriedLabel(requestWith(headers));
}
