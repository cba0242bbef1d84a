// What reaches a base table behind the text of a statement: triggers, views, foreign keys, routines and events.

import type { Connection } from 'mysql2/promise';
import { type Finding, identifier } from '../finding.ts';
import { rows, textOf } from '../schema.ts';
import { type Body, type Name, namedTables } from './names.ts';

export type Pairing = {
  readonly base: Name;
  readonly shadow: Name;
};

export type Reach = {
  /** Of one server. */
  readonly pairs: readonly Pairing[];
  /** Where a label's statement on this view goes; undefined where it stays. */
  twinOf(view: Name): Name | undefined;
  readonly fold: (name: string) => string;
};

type Seen = {
  readonly isBase: (name: Name) => boolean;
  readonly isShadow: (name: Name) => boolean;
  readonly key: (name: Name) => string;
};

const system = "('mysql', 'sys', 'information_schema', 'performance_schema')";

export async function findLeaks(connection: Connection, reach: Reach): Promise<Finding[]> {
  const { pairs, fold } = reach;
  if (pairs.length === 0) return [];
  const key = ({ database, table }: Name) => fold(`${database}\0${table}`);
  const [bases, shadows] = [
    new Set(pairs.map(({ base }) => key(base))),
    new Set(pairs.map(({ shadow }) => key(shadow))),
  ];
  const isShadow = (name: Name) => shadows.has(key(name));
  // A base of one pair may be the shadow of another.
  const seen: Seen = { key, isShadow, isBase: (name) => bases.has(key(name)) && !isShadow(name) };
  return [
    ...(await triggers(connection, pairs, seen)),
    ...(await views(connection, reach, seen)),
    ...(await foreignKeys(connection, seen)),
    ...(await bodies(connection, seen)),
  ];
}

async function triggers(connection: Connection, pairs: readonly Pairing[], seen: Seen): Promise<Finding[]> {
  const all = await rows(
    connection,
    `SELECT TRIGGER_SCHEMA AS db, TRIGGER_NAME AS name, EVENT_OBJECT_TABLE AS tableName, ACTION_TIMING AS timing,
     EVENT_MANIPULATION AS event, ACTION_STATEMENT AS body FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN ${system}`,
  );
  const known = all.map((row) => {
    const [database, name, text] = [String(row['db']), String(row['name']), String(row['body'])];
    const when = `${row['timing']} ${row['event']}`;
    return { database, name, text, when, on: { database, table: String(row['tableName']) } };
  });
  const on = (table: Name) => known.filter((trigger) => seen.key(trigger.on) === seen.key(table));
  const findings: Finding[] = [];
  const leaks = (body: Body) => {
    const { names, written } = namedTables(body);
    return [...names.filter(seen.isBase), ...written.filter((each) => !seen.isShadow(each))][0];
  };
  for (const { shadow } of unique(pairs, ({ shadow }) => seen.key(shadow)))
    for (const { database, name, text } of on(shadow)) {
      const leak = leaks({ text, database });
      if (leak !== undefined)
        findings.push({
          kind: 'trigger',
          severity: 'error',
          server: undefined,
          where: `${shadow.database}.${shadow.table}`,
          found: `the trigger ${name}, which reaches ${leak.database}.${leak.table}`,
          expected: 'triggers of a shadow that touch nothing but shadows',
          mend: 'drop it, or let it name the shadow',
          ddl: [`DROP TRIGGER ${identifier(database)}.${identifier(name)}`],
        });
    }
  for (const { base, shadow } of pairs) {
    const taken = on(shadow).map(({ when }) => when);
    for (const { database, name, text, when } of on(base)) {
      const index = taken.indexOf(when);
      if (index >= 0) {
        taken.splice(index, 1);
        continue;
      }
      const leak = leaks({ text, database });
      const target = `${identifier(shadow.database)}.${identifier(shadow.table)}`;
      const twin = identifier(database === shadow.database ? `${name}_${shadow.table}`.slice(0, 64) : name);
      findings.push({
        kind: 'trigger',
        severity: 'warning',
        server: undefined,
        where: `${shadow.database}.${shadow.table}`,
        found: `no trigger ${when}`,
        expected: `one as ${name} of ${base.database}.${base.table}`,
        mend: `write one that names shadows where ${name} names ${leak ? `${leak.database}.${leak.table}` : 'tables'}`,
        // A copy would write to base.
        ddl: leak
          ? []
          : [`CREATE TRIGGER ${identifier(shadow.database)}.${twin} ${when} ON ${target} FOR EACH ROW ${text}`],
      });
    }
  }
  return findings;
}

