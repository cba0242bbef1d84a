import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tokenize } from '../../src/sql/lexer.ts';
import { type Mode, withSqlMode } from '../../src/sql/mode.ts';
import { anyMode, anySql } from './arbitrary.ts';
import { mariadb, mysql } from './given.ts';

const ansi = withSqlMode(mariadb, 'ANSI_QUOTES');
const noEscapes = withSqlMode(mariadb, 'NO_BACKSLASH_ESCAPES');
const inCharset = (charset: Mode['charset']): Mode => ({ ...mariadb, charset });

/** Each token with a letter of its kind (i: a name, for it is an identifier), or why the text could not be read. */
function tokens(sql: string, mode: Mode): string {
  const { tokens: found, unread } = tokenize(sql, mode);
  return (
    unread ?? found.map(({ kind, from, to }) => `${kind === 'name' ? 'i' : kind[0]}:${sql.slice(from, to)}`).join(' ')
  );
}

describe('a text falls into tokens as it does in the server', () => {
  const cases: [string, string, Mode?][] = [
    ['SELECT 1', 'w:SELECT n:1'],
    ['`a``b` "c""d" \'e\'\'f\'', 'i:`a``b` s:"c""d" s:\'e\'\'f\''],
    ['"a\\"b" `a\\`', 'a quoted name that does not end at byte 5', ansi],
    ['"a" "b""c"', 'i:"a" i:"b""c"', ansi],
    [`'a\\'b'`, `s:'a\\'b'`],
    [`'a\\' b`, `s:'a\\' w:b`, noEscapes],
    [`'a\\\\' b`, `s:'a\\\\' w:b`],
    ['5--1', 'n:5 s:- s:- n:1'],
    ['5-- 1', 'n:5'],
    ['5--\t1\n+2', 'n:5 s:+ n:2'],
    ['5--\x011', 'n:5'],
    ['5--', 'n:5'],
    ['5#1\n+2', 'n:5 s:+ n:2'],
    ['1/**/2', 'n:1 n:2'],
    ['1/*/2', 'a comment that does not end at byte 1'],
    ['1/*! 2 */3', 'n:1 n:2 n:3'],
    ['1/*!50000 2 */3', 'n:1 n:2 n:3'],
    ['1/*!50700 2 */3', 'n:1 n:3'],
    ['1/*!50700 2 */3', 'n:1 n:2 n:3', mysql],
    ['1/*!80037 2 */3', 'n:1 n:3', mysql],
    ['1/*!5000 2 */3', 'n:1 n:5000 n:2 n:3'],
    ['1/*!101199 2 */3', 'n:1 n:3'],
    ['1/*M!101100 2 */3', 'n:1 n:2 n:3'],
    ['1/*M!50700 2 */3', 'n:1 n:2 n:3'],
    ['1/*M! 2 */3', 'n:1 n:3', mysql],
    ['1/*!99999 2 /* 3 */ 4 */ 5', 'n:1 n:5'],
    ['1/*! 2 /* 3 */ 4 */ 5', 'n:1 n:2 n:4 n:5'],
    ['1/*! 2 /*! 3 */ 4 */ 5', 'n:1 n:2 n:3 n:4 s:* s:/ n:5'],
    ['1/*! 2', 'a comment of code that does not end at byte 6'],
    ['1 */ 2', 'n:1 s:* s:/ n:2'],
    ['1/*! -- */ 2\n3 */ 4', 'n:1 n:3 n:4'],
    ['/*+ hint */ 1', 'n:1'],
    ["N'a' n'b' X'4D' b'01' _utf8'c'", "s:N'a' s:n'b' s:X'4D' s:b'01' w:_utf8 s:'c'"],
    ["x'4G'", 'a string that does not end at byte 0'],
    ['0x4D 0b01 0xG 0b2 0X1 0x', 'n:0x4D n:0b01 w:0xG w:0b2 w:0X1 w:0x'],
    ['1.5 .5 1. 1e5 1.e5 1e+5 1e 1ea 1.5e-3', 'n:1.5 n:.5 n:1. n:1e5 n:1.e5 n:1e+5 w:1e w:1ea n:1.5e-3'],
    ['1.FROM', 'n:1. w:FROM'],
    ['1.e', 'a number that is none at byte 0'],
    ['1a $a a$ _a é', 'w:1a w:$a w:a$ w:_a w:é'],
    ['app.1a app.select app . x', 'i:app s:. i:1a i:app s:. i:select w:app s:. i:x'],
    [
      'from.x from.1 from .x from.`x` from.* from/**/.x',
      'i:from s:. i:x i:from s:. i:1 w:from s:. i:x w:from s:. i:`x` w:from s:. s:* w:from s:. i:x',
    ],
    ['app.1e5 app.5', 'i:app s:. i:1e5 i:app s:. i:5'],
    ['@a @`b c` @"d" @\'e\' @@x.y a@b.c @', 'v:@a v:@`b c` v:@"d" v:@\'e\' v:@@x s:. i:y w:a v:@b.c v:@'],
    ['\\NFROM', 's:\\N w:FROM'],
    ['a;b', 'w:a s:; w:b'],
    ['$$ a $$', 'w:$$ w:a w:$$'],
    ['$$ a $$', 'a dollar quote at byte 0', mysql],
    ['$a', 'w:$a', mysql],
    ['[a]', 'a [ at byte 0'],
    ['a\0', 'a NUL at byte 1'],
    ['-- a\0', 'a NUL in a comment at byte 0'],
    ['`a\0`', 'a quoted name that does not end at byte 0'],
    ["'a\0'", "s:'a\0'"],
    [')', 'a ) too many at byte 0'],
    ['((1)', 'a ( without its ) at byte 0'],
    // 0x5C and 0x60 as the second byte of a character.
    ["'\xbf\\' 1", "s:'\xbf\\' n:1", inCharset('gbk')],
    ["'\xbf\\' 1'", "s:'\xbf\\' 1'"],
    ['`\xbf`` 1', 'i:`\xbf`` n:1', inCharset('gbk')],
    ['a\xbf`b 1', 'w:a\xbf`b n:1', inCharset('gbk')],
    ["'\xa4\\' 1", "s:'\xa4\\' n:1", inCharset('big5')],
    ["'\x83\\' 1", "s:'\x83\\' n:1", inCharset('sjis')],
    ["'\xbf\\' 1'", "s:'\xbf\\' 1'", inCharset('sjis')],
    ["'\x81\x30\x81\x30\\' 1'", "s:'\x81\x30\x81\x30\\' 1'", inCharset('gb18030')],
    ["'\x81\x7f' 1", "s:'\x81\x7f' n:1", inCharset('gbk')],
    ['a\xa0b', 'w:a\xa0b'],
    ['a\xa0b', 'a byte that may be white space at byte 0', inCharset('single')],
    ['5--\xa0a', 'a -- with a doubt at byte 1', inCharset('single')],
    ['5--\xa0a', 'n:5 s:- s:- w:\xa0a'],
    // A server reads names of variables byte by byte, in whatever charset.
    ['@\xa1`, 1', 'a variable that does not end at byte 0', inCharset('gbk')],
    ['@@\xa1`, 1', 'a variable that does not end at byte 0', inCharset('big5')],
    ['@a.\x81\x30\x81\x30', 'a variable that does not end at byte 0', inCharset('gb18030')],
    ['@a\xb0\xa1', 'a variable that does not end at byte 0', inCharset('euc')],
    ['@`\x81` 1`, @a.b', 'v:@`\x81` 1` s:, v:@a.b', inCharset('gbk')],
    ['@\xc3\xa9, 1', 'v:@\xc3\xa9 s:, n:1'],
    ['@\xe9, 1', 'v:@\xe9 s:, n:1', inCharset('single')],
  ];

  test.each(cases)('%j is %j', (sql, expected, mode = mariadb) => {
    expect(tokens(sql, mode)).toBe(expected);
  });
});

test('comments are their insides in order, without hints and without what is code for somebody', () => {
  const sql = "/* a */ SELECT /*+ b */ 1 /*! 2 */ /*!99999 3 */ -- c\n# d\n /**/ '/* e */' --\n";
  expect(tokenize(sql, mariadb).comments).toEqual([' a ', ' c', ' d', '', '']);
});

test('tokens and gaps tile the text, and nothing but white space and comments is in a gap', () => {
  fc.assert(
    fc.property(anySql, anyMode, (sql, mode) => {
      const { tokens: found } = tokenize(sql, mode);
      let at = 0;
      for (const { from, to } of found) {
        expect(from).toBeGreaterThanOrEqual(at);
        expect(to).toBeGreaterThan(from);
        expect(sql.slice(at, from)).toMatch(/^(\s|\/\*|\*\/|--|#|$)/);
        at = to;
      }
      expect(at).toBeLessThanOrEqual(sql.length);
    }),
    { numRuns: 2_000 },
  );
});
