// What several targets draw from: texts that are nearly what they should be.
import fc from 'fast-check';

const hex32 = fc.string({ unit: fc.constantFrom(...'0123456789abcdefF'), minLength: 32, maxLength: 32 });
const pieces = [
  ...[
    'gray',
    'blue',
    'base',
    'OpenSergo-Label',
    'opensergo-label',
    'OpenSergo-Label=gray',
    '=',
    ',',
    ';',
    ' ',
    '\t',
    '%2C',
  ],
  ...['%', '00', 'ff', '-', ':', '%3A', '/', 'Root=1-', 'Parent=1', ';o=1', 'YWJj', '0', '1', '18446744073709551616'],
  ...[
    '4bf92f3577b34da6a3ce929d0e0e4736',
    '00f067aa0ba902b7',
    '0'.repeat(16),
    '\n',
    '\r\n',
    '\0',
    '\x7f',
    '\xe4',
    '"',
    '\\',
  ],
];

/** A byte string of a header: pieces that mean something somewhere, glued at random; sometimes very long. */
export const headerValue = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(fc.oneof(fc.constantFrom(...pieces), hex32), { maxLength: 8 }).map((all) => all.join('')),
  },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 40 }).map((all) => String.fromCharCode(...all)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...pieces, 'a=1,', 'OpenSergo-Label=gray,'), fc.constantFrom(64, 65, 300, 3000))
      .map(([piece, times]) => piece.repeat(times)),
  },
);

export const label = fc.oneof(
  fc.constantFrom('gray', 'blue', 'gray.eu', 'x', 'a'.repeat(63)),
  fc
    .stringMatching(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/)
    .filter((text) => text !== 'base' && text.length < 64),
);