async function views(connection: Connection, { twinOf, fold }: Reach, seen: Seen): Promise<Finding[]> {
  const all = await rows(
    connection,
    `SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name, VIEW_DEFINITION AS body FROM information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN ${system}`,
  );
  const tables = await rows(
    connection,
    `SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ${system}`,
  );
  const existing = new Set(tables.map(({ db, name }) => fold(`${db}\0${name}`)));
  return all.flatMap((row): Finding[] => {
    const view = { database: String(row['db']), table: String(row['name']) };
    const text = textOf(row['body']) ?? '';
    const common = { kind: 'view', server: undefined, where: `${view.database}.${view.table}`, ddl: [] } as const;
    if (text === '')
      return [
        {
          ...common,
          severity: 'warning',
          found: 'a view whose text this user may not see',
          expected: 'the text',
          mend: 'grant the user SHOW VIEW and SELECT on it',
        },
      ];
    const leak = namedTables({ text, database: view.database }).names.find(seen.isBase);
    const twin = twinOf(view);
    if (leak === undefined || (twin !== undefined && existing.has(seen.key(twin)))) return [];
    const name = `${leak.database}.${leak.table}`;
    return [
      {
        ...common,
        severity: 'error',
        found: `a view over ${name}, whose rows a label would see through it`,
        expected: twin === undefined ? 'a shadow of the view' : `its twin ${twin.database}.${twin.table}`,
        mend: `make a view over the shadow of ${name}${twin === undefined ? ' and map it in the rules' : ''}, or let statements name the table`,
      },
    ];
  });
}

async function foreignKeys(connection: Connection, seen: Seen): Promise<Finding[]> {
  const all = await rows(
    connection,
    `SELECT DISTINCT TABLE_SCHEMA AS db, TABLE_NAME AS tableName, CONSTRAINT_NAME AS name, REFERENCED_TABLE_SCHEMA AS otherDb,
     REFERENCED_TABLE_NAME AS other FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL`,
  );
  return all.flatMap((row): Finding[] => {
    const own = { database: String(row['db']), table: String(row['tableName']) };
    const other = { database: String(row['otherDb']), table: String(row['other']) };
    const name = String(row['name']);
    if (!seen.isBase(other) || seen.isBase(own)) return [];
    const isShadow = seen.isShadow(own);
    const table = `${identifier(own.database)}.${identifier(own.table)}`;
    return [
      {
        kind: 'foreign-key',
        severity: isShadow ? 'error' : 'warning',
        server: undefined,
        where: `${own.database}.${own.table}`,
        found: `the foreign key ${name} to ${other.database}.${other.table}`,
        expected: isShadow ? 'foreign keys of a shadow to shadows' : 'a shadow of this table too',
        mend: isShadow ? 'drop it' : 'map this table, as its rows need rows that a label does not write there',
        ddl: isShadow ? [`ALTER TABLE ${table} DROP FOREIGN KEY ${identifier(name)}`] : [],
      },
    ];
  });
}

async function bodies(connection: Connection, seen: Seen): Promise<Finding[]> {
  const all = await rows(
    connection,
    `SELECT ROUTINE_SCHEMA AS db, ROUTINE_NAME AS name, ROUTINE_TYPE AS type, ROUTINE_DEFINITION AS body
     FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN ${system}
     UNION ALL SELECT EVENT_SCHEMA, EVENT_NAME, 'EVENT', EVENT_DEFINITION FROM information_schema.EVENTS`,
  );
  return all.flatMap((row): Finding[] => {
    const [database, type, text] = [String(row['db']), String(row['type']), textOf(row['body'])];
    const what = type.toLowerCase();
    const common = {
      kind: type === 'EVENT' ? 'event' : 'routine',
      severity: 'warning',
      server: undefined,
      where: `${database}.${row['name']}`,
      ddl: [],
    } as const;
    if (text === undefined)
      return [
        {
          ...common,
          found: `a ${what} whose text this user may not see`,
          expected: 'the text',
          mend: 'grant the user SHOW ROUTINE or SELECT on mysql.proc',
        },
      ];
    const leak = namedTables({ text, database }).names.find(seen.isBase);
    if (leak === undefined) return [];
    const why = {
      FUNCTION: 'a statement of a label that calls it reaches base, and cannot be told from others',
      PROCEDURE: 'CALL of it is refused to labels',
      EVENT: 'it is of no label',
    }[type];
    return [
      {
        ...common,
        found: `a ${what} that names ${leak.database}.${leak.table}${why ? `: ${why}` : ''}`,
        expected: `no ${what} that names a table with a shadow`,
        mend:
          type === 'EVENT'
            ? 'let it be, where it is meant for base alone'
            : 'do its work in the application, or let no statement of a label call it',
      },
    ];
  });
}

function unique<T>(all: readonly T[], key: (each: T) => string): T[] {
  return [...new Map(all.map((each) => [key(each), each])).values()];
}
