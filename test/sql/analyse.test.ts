import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { analyse } from '../../src/sql/analyse.ts';
import type { SessionChange } from '../../src/sql/analysis.ts';
import { divert } from '../../src/sql/divert.ts';
import { withCharset } from '../../src/sql/mode.ts';
import { anyMode, anySql } from './arbitrary.ts';
import { bytes, mariadb, mysql, orders } from './given.ts';

function changes(sql: string): readonly SessionChange[] {
  return analyse(sql, mariadb).statements.flatMap((statement) => statement.changes);
}

describe('what a statement changes about its session', () => {
  const variable = (name: string, value?: string | null): SessionChange => ({ what: 'variable', name, value });
  const sqlMode = (value?: string): SessionChange => ({ what: 'sqlMode', value });
  const charset = (value?: string): SessionChange => ({ what: 'charset', value });
  const cases: [string, SessionChange[]][] = [
    ['USE other', [{ what: 'database', value: 'other' }]],
    ['USE `a``b`;', [{ what: 'database', value: 'a`b' }]],
    ["SET sql_mode = 'ANSI'", [sqlMode('ANSI')]],
    ['SET SQL_MODE = ansi_quotes', [sqlMode('ansi_quotes')]],
    ["SET SESSION sql_mode = 'a,b'", [sqlMode('a,b')]],
    ["SET LOCAL sql_mode := ''", [sqlMode('')]],
    [
      "SET @@sql_mode = 'A', @@session.sql_mode = 'B', @@local . `sql_mode` = 'C'",
      [sqlMode('A'), sqlMode('B'), sqlMode('C')],
    ],
    ['SET sql_mode = DEFAULT', [sqlMode()]],
    ["SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", [sqlMode()]],
    ['SET sql_mode = @old', [sqlMode()]],
    ['SET @old = @@sql_mode, sql_mode = 4', [variable('old'), sqlMode()]],
    ["SET sql_mode = 0x414E5349, sql_mode = X'414E5349'", [sqlMode(), sqlMode()]],
    // Behind it the session reads as before.
    ["SET STATEMENT `sql_mode` = '' FOR SET sql_mode = 'A'", [sqlMode('A'), sqlMode()]],
    ["SET STATEMENT max_statement_time = 1 FOR SET sql_mode = 'A'", [sqlMode('A')]],
    // In MySQL these are the same variable.
    ["SET sql_mod\xc3\xa9 = '', SESSION \xc5\xbfql_mode = ''", [sqlMode(), sqlMode()]],
    ["SET `sql_mode ` = '', @@`sql_mode ` = '', @@session.`sql_mode ` = ''", [sqlMode(), sqlMode(), sqlMode()]],
    ["SET @@sql_mod\xc3\xa9 = '', @@\xdfql_mode = ''", [sqlMode(), sqlMode()]],
    ["SET GLOBAL sql_mode = 'ANSI'", []],
    ["SET @@global.sql_mode = 'ANSI'", []],
    // A scope counts for those behind it that have none.
    ["SET GLOBAL x = 1, sql_mode = 'A'", []],
    ["SET GLOBAL x = 1, SESSION sql_mode = 'A'", [sqlMode('A')]],
    ["SET @@global.x = 1, sql_mode = 'A'", [sqlMode('A')]],
    ["SET GLOBAL x = 1, @@sql_mode = 'A'", [sqlMode('A')]],
    ['SET NAMES utf8mb4', [charset('utf8mb4')]],
    ["SET NAMES 'gbk' COLLATE 'gbk_bin'", [charset('gbk')]],
    ['SET NAMES DEFAULT', [charset()]],
    ['SET CHARACTER SET big5', [charset('big5')]],
    ['SET CHARSET sjis', [charset('sjis')]],
    ["SET CHAR SET 'gbk', CHAR SET big5", [charset('gbk'), charset('big5')]],
    ['SET character_set_client = 28', [charset()]],
    ['SET character_set_client = latin1', [charset('latin1')]],
    ["SET NAMES utf8, sql_mode = 'A', @x = 'b'", [charset('utf8'), sqlMode('A'), variable('x', 'b')]],
    ["SET @Lane = 'gray'", [variable('lane', 'gray')]],
    ['SET @`a``b` := \'it\'\'s\', @"c" = "d"', [variable('a`b', "it's"), variable('c', 'd')]],
    ['SET @x = 5, @y = NULL, @z = -1', [variable('x', '5'), variable('y', null), variable('z')]],
    ["SET @x = 0x4d, @y = X'4D', @z = 0b1", [variable('x'), variable('y'), variable('z')]],
    ["SET @x = CONCAT('a', 'b'), @y = (SELECT 'a, b')", [variable('x'), variable('y')]],
    ["SET @x = _utf8'a'", [variable('x')]],
    ["SET @x = N'a'", [variable('x')]],
    ['SELECT @x := 5', [variable('x')]],
    ['SELECT a, b INTO @x, @Y FROM t', [variable('x'), variable('y')]],
    ['SELECT a FROM t INTO @x', [variable('x')]],
    ["LOAD DATA INFILE 'x' INTO TABLE t (a, @x, @y) SET b = @z", [variable('x'), variable('y')]],
    ['CALL p(@x)', [variable('x')]],
    ['GET DIAGNOSTICS @n = NUMBER', [variable('n')]],
    ['SET autocommit = 0', []],
    ['SET character_set_results = NULL, @@session.net_write_timeout = 5', []],
    ["SELECT 1; USE b; SET @x = 'y'", [{ what: 'database', value: 'b' }, variable('x', 'y')]],
  ];
  test.each(cases)('%s', (sql, expected) => {
    expect(changes(sql)).toEqual(expected);
  });
});

