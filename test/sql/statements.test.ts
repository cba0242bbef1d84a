import { describe, expect, test } from 'vitest';
import { analyse } from '../../src/sql/analyse.ts';
import { divert } from '../../src/sql/divert.ts';
import { orders, readMarked } from './given.ts';

const statements = readMarked('statements.txt');
const isMapped = ({ database = 'app', table }: { database: string | undefined; table: string }) =>
  database === 'app' && table === 'orders';

test('eighty statements are in the table', () => {
  expect(statements).toHaveLength(80);
});

describe('every place where app.orders is a table is found, and no other', () => {
  test.each(statements)('$name', ({ sql, mode, tables }) => {
    const { statements: found, unread } = analyse(sql, mode);
    expect(unread).toBeUndefined();
    expect(found.map(({ obstacle, found: what }) => obstacle && `${obstacle}: ${what}`)).toEqual([undefined]);
    expect(
      found
        .flatMap((statement) => statement.tables)
        .filter(isMapped)
        .map(({ tableAt: { from, to } }) => ({ from, text: sql.slice(from, to) })),
    ).toEqual(tables);
  });
});

describe('outside of tables, aliases and qualifiers the bytes stay', () => {
  test.each(statements)('$name', ({ sql, mode, tables, qualifiers }) => {
    const home = { ...orders, isShadow: () => true };
    const verdict = divert(sql, analyse(sql, mode), { database: 'app', shadows: home, definitions: 'shadow' });
    if (tables.length === 0) {
      expect(verdict).toEqual({ do: 'pass' });
      return;
    }
    if (verdict.do !== 'rewrite') throw new Error(JSON.stringify(verdict));
    expect(verdict.text).toMatch(outside(sql, [...tables, ...qualifiers]));
  });
});

/** The text with a name, or a name and its alias, in each of these places. */
function outside(sql: string, places: readonly { readonly from: number; readonly text: string }[]): RegExp {
  const sorted = [...places].sort((a, b) => a.from - b.from);
  const from = [0, ...sorted.map((place) => place.from + place.text.length)];
  const kept = from.map((start, index) =>
    sql.slice(start, sorted[index]?.from).replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'),
  );
  return new RegExp(
    `^${kept.join('(?:["`]?orders(?:_gray)?["`]?(?: WRITE, app\\.orders_gray)?(?: AS ["`]?orders["`]?)?)')}$`,
  );
}
