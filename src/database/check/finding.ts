// What a check of databases finds, and the statements that mend it.

export type Severity = 'error' | 'warning';

export type Kind =
  | 'server'
  | 'base-table'
  | 'shadow-database'
  | 'shadow-table'
  | 'column'
  | 'primary-key'
  | 'unique-key'
  | 'index'
  | 'constraint'
  | 'engine'
  | 'collation'
  | 'partitions'
  | 'trigger'
  | 'view'
  | 'foreign-key'
  | 'routine'
  | 'event';

export type Finding = {
  readonly kind: Kind;
  readonly severity: Severity;
  /** HOST:PORT of an instance; undefined: the server that is checked. */
  readonly server: string | undefined;
  /** What it is about: `app.orders_gray`. */
  readonly where: string;
  readonly found: string;
  readonly expected: string;
  /** In words. */
  readonly mend: string;
  /** Statements that mend it; none where a person must decide. */
  readonly ddl: readonly string[];
};

export function formatFinding({ severity, kind, server, where, found, expected, mend, ddl }: Finding): string {
  const mended = ddl.length > 0 ? ddl.map((each) => `${each};`).join(' ') : mend;
  return `${severity}: ${kind}: ${server === undefined ? '' : `${server} `}${where}: found ${found}, expected ${expected}; mend: ${mended}`;
}

/** Every statement once, in an order in which they can run; all changes of a table in one ALTER, as one may need another. */
export function mendingStatements(findings: readonly Finding[]): string[] {
  const all = new Set(findings.flatMap(({ ddl }) => ddl));
  const alters = new Map<string, string[]>();
  const others: string[] = [];
  for (const statement of all) {
    const [, table, clause] = /^(ALTER TABLE (?:`(?:[^`]|``)+`\.`(?:[^`]|``)+`)) ([\s\S]+)$/.exec(statement) ?? [];
    // Partitions stand behind all else, and without a comma; unique keys may have to wait until there are none. What a
    // foreign key names may have to be mended first.
    const isAlone = clause === undefined || /^(PARTITION BY|REMOVE PARTITIONING|ADD FOREIGN KEY)/.test(clause);
    if (table === undefined || isAlone) others.push(statement);
    else alters.set(table, [...(alters.get(table) ?? []), clause]);
  }
  const isFirst = (statement: string) => /^(CREATE (DATABASE|TABLE)|DROP TRIGGER)|REMOVE PARTITIONING$/.test(statement);
  return [
    ...others.filter(isFirst),
    ...[...alters].map(([table, clauses]) => `${table} ${clauses.join(',\n  ')}`),
    ...others.filter((statement) => !isFirst(statement)),
  ];
}

export function identifier(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