describe('what a SET sets for its session alone, `!` where it is no literal', () => {
  const settings = (sql: string) =>
    analyse(sql, mariadb).statements.flatMap((statement) =>
      statement.settings.map(({ name, text, isLiteral }) => `${name}: ${text}${isLiteral ? '' : ' !'}`),
    );
  test.each([
    ['SET autocommit=1;', ['autocommit: autocommit=1']],
    ["SET SESSION a = -1, @X := 'it', @y = NULL", ['a: SESSION a = -1', "@x: @X := 'it'", '@y: @y = NULL']],
    ['SET @a = b, c = d, e = @f', ['@a: @a = b !', 'c: c = d', 'e: e = @f !']],
    [
      'SET wait_timeout = (SELECT 1), @y = f(1, 2)',
      ['wait_timeout: wait_timeout = (SELECT 1) !', '@y: @y = f(1, 2) !'],
    ],
    [
      'SET sql_mode = DEFAULT, wait_timeout = DEFAULT',
      ['sql_mode: sql_mode = DEFAULT !', 'wait_timeout: wait_timeout = DEFAULT'],
    ],
    ['SET NAMES utf8 COLLATE utf8_bin, @x = 1', ['names: NAMES utf8 COLLATE utf8_bin', '@x: @x = 1']],
    ['SET TRANSACTION READ ONLY', ['transaction read only: TRANSACTION READ ONLY']],
    [
      'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY',
      [
        'session transaction isolation level read committed, read only: SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY',
      ],
    ],
    ['SET ROLE admin', ['role: ROLE admin !']],
    ['SET autocommit = ?', ['autocommit: autocommit = ? !']],
    ['SET @x = 1, GLOBAL max_connections = 5, wait_timeout = 6, @y = 2', ['@x: @x = 1', '@y: @y = 2']],
    ['SET @@global.a = 1, @@persist.b = 2, @@c = 3', ['c: @@c = 3']],
    ['SET GLOBAL TRANSACTION READ ONLY', []],
    ["SET PASSWORD = 'new'", []],
    ["SET @x = 1, PASSWORD = 'new'", ['@x: @x = 1']],
    ["SET PASSWORD FOR 'root'@'%' = PASSWORD('new')", []],
    ['SET DEFAULT ROLE NONE', []],
    ['SET RESOURCE GROUP g', []],
    ['SET STATEMENT max_statement_time = 9 FOR SELECT 1', []],
    ['CREATE PROCEDURE p() BEGIN SET @x = 1; SET autocommit = 0; END', []],
  ])('%s', (sql, expected) => {
    expect(settings(sql)).toEqual(expected);
  });
});

describe('statements of one text', () => {
  const verbs = (sql: string) => analyse(sql, mariadb).statements.map(({ verb, from, to }) => `${verb} ${from}-${to}`);

  test.each([
    ['SELECT 1; SELECT 2', ['SELECT 0-8', 'SELECT 10-18']],
    [' SELECT 1 ; ; -- x\n', ['SELECT 1-9']],
    ["SELECT ';' ; SELECT `;` -- ;", ['SELECT 0-10', 'SELECT 13-23']],
    ['CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END; SELECT 3', ['CREATE PROCEDURE 0-60']],
    ['CREATE TRIGGER t AFTER INSERT ON o FOR EACH ROW SET @x = 1; SELECT 3', ['CREATE TRIGGER 0-58', 'SELECT 60-68']],
    ['CREATE TABLE begin (a INT); SELECT 1', ['CREATE TABLE 0-26', 'SELECT 28-36']],
    ['BEGIN NOT ATOMIC SELECT 1; END; SELECT 2', ['BEGIN 0-40']],
    ['BEGIN; SELECT 1', ['BEGIN 0-5', 'SELECT 7-15']],
    ['', []],
  ])('%s', (sql, expected) => {
    expect(verbs(sql)).toEqual(expected);
  });
});

test('a text is read in the mode that its statements before have set', () => {
  const { statements } = analyse(
    `SET sql_mode = 'ANSI_QUOTES'; SELECT "a" FROM "orders"; SET sql_mode = ''; SELECT "a"`,
    mariadb,
  );
  expect(statements.map(({ tables }) => tables.map(({ table }) => table))).toEqual([[], ['orders'], [], []]);
});

