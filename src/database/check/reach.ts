// Ways to a base table that no text of an application shows: views, triggers, foreign keys, routines.

import type { Connection } from 'mysql2/promise';
import { tokenize } from '../../sql/lexer.ts';
import { plainMode } from '../../sql/mode.ts';
import { nameOf } from '../../sql/tokens/token.ts';
import type { Finding } from './inspect.ts';

/** In text. */
export type Names = { readonly database: string; readonly table: string };

type Row = readonly (string | null)[];

/** What of this server reaches one of these tables, or may. */
export async function reaches(connection: Connection, bases: readonly Names[]): Promise<Finding[]> {
  if (bases.length === 0) return [];
  const ask = async (sql: string): Promise<readonly Row[]> => {
    const [rows] = await connection.query({ sql, rowsAsArray: true });
    return rows as unknown as readonly Row[];
  };
  const system = "('mysql', 'sys', 'information_schema', 'performance_schema')";
  const views = await ask(
    `SELECT table_schema, table_name, view_definition FROM information_schema.views WHERE table_schema NOT IN ${system}`,
  );
  const triggers = await ask(
    `SELECT trigger_schema, trigger_name, event_object_schema, event_object_table, action_statement FROM information_schema.triggers WHERE trigger_schema NOT IN ${system}`,
  );
  const keys = await ask(
    `SELECT constraint_schema, constraint_name, table_schema, table_name, referenced_table_schema, referenced_table_name FROM information_schema.key_column_usage WHERE referenced_table_name IS NOT NULL`,
  );
  const routines = await ask(
    `SELECT routine_schema, routine_name, routine_definition, routine_type FROM information_schema.routines WHERE routine_schema NOT IN ${system}`,
  );
  const events = await ask(
    `SELECT event_schema, event_name, event_definition, 'EVENT' FROM information_schema.events WHERE event_schema NOT IN ${system}`,
  );
  return [
    ...views.flatMap(([schema, name, body]) =>
      named(body, bases).map((base) =>
        finding(
          'error',
          'view',
          `${schema}.${name}`,
          `found a view of ${base}: who reads it reads base, whatever the label; make a twin of the view, or read the table`,
        ),
      ),
    ),
    ...triggers.flatMap(([schema, name, onSchema, onTable, body]) => {
      const own = `${onSchema}.${onTable}`;
      const reached = named(body, bases).filter((base) => base !== own);
      if (reached.length > 0)
        return [
          finding(
            'error',
            'trigger',
            `${schema}.${name}`,
            `found a trigger on ${own} that names ${reached.join(', ')}: what a label writes there may reach base; let it name the shadow`,
          ),
        ];
      return bases.some(({ database, table }) => `${database}.${table}` === own)
        ? [
            finding(
              'warning',
              'trigger',
              `${schema}.${name}`,
              `found a trigger on ${own}, which its shadow has only where you make it one`,
            ),
          ]
        : [];
    }),
    ...keys.flatMap(([, name, schema, table, toSchema, toTable]) => {
      const [from, to] = [`${schema}.${table}`, `${toSchema}.${toTable}`];
      const isBase = (each: string) => bases.some((base) => `${base.database}.${base.table}` === each);
      if (!isBase(to) || isBase(from)) return [];
      return [
        finding(
          'warning',
          'foreign key',
          `${from} (${name})`,
          `found a foreign key to ${to}: rows of a label are held against base; let it refer to the shadow, or drop it`,
        ),
      ];
    }),
    ...[...routines, ...events].flatMap(([schema, name, body, type]) =>
      named(body, bases).map((base) =>
        finding(
          'warning',
          'routine',
          `${schema}.${name}`,
          `found ${base} in this ${type?.toLowerCase()}: CALL is refused of a label, but a function in a statement, and an event, cannot be seen`,
        ),
      ),
    ),
  ];
}

/** The tables whose names stand in a body, be it as something else. */
function named(body: string | null | undefined, bases: readonly Names[]): string[] {
  if (!body) return [];
  const text = Buffer.from(body, 'utf8').toString('latin1');
  const { tokens } = tokenize(text, plainMode);
  const names = new Set(
    tokens
      .filter(({ kind }) => kind === 'word' || kind === 'name')
      .map((token) => Buffer.from(nameOf(text, token), 'latin1').toString('utf8')),
  );
  return bases.filter(({ table }) => names.has(table)).map(({ database, table }) => `${database}.${table}`);
}

function finding(severity: Finding['severity'], kind: Finding['kind'], subject: string, message: string): Finding {
  return { severity, kind, subject, message, ddl: [] };
}
