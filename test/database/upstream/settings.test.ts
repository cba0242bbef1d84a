import { expect, test } from 'vitest';
import { createSettings, maxSettingBytes, maxSettings } from '../../../src/database/upstream/settings.ts';
import { analyse } from '../../../src/sql/analyse.ts';
import { mariadb } from '../../sql/given.ts';

function after(...texts: readonly string[]) {
  const settings = createSettings();
  for (const text of texts)
    for (const statement of analyse(text, mariadb).statements)
      for (const each of statement.settings) settings.keep(each);
  return settings;
}

const kept = (...texts: readonly string[]) => after(...texts).kept.map(({ text }) => text);

test('what is set again is kept once, in the order in which it was set last', () => {
  expect(kept('SET autocommit=1', 'SET @a=1', 'SET autocommit=0')).toEqual(['@a=1', 'autocommit=0']);
  expect(kept("SET @x=1, @X='2', SESSION x=3", 'SET @@x=4')).toEqual(["@X='2'", '@@x=4']);
  expect(kept("SET NAMES latin1, sql_mode='A'", 'SET NAMES utf8', "SET sql_mode=''")).toEqual([
    'NAMES utf8',
    "sql_mode=''",
  ]);
  expect(kept('SET wait_timeout=(SELECT 1)', 'SET wait_timeout=5')).toEqual(['wait_timeout=5']);
});

test('how a text is read stays before texts that are read in that way, and goes with the last of them', () => {
  const first = ['SET NAMES latin1', "SET @a='\xe9'", 'SET NAMES utf8'];
  expect(kept(...first)).toEqual(['NAMES latin1', "@a='\xe9'", 'NAMES utf8']);
  expect(kept(...first, "SET @a='e'")).toEqual(['NAMES utf8', "@a='e'"]);
  expect(kept("SET sql_mode='NO_BACKSLASH_ESCAPES'", "SET @a='\\\\'", "SET sql_mode=''")).toHaveLength(3);
  expect(kept("SET sql_mode='A'", "SET @a='it''s'", "SET sql_mode=''")).toEqual(["@a='it''s'", "sql_mode=''"]);
});

test('what only adds to what was set is kept beside it', () => {
  const both = ["optimizer_switch='mrr=on'", "optimizer_switch='mrr_cost_based=off'"];
  expect(kept(...both.map((each) => `SET ${each}`))).toEqual(both);
});

test('of too many, or too long ones, none is kept, until the session is new', () => {
  const many = Array.from({ length: maxSettings }, (_, at) => `SET @a${at}=1`);
  expect(kept(...many, ...many)).toHaveLength(maxSettings);
  const long = `SET @long='${'x'.repeat(maxSettingBytes)}'`;
  for (const each of [[...many, 'SET @b=1'], [long]]) {
    const settings = after(...each);
    expect(settings).toMatchObject({ isFull: true, kept: [] });
    settings.keep({ text: '@b=1', name: '@b', isLiteral: true });
    expect(settings).toMatchObject({ isFull: true, kept: [] });
    settings.clear();
    expect(settings).toMatchObject({ isFull: false, kept: [] });
  }
});
