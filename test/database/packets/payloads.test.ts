import { describe, expect, test } from 'vitest';
import { readExecute, writeExecute } from '../../../src/database/payloads/execute.ts';
import { readQuery } from '../../../src/database/payloads/query.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');

describe('COM_QUERY', () => {
  test('is its text, where no attributes are agreed on', () => {
    expect(readQuery(latin1('\x03SELECT 1'), false)).toEqual({ attributes: new Map(), textAt: 1 });
  });

  test('has its text behind the attributes, where they are', () => {
    expect(readQuery(latin1('\x03\0\x01SELECT 1'), true)).toEqual({ attributes: new Map(), textAt: 3 });
  });

  test('says attributes by names in lower case; those that are no texts are stepped over', () => {
    const types = '\x03\0\x01n' + '\xfd\0\x07Baggage' + '\xfd\0\x04null' + '\x0c\0\x04date' + '\xfe\0\x01b';
    const values = '\x07\0\0\0' + '\x05a=b,c' + '\x04\xe9\x07\x01\x01' + '\xfc\x01\0z';
    const found = readQuery(latin1(`\x03\x05\x01\x04\x01${types}${values}SELECT 1`), true);
    expect([...(found?.attributes ?? [])]).toEqual([
      ['baggage', 'a=b,c'],
      ['b', 'z'],
    ]);
    expect(found?.textAt).toBe(1 + 2 + 2 + types.length + values.length);
  });

  test.each([
    '',
    '\x01',
    '\x05\x01',
    '\x01\x01\0\x01',
    '\x01\x01\0\0\xfd\0\0\0',
    '\xff\x01',
    '\x01\x01\0\x01\xfd\0\x01a\x09x',
    '\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01',
  ])('cannot be read: %j', (rest) => {
    expect(readQuery(latin1(`\x03${rest}`), true)).toBeUndefined();
  });
});

describe('COM_STMT_EXECUTE', () => {
  const context = { parameters: 2, hasAttributes: true, remembered: undefined, isLong: () => false };
  const head = (flags: number) => `\x17\x07\0\0\0${String.fromCharCode(flags)}\x01\0\0\0`;
  const old = latin1(`${head(0)}\0\x01\x03\0\xfd\0\x2a\0\0\0\x01x`);
  const withAttributes = latin1(
    `${head(8)}\x04\x04\x01\x03\0\0\xfd\0\0\x08\0\x01n\xfd\0\x07baggage\x2a\0\0\0\x01x\x03a=b`,
  );

  test('loses its attributes before a server that does not know them, and nothing else', () => {
    const found = readExecute(withAttributes, context);
    expect([...(found?.attributes ?? [])]).toEqual([['baggage', 'a=b']]);
    const { parameters } = found ?? {};
    expect(found && writeExecute(found, 7, { count: 2, parameters, hasAttributes: false })).toEqual(old);
  });

  test('is the same where the client sends none', () => {
    const found = readExecute(old, { ...context, hasAttributes: false });
    const { parameters } = found ?? {};
    expect(found && writeExecute(found, 7, { count: 2, parameters, hasAttributes: false })).toEqual(old);
  });

  test('is given the types that its variant has never been told', () => {
    const types = [
      { type: 3, name: '' },
      { type: 0xfd, name: '' },
    ];
    const again = latin1(`${head(0)}\0\0\x2a\0\0\0\x01x`);
    const found = readExecute(again, { ...context, hasAttributes: false, remembered: types });
    expect(found?.parameters).toBeUndefined();
    expect(found && writeExecute(found, 9, { count: 2, parameters: types, hasAttributes: false })).toEqual(
      Buffer.concat([latin1('\x17\x09'), old.subarray(2)]),
    );
  });

  test('has no value for what was sent before as long data', () => {
    const sent = latin1(`${head(8)}\x03\0\x01\x03\0\0\xfc\0\0\xfd\0\x01a\x2a\0\0\0\x01y`);
    const found = readExecute(sent, { ...context, isLong: (index) => index === 1 });
    expect(sent.subarray(found?.valuesAt, found?.valuesTo)).toEqual(latin1('\x2a\0\0\0'));
    expect(found?.attributes.get('a')).toBe('y');
  });

  test('never throws, wherever it ends', () => {
    for (let end = 0; end < withAttributes.length; end += 1)
      expect(() => readExecute(withAttributes.subarray(0, end), context)).not.toThrow();
    expect(readExecute(withAttributes.subarray(0, 20), context)).toBeUndefined();
  });
});
