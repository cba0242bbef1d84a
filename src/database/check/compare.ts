// Two tables that should be alike: what differs, and the clause of ALTER TABLE that mends the shadow.

import { identifier, type Kind, type Severity } from './finding.ts';
import type { Column, Index, Table } from './schema.ts';

export type Difference = {
  readonly kind: Kind;
  readonly severity: Severity;
  readonly found: string;
  readonly expected: string;
  /** What ALTER TABLE needs behind the shadow's name. */
  readonly clauses: readonly string[];
};

/** In an order in which their clauses can run; all together they make the shadow as the base is. */
export function compareTables(base: Table, shadow: Table): Difference[] {
  return [
    ...compareColumns(base.columns, shadow.columns),
    ...compareIndexes(base.indexes, shadow.indexes),
    ...compareChecks(base.checks, shadow.checks),
    ...compareRest(base, shadow),
  ];
}

/** Names of columns compare without case on every server. */
const key = ({ name }: { readonly name: string }) => name.toLowerCase();

function compareColumns(base: readonly Column[], shadow: readonly Column[]): Difference[] {
  const [inBase, inShadow] = [new Set(base.map(key)), new Map(shadow.map((each) => [key(each), each]))];
  const common = base.filter((each) => inShadow.has(key(each)));
  const moved = movesOf(
    common,
    shadow.map(key).filter((name) => inBase.has(name)),
  );
  const differences: Difference[] = [];
  for (const column of shadow)
    if (!inBase.has(key(column)))
      differences.push(
        error(`the column ${column.name}`, 'no such column', [`DROP COLUMN ${identifier(column.name)}`]),
      );
  for (const column of common) {
    const place = moved.get(key(column));
    const clause = `MODIFY COLUMN ${identifier(column.name)} ${definitionOf(column)}${place ?? ''}`;
    const other = inShadow.get(key(column)) ?? column;
    for (const [what, read] of aspects)
      if (read(column) !== read(other))
        differences.push(error(`${what} ${read(other)} of the column ${column.name}`, read(column), [clause]));
    if (place !== undefined)
      differences.push(
        error(`the column ${column.name} at another position`, `it${place || ' where it is in base'}`, [clause]),
      );
  }
  for (const [index, column] of base.entries())
    if (!inShadow.has(key(column))) {
      const clause = `ADD COLUMN ${identifier(column.name)} ${definitionOf(column)}${behind(base[index - 1])}`;
      differences.push(error(`no column ${column.name}`, `${column.name} ${column.type}`, [clause]));
    }
  return differences;
}

const aspects: readonly (readonly [string, (column: Column) => string])[] = [
  // Newer servers say no display width, which means nothing.
  ['the type', ({ type }) => type.replace(/^((?:tiny|small|medium|big)?int)\(\d+\)/, '$1')],
  ['the nullability', ({ isNullable }) => (isNullable ? 'NULL' : 'NOT NULL')],
  ['the default', (column) => column.default ?? 'none'],
  ['the charset', ({ charset }) => charset ?? 'none'],
  ['the collation', ({ collation }) => collation ?? 'none'],
  ['the property', ({ extra }) => extra || 'none'],
  ['the expression', ({ generated }) => generated ?? 'none'],
];

/** The fewest columns that must move so that the order is that of base, with where to. */
function movesOf(common: readonly Column[], shadow: readonly string[]): ReadonlyMap<string, string> {
  const positions = common.map((column) => shadow.indexOf(key(column)));
  // Of every column, the longest run of columns in the right order that ends with it; the longest of all stays.
  const runs: (readonly number[])[] = [];
  for (const position of positions) {
    const before = runs.filter((run) => (run.at(-1) ?? -1) < position);
    runs.push([...longest(before), position]);
  }
  const staying = new Set(longest(runs));
  return new Map(
    common.flatMap((column, index) =>
      staying.has(positions[index] ?? -1) ? [] : [[key(column), behind(common[index - 1])] as const],
    ),
  );
}

