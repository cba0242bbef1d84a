// What tests of SQL are given: marked statements, modes, and shadows of a small shop.
import { readFileSync } from 'node:fs';
import { type Mode, plainMode, withSqlMode } from '../../src/sql/mode.ts';
import type { Shadows, TableName } from '../../src/sql/shadows.ts';

export const mariadb = plainMode;
export const mysql: Mode = { ...plainMode, server: { flavour: 'mysql', version: 80036 } };

/** SQL as it comes over the wire: one character a byte. */
export function bytes(sql: string): string {
  return Buffer.from(sql, 'utf8').toString('latin1');
}

export function readable(sql: string): string {
  return Buffer.from(sql, 'latin1').toString('utf8');
}

export type Marked = {
  readonly name: string;
  readonly flags: readonly string[];
  readonly sql: string;
  readonly mode: Mode;
  /** Where « » stood, with what was between. */
  readonly tables: readonly { readonly from: number; readonly text: string }[];
  /** Where ‹ › stood. */
  readonly qualifiers: readonly { readonly from: number; readonly text: string }[];
};

/** Statements with marks: `## name [flags]`, and lines up to the next. */
export function readMarked(file: string): Marked[] {
  const text = readFileSync(new URL(file, import.meta.url), 'utf8');
  return text
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const end = section.indexOf('\n');
      const [, name = '', flags = ''] = /^(.*?)(?: \[(.*)\])?$/.exec(section.slice(0, end)) ?? [];
      return { name, ...unmark(section.slice(end + 1).trim(), flags.split(', ')) };
    });
}

export function unmark(marked: string, flags: readonly string[]): Omit<Marked, 'name'> {
  const tables: { from: number; text: string }[] = [];
  const qualifiers: { from: number; text: string }[] = [];
  let sql = '';
  for (const part of marked.split(/(«[^»]*»|‹[^›]*›)/)) {
    const inner = /^[«‹]/.test(part) ? part.slice(1, -1) : part;
    if (part.startsWith('«')) tables.push({ from: sql.length, text: bytes(inner) });
    if (part.startsWith('‹')) qualifiers.push({ from: sql.length, text: bytes(inner) });
    sql += bytes(inner);
  }
  const base = flags.includes('my8') ? mysql : mariadb;
  const modes = [flags.includes('ansi') ? 'ANSI_QUOTES' : '', flags.includes('nbe') ? 'NO_BACKSLASH_ESCAPES' : ''];
  return { flags, sql, mode: withSqlMode(base, modes.join(',')), tables, qualifiers };
}

/** Shadows by `app.orders` → `app.orders_gray`. */
export function shadowsOf(map: Readonly<Record<string, string>>): Shadows {
  const name = (text: string): TableName => {
    const [database = '', table = ''] = text.split('.');
    return { database, table };
  };
  const shadows = new Map(Object.entries(map).map(([table, shadow]) => [table, name(shadow)]));
  const values = new Set(Object.values(map));
  return {
    shadowOf: ({ database, table }) => shadows.get(`${database}.${table}`),
    isShadow: ({ database, table }) => values.has(`${database}.${table}`),
  };
}

export const orders = shadowsOf({ 'app.orders': 'app.orders_gray' });
