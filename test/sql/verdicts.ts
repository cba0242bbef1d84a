// The table of verdicts: a statement with what is special about it, and behind an arrow what becomes of it.
import { readFileSync } from 'node:fs';
import { analyse } from '../../src/sql/analyse.ts';
import { divert, type Verdict } from '../../src/sql/divert.ts';
import type { Mode } from '../../src/sql/mode.ts';
import { tableKey } from '../../src/sql/temporary.ts';
import { bytes, type Marked, readable, shadowsOf, unmark } from './given.ts';

export const shadows = shadowsOf({
  'app.orders': 'app.orders_gray',
  'app.moved': 'app_gray.moved',
  'app.both': 'app_gray.two',
});

export type Case = { readonly statement: string; readonly expected: string };

export function readCases(): Case[] {
  const lines = readFileSync(new URL('verdicts.txt', import.meta.url), 'utf8').split('\n');
  return lines.flatMap((line, index) =>
    line === '' || line.startsWith('## ') || line.startsWith('→ ')
      ? []
      : [{ statement: line, expected: (lines[index + 1] ?? '').replace(/^→ /, '') }],
  );
}

/** `SELECT 1 [my8, db=other]` */
export function given(statement: string): Omit<Marked, 'name'> {
  const [, sql = '', flags = ''] = /^(.*?)(?: \[((?:ansi|nbe|my8|define|db=|temp=)[^\]]*)\])?$/s.exec(statement) ?? [];
  return unmark(sql, flags.split(', '));
}

/** By the server that the statement is written for, or by this one. */
export function verdictOf(statement: string, server?: Mode['server']): Verdict {
  const { sql, flags, mode: written } = given(statement);
  const mode = server === undefined ? written : { ...written, server };
  const flag = (name: string) => flags.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
  const temporary = flag('temp');
  return divert(sql, analyse(sql, mode), {
    database: flag('db') === 'none' ? undefined : (flag('db') ?? 'app'),
    shadows,
    definitions: flags.includes('define') ? 'shadow' : 'refuse',
    temporary: new Set(temporary === undefined ? [] : [tableKey({ database: 'app', table: bytes(temporary) }, mode)]),
  });
}

export function told(verdict: Verdict): string {
  if (verdict.do === 'rewrite') return readable(verdict.text);
  return verdict.do === 'pass' ? 'passes' : `refused: ${verdict.reason}`;
}