function longest(runs: readonly (readonly number[])[]): readonly number[] {
  return runs.reduce((best, run) => (run.length > best.length ? run : best), []);
}

function behind(column: Column | undefined): string {
  return column === undefined ? ' FIRST' : ` AFTER ${identifier(column.name)}`;
}

/** SHOW CREATE TABLE leaves out a charset that is the table's; the other table may have another. */
function definitionOf({ type, definition, charset, collation }: Column): string {
  if (charset === undefined || collation === undefined || !definition.startsWith(type)) return definition;
  const rest = definition.slice(type.length).replace(/^( CHARACTER SET \w+)?( COLLATE \w+)?/, '');
  return `${type} CHARACTER SET ${charset} COLLATE ${collation}${rest}`;
}

function compareIndexes(base: readonly Index[], shadow: readonly Index[]): Difference[] {
  const nameOf = ({ name }: Index) => name?.toLowerCase();
  const differences: Difference[] = [];
  for (const index of shadow)
    if (!base.some((each) => nameOf(each) === nameOf(index)))
      differences.push({
        ...kindOf(index),
        found: index.definition,
        expected: 'no such key',
        clauses: [dropped(index)],
      });
  for (const index of base) {
    const other = shadow.find((each) => nameOf(each) === nameOf(index));
    if (other?.definition === index.definition) continue;
    const found = other?.definition ?? `no ${index.name === undefined ? 'primary key' : `key ${index.name}`}`;
    const clauses = [...(other === undefined ? [] : [dropped(other)]), `ADD ${index.definition}`];
    const kind = other?.isUnique ? kindOf(other) : kindOf(index);
    differences.push({ ...kind, found, expected: index.definition, clauses });
  }
  return differences;
}

function kindOf({ name, isUnique }: Index): Pick<Difference, 'kind' | 'severity'> {
  if (name === undefined) return { kind: 'primary-key', severity: 'error' };
  return isUnique ? { kind: 'unique-key', severity: 'error' } : { kind: 'index', severity: 'warning' };
}

function dropped({ name }: Index): string {
  return name === undefined ? 'DROP PRIMARY KEY' : `DROP INDEX ${identifier(name)}`;
}

/** By what they say: names are one for a database on MySQL, and cannot be the same. */
function compareChecks(base: Table['checks'], shadow: Table['checks']): Difference[] {
  const more = [...shadow].filter(([check]) => !base.has(check));
  const less = [...base.keys()].filter((check) => !shadow.has(check));
  const common = { kind: 'constraint', severity: 'error' } as const;
  return [
    ...more.map(([check, name]) => ({
      ...common,
      found: check,
      expected: 'no such constraint',
      clauses: [`DROP CONSTRAINT ${identifier(name)}`],
    })),
    ...less.map((check) => ({ ...common, found: 'no such constraint', expected: check, clauses: [`ADD ${check}`] })),
  ];
}

function compareRest(base: Table, shadow: Table): Difference[] {
  const found: Difference[] = [];
  if (base.engine !== shadow.engine)
    found.push({
      kind: 'engine',
      severity: 'warning',
      found: shadow.engine,
      expected: base.engine,
      clauses: [`ENGINE=${base.engine}`],
    });
  if (base.collation !== shadow.collation) {
    const clause = `DEFAULT CHARACTER SET ${base.collation.split('_')[0]} COLLATE ${base.collation}`;
    found.push({
      kind: 'collation',
      severity: 'warning',
      found: shadow.collation,
      expected: base.collation,
      clauses: [clause],
    });
  }
  if (base.partitions !== shadow.partitions)
    found.push({
      kind: 'partitions',
      severity: 'warning',
      found: shadow.partitions ?? 'no partitions',
      expected: base.partitions ?? 'no partitions',
      clauses: [base.partitions ?? 'REMOVE PARTITIONING'],
    });
  return found;
}

function error(found: string, expected: string, clauses: readonly string[]): Difference {
  return { kind: 'column', severity: 'error', found, expected, clauses };
}