test('what is behind a change that nobody can know is not read', () => {
  expect(analyse('SET sql_mode = @x; SELECT 1', mariadb)).toMatchObject({
    unread: 'what is behind a change of sql_mode or charset, from byte 18 on',
  });
  expect(analyse('SET sql_mode = @x', mariadb).unread).toBeUndefined();
});

test('comments are seen even where statements are not read', () => {
  const comments = (sql: string, mode = mariadb) => analyse(sql, mode).comments;
  expect(comments("SET sql_mode = @x; SELECT /* a */ ';' -- b\n; SELECT 2 /* c */")).toEqual([' a ', ' b', ' c ']);
  expect(comments('SELECT 1 /* a */', withCharset(mariadb, 'swe7'))).toEqual([' a ']);
});

test('verbs are from a closed list, whatever is written', () => {
  const odd = [
    'foo 1',
    'CREATE foo x',
    'DROP foo',
    'ALTER foo',
    'LOCK foo',
    'LOAD foo',
    'SHOW foo',
    'RENAME foo',
    'START foo',
  ];
  expect(odd.map((sql) => analyse(sql, mariadb).statements[0]?.verb)).toEqual([
    ...['?', 'CREATE', 'DROP', 'ALTER', 'LOCK', 'LOAD', 'SHOW', 'RENAME', 'START'],
  ]);
});

test('which tables are written is said of each', () => {
  const written = (sql: string) =>
    analyse(sql, mysql).statements.flatMap(({ tables }) =>
      tables.map(({ table, isWritten }) => (isWritten ? table : `(${table})`)),
    );
  expect(written('INSERT INTO a SELECT * FROM b')).toEqual(['a', '(b)']);
  expect(written('UPDATE a JOIN b SET b.x = a.x')).toEqual(['(a)', 'b']);
  expect(written('UPDATE a, b SET x = 1')).toEqual(['a', 'b']);
  expect(written('UPDATE app.a x JOIN app.b y SET app.x.c = 1')).toEqual(['x'.replace('x', 'a'), '(b)']);
  expect(written('UPDATE a JOIN (SELECT * FROM b) b SET b.x = 1, a.x = 1')).toEqual(['a', '(b)']);
  expect(written('DELETE a FROM a JOIN b')).toEqual(['a', '(b)']);
  expect(written('DELETE FROM a, c USING a JOIN b JOIN c')).toEqual(['a', '(b)', 'c']);
  expect(written('EXPLAIN DELETE FROM a')).toEqual(['(a)']);
  expect(written('SELECT * FROM a FOR UPDATE')).toEqual(['(a)']);
  expect(written('LOCK TABLES a WRITE')).toEqual(['(a)']);
});

test('names are compared as bytes, and spoken as bytes', () => {
  const { statements } = analyse(bytes('SELECT * FROM `订单` JOIN 订单2 é'), mariadb);
  expect(statements[0]?.tables.map(({ table }) => table)).toEqual([bytes('订单'), bytes('订单2')]);
});

describe('whatever the bytes are', () => {
  test('analysing and diverting never throws, and every place is within its text and in order', () => {
    fc.assert(
      fc.property(anySql, anyMode, (sql, mode) => {
        const analysis = analyse(sql, mode);
        for (const { tables, qualifiers, from, to } of analysis.statements)
          for (const place of [...tables, ...qualifiers]) {
            expect(place.from).toBeGreaterThanOrEqual(from);
            expect(place.to).toBeLessThanOrEqual(to);
            expect(place.to).toBeGreaterThan(place.from);
          }
        for (const definitions of ['refuse', 'shadow'] as const)
          divert(sql, analysis, { database: 'app', shadows: orders, definitions });
      }),
      { numRuns: 3_000 },
    );
  });

  test('nothing is rewritten where each table is its own shadow', () => {
    const itself = { shadowOf: (name: { database: string; table: string }) => name, isShadow: () => true };
    fc.assert(
      fc.property(anySql, anyMode, (sql, mode) => {
        const verdict = divert(sql, analyse(sql, mode), { database: 'app', shadows: itself, definitions: 'shadow' });
        expect(verdict.do).not.toBe('rewrite');
      }),
      { numRuns: 2_000 },
    );
  });

  test('a rewritten text is read as the first was: the same statements, with shadows in the place of tables', () => {
    const home = { ...orders, isShadow: () => true };
    fc.assert(
      fc.property(anySql, anyMode, (sql, mode) => {
        const verdict = divert(sql, analyse(sql, mode), { database: 'app', shadows: home, definitions: 'shadow' });
        if (verdict.do !== 'rewrite') return;
        const again = analyse(verdict.text, mode);
        expect(again.unread).toBeUndefined();
        expect(again.statements.map(({ verb }) => verb)).toEqual(analyse(sql, mode).statements.map(({ verb }) => verb));
        expect(divert(verdict.text, again, { database: 'app', shadows: home, definitions: 'shadow' })).toEqual({
          do: 'pass',
        });
      }),
      { numRuns: 3_000 },
    );
  });
});
