// A table as SHOW CREATE TABLE says it, and in what a shadow differs from its base.

export type Table = {
  /** Definitions by name, in order. */
  readonly columns: ReadonlyMap<string, string>;
  /** Keys by what they are and what they are called: `PRIMARY KEY`, `KEY by_name`. */
  readonly keys: ReadonlyMap<string, string>;
  /** Foreign keys and checks. */
  readonly constraints: readonly string[];
  readonly options: string;
};

export type Difference = {
  readonly severity: 'error' | 'warning';
  readonly message: string;
  /** What mends it, after ALTER TABLE and the name. */
  readonly ddl: string;
};

/** Reads the answer of SHOW CREATE TABLE: one column, key or constraint a line. */
export function readTable(create: string): Table {
  const lines = create.split('\n');
  const columns = new Map<string, string>();
  const keys = new Map<string, string>();
  const constraints: string[] = [];
  for (const line of lines.slice(1, -1)) {
    const definition = line.trim().replace(/,$/, '');
    const name = /^`((?:[^`]|``)+)`/.exec(definition)?.[1];
    const key = /^(?:(PRIMARY) KEY|((?:UNIQUE |FULLTEXT |SPATIAL )?KEY) `((?:[^`]|``)+)`)/.exec(definition);
    if (name !== undefined) columns.set(name, definition.slice(name.length + 2).trim());
    else if (key) keys.set(key[1] ? 'PRIMARY KEY' : `${key[2]} \`${key[3]}\``, definition);
    else constraints.push(definition);
  }
  // Where it goes on counting, and what is said about it, is each table's own.
  const options = (lines.at(-1) ?? '')
    .replace(/^\)\s*/, '')
    .replace(/ (?:AUTO_INCREMENT=\d+|COMMENT='(?:[^']|'')*')/g, '');
  return { columns, keys, constraints, options };
}

/** In what rows of the shadow could not be as those of base; an empty list where nothing differs. */
export function compareTables(base: Table, shadow: Table): Difference[] {
  return [...columnDifferences(base, shadow), ...keyDifferences(base, shadow), ...optionDifferences(base, shadow)];
}

function columnDifferences(base: Table, shadow: Table): Difference[] {
  const differences: Difference[] = [];
  let before: string | undefined;
  for (const [name, wanted] of base.columns) {
    const found = shadow.columns.get(name);
    const place = before === undefined ? 'FIRST' : `AFTER \`${before}\``;
    if (found === undefined)
      differences.push(
        error(`found no column ${name}, expected ${wanted}`, `ADD COLUMN \`${name}\` ${wanted} ${place}`),
      );
    else if (found !== wanted)
      differences.push(
        error(`found the column ${name} ${found}, expected ${wanted}`, `MODIFY COLUMN \`${name}\` ${wanted}`),
      );
    before = name;
  }
  for (const name of shadow.columns.keys())
    if (!base.columns.has(name))
      differences.push(error(`found the column ${name}, which base has not`, `DROP COLUMN \`${name}\``));
  const [wanted, found] = [base, shadow].map(({ columns }) => [...columns.keys()]);
  const isSameSet = wanted?.length === found?.length && wanted?.every((name) => shadow.columns.has(name));
  if (isSameSet && wanted?.join() !== found?.join()) differences.push(order(base, wanted ?? [], found ?? []));
  return differences;
}

/** `INSERT INTO t VALUES (…)` counts by place. */
function order(base: Table, wanted: readonly string[], found: readonly string[]): Difference {
  const moves = wanted.map((name, index) => {
    const place = index === 0 ? 'FIRST' : `AFTER \`${wanted[index - 1]}\``;
    return `MODIFY COLUMN \`${name}\` ${base.columns.get(name)} ${place}`;
  });
  return error(`found the columns in the order ${found.join(', ')}, expected ${wanted.join(', ')}`, moves.join(', '));
}

function keyDifferences(base: Table, shadow: Table): Difference[] {
  const differences: Difference[] = [];
  for (const [name, wanted] of base.keys) {
    const found = shadow.keys.get(name);
    if (found === wanted) continue;
    const message = found === undefined ? `found no ${name}, expected ${wanted}` : `found ${found}, expected ${wanted}`;
    const drop = found === undefined ? '' : `${dropped(name)}, `;
    differences.push({ severity: severityOf(name), message, ddl: `${drop}ADD ${wanted}` });
  }
  for (const [name, found] of shadow.keys)
    if (!base.keys.has(name))
      differences.push({
        severity: severityOf(name),
        message: `found ${found}, which base has not`,
        ddl: dropped(name),
      });
  return differences;
}

/** A key that makes unique changes what may be written; others only how fast. */
function severityOf(key: string): 'error' | 'warning' {
  return /^(PRIMARY|UNIQUE)/.test(key) ? 'error' : 'warning';
}

function dropped(key: string): string {
  return key === 'PRIMARY KEY' ? 'DROP PRIMARY KEY' : `DROP KEY ${key.slice(key.indexOf('`'))}`;
}

function optionDifferences(base: Table, shadow: Table): Difference[] {
  if (base.options === shadow.options) return [];
  const message = `found ${shadow.options}, expected ${base.options}`;
  return [{ severity: 'warning', message, ddl: base.options }];
}

function error(message: string, ddl: string): Difference {
  return { severity: 'error', message, ddl };
}
