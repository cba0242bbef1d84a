// Statements over a grammar: nearly all of them are right, and name orders in every way that there is.
import fc from 'fast-check';

type Factor = { readonly alias: string; readonly database: string | undefined; readonly columns: readonly string[] };
type Scope = readonly Factor[];
type Ctes = ReadonlyMap<string, readonly string[]>;

const tables = new Map([
  ['orders', ['id', 'qty', 'name']],
  ['items', ['id', 'oid']],
  ['customers', ['id', 'name']],
]);

/** Aliases that look like keywords; those that are reserved are none only in quotes, or right before a dot and a name. */
const likeKeywords = ['duplicate', 'where', 'first', 'from', 'quick', 'set', 'next', 'union', 'concurrent', 'into'];
const reserved = new Set(['where', 'from', 'set', 'union', 'into']);

/** A statement that these choices lead to; where they end, the simplest of each is taken. */
export const anyStatement = fc
  .array(fc.nat({ max: 255 }), { minLength: 4, maxLength: 160 })
  .map((choices) => statementOf(choices));

export function statementOf(choices: readonly number[]): string {
  let at = 0;
  let names = 0;
  const below = (count: number): number => (choices[at++] ?? 0) % count;
  const pick = <T>(...from: readonly T[]): T => from[below(from.length)] as T;
  const maybe = (text: string): string => (below(4) === 3 ? text : '');
  const space = (): string => pick(' ', ' ', ' ', ' ', '\n', ' /* from orders */ ', ' -- orders\n ', ' # , orders\n ');
  const quoted = (name: string): string => (reserved.has(name) ? `\`${name}\`` : pick(name, name, `\`${name}\``));
  const keyword = (word: string): string => pick(word, word, word.toLowerCase());
  const shift = below(likeKeywords.length);
  const fresh = (): string => {
    const name = names++;
    const word = name < likeKeywords.length && below(3) === 2 ? likeKeywords[(shift + name) % likeKeywords.length] : '';
    return word || `x${name}`;
  };

  const literal = (): string =>
    pick(
      '1',
      '2',
      "'from orders'",
      '"orders"',
      '5--1',
      '1.',
      '.5',
      'NULL',
      "'it''s \\' orders'",
      "_utf8mb4'orders'",
      "x'41'",
      '@orders',
      'TRUE',
    );

  function column(scope: Scope): string {
    const factor = scope[below(scope.length || 1)];
    if (factor === undefined) return literal();
    const bare = factor.columns[below(factor.columns.length)] ?? 'id';
    if (reserved.has(factor.alias) && below(3) > 0) return `${factor.alias}.${bare}`;
    const name = quoted(bare);
    const qualifier = `${quoted(factor.alias)}${pick('.', '.', ' . ')}`;
    return factor.database !== undefined && below(4) === 3
      ? `${quoted(factor.database)}.${qualifier}${name}`
      : qualifier + name;
  }

  function expression(scope: Scope, ctes: Ctes, depth: number): string {
    const inner = () => expression(scope, ctes, depth - 1);
    switch (depth <= 0 ? below(3) : below(12)) {
      case 0:
      case 1:
        return column(scope);
      case 2:
        return literal();
      case 3:
        return `(${inner()} + ${inner()})`;
      case 4:
        return `COALESCE(${inner()}, ${inner()})`;
      case 5:
        return `CASE WHEN ${condition(scope, ctes, depth - 1)} THEN ${inner()} ELSE ${inner()} END`;
      case 6:
        return `TRIM(BOTH 'x' FROM ${inner()})`;
      case 7:
        return `SUBSTRING(${inner()} FROM 1 FOR 2)`;
      case 8:
        return `(SELECT MAX(${expression(scope, ctes, 0)})${space()}FROM ${source(ctes, depth - 1, scope).sql})`;
      case 9:
        return `(${query(ctes, depth - 1, { outer: scope, columns: 1, isSingle: true })})`;
      case 10:
        return `REPLACE(${inner()}, 'o', 'orders')`;
      default:
        return `/*!50000 ${inner()} */`;
    }
  }

  function condition(scope: Scope, ctes: Ctes, depth: number): string {
    const left = () => expression(scope, ctes, depth - 1);
    switch (depth <= 0 ? below(3) : below(7)) {
      case 0:
      case 1:
        return `${left()} ${pick('=', '<', '>', '<>', '<=>')} ${left()}`;
      case 2:
        return `${left()} IS NOT NULL`;
      case 3:
        return `${left()} BETWEEN ${left()} AND ${left()}`;
      case 4:
        return `${left()} IN (${query(ctes, depth - 1, { outer: scope, columns: 1 })})`;
      case 5:
        return `EXISTS (${query(ctes, depth - 1, { outer: scope, columns: 1 })})`;
      default:
        return `(${condition(scope, ctes, depth - 1)} ${pick('AND', 'OR')} ${condition(scope, ctes, depth - 1)})`;
    }
  }

  /** One factor with its alias; `taken` are those of its block. */
  function factor(ctes: Ctes, depth: number, taken: Set<string>, outer: Scope): { sql: string; scope: Scope } {
    if (depth > 0 && below(5) === 4) {
      const alias = taken.has('orders') || below(3) > 0 ? fresh() : 'orders';
      taken.add(alias);
      const sql = `(${query(ctes, depth - 1, { outer: [], columns: 2, names: true })})${pick(' AS ', ' ')}${quoted(alias)}`;
      return { sql, scope: [{ alias, database: undefined, columns: ['c0', 'c1'] }] };
    }
    const named = [...ctes.keys()];
    const name =
      named.length > 0 && below(3) === 2
        ? (named[below(named.length)] ?? 'orders')
        : pick('orders', 'orders', 'items', 'customers');
    const isQualified = below(3) === 2;
    const columns = (isQualified ? undefined : ctes.get(name)) ?? tables.get(name);
    if (columns === undefined) return factor(new Map(), 0, taken, outer);
    const database = isQualified || !ctes.has(name) ? 'app' : undefined;
    const written = isQualified ? `${quoted('app')}${pick('.', ' . ', ' /* . */ . ')}${quoted(name)}` : quoted(name);
    const alias =
      taken.has(name) || below(3) === 2 ? (taken.has('orders') || below(4) > 0 ? fresh() : 'orders') : undefined;
    taken.add(alias ?? name);
    const sql = alias === undefined ? written : `${written}${pick(' AS ', ' ', '\n')}${quoted(alias)}`;
    return { sql: below(6) === 5 ? `(${sql})` : sql, scope: [{ alias: alias ?? name, database, columns }] };
  }

  function source(ctes: Ctes, depth: number, outer: Scope): { sql: string; scope: Scope } {
    const taken = new Set<string>();
    let { sql, scope } = factor(ctes, depth, taken, outer);
    for (let more = below(3); more > 0; more -= 1) {
      const next = factor(ctes, depth, taken, outer);
      scope = [...scope, ...next.scope];
      const on = `${space()}ON ${condition(scope, ctes, depth - 1)}`;
      sql += pick(
        `,${space()}${next.sql}`,
        ` ${keyword('JOIN')} ${next.sql}${on}`,
        ` LEFT JOIN${space()}${next.sql}${on}`,
        ` STRAIGHT_JOIN ${next.sql}`,
        ` CROSS JOIN ${next.sql}`,
      );
      // What is behind a comma binds later than a JOIN, whose ON would not see it.
      if (sql.includes(',')) break;
    }
    if (below(8) === 7) sql = `(${sql})`;
    else if (below(10) === 9) sql = `{ OJ ${sql} }`;
    return { sql, scope };
  }

  type Shape = {
    readonly outer: Scope;
    readonly columns: number;
    readonly names?: boolean;
    readonly isSingle?: boolean;
  };

  function query(ctes: Ctes, depth: number, shape: Shape): string {
    if (depth > 0 && below(6) === 5) {
      const { sql, now } = withClause(ctes, depth);
      return sql + block(now, depth, shape);
    }
    if (depth > 0 && !shape.isSingle && below(6) === 5)
      return `${block(ctes, depth - 1, shape)} ${pick('UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT')} ${pick(block(ctes, depth - 1, shape), `(${block(ctes, depth - 1, shape)})`)}`;
    return block(ctes, depth, shape);
  }

  function withClause(ctes: Ctes, depth: number): { sql: string; now: Ctes } {
    const now = new Map(ctes);
    const parts: string[] = [];
    for (let more = below(2) + 1; more > 0; more -= 1) {
      const name = pick('orders', 'cte', 'items', fresh());
      if (parts.some((part) => part.startsWith(`${name} `))) continue;
      parts.push(
        `${reserved.has(name) ? quoted(name) : name} AS (${query(new Map(now), depth - 1, { outer: [], columns: 2, names: true })})`,
      );
      now.set(name, ['c0', 'c1']);
    }
    return { sql: `${keyword('WITH')} ${parts.join(', ')} `, now };
  }

  function block(ctes: Ctes, depth: number, { outer, columns, names: hasNames, isSingle }: Shape): string {
    const { sql, scope } = source(ctes, depth, outer);
    // A column that the nearer factor of a name has not would be looked for in the one around it.
    const seen = [...scope, ...outer.filter(({ alias }) => !scope.some((factor) => factor.alias === alias))];
    const list = Array.from({ length: columns }, (_, index) => {
      const value = isSingle ? `MAX(${expression(scope, ctes, 0)})` : expression(seen, ctes, depth - 1);
      return hasNames ? `${value} AS c${index}` : value;
    });
    const where = below(2) === 1 ? `${space()}${keyword('WHERE')} ${condition(seen, ctes, depth - 1)}` : '';
    return `${keyword('SELECT')}${space()}${list.join(', ')}${space()}${keyword('FROM')}${space()}${sql}${where}`;
  }

  const target = (): string => pick('orders', '`orders`', 'app.orders', '`app` . `orders`');
  const own: Scope = [{ alias: 'orders', database: 'app', columns: ['id', 'qty', 'name'] }];
  const none: Ctes = new Map();
  const assignment = (scope: Scope): string => `${pick('qty', '`qty`')} = ${expression(scope, none, 1)}`;
  const qualifiedAssignment = (scope: Scope): string =>
    `${pick('orders.qty', '`orders`.`qty`', 'app.orders.qty')} = ${expression(scope, none, 1)}`;
  const order = (): string =>
    pick('', ' ORDER BY orders.id', ' ORDER BY id LIMIT 2', ' ORDER BY `orders`.id DESC LIMIT 1');

  switch (below(14)) {
    case 0:
    case 1:
    case 2:
      return query(none, 3, { outer: [], columns: 2 });
    case 3: {
      const { sql, scope } = source(none, 2, []);
      const first = scope[0]?.alias ?? 'orders';
      return `SELECT ${pick('*', `\`${first}\`.*`, `${quoted(first)}.*, ${column(scope)}`)} FROM ${sql} WHERE ${condition(scope, none, 2)}${maybe(' FOR UPDATE')}`;
    }
    case 4: {
      const values = Array.from(
        { length: below(2) + 1 },
        () => `(${below(200) + 3}, ${expression([], none, 2)}, ${literal()})`,
      );
      const duplicate = maybe(` ON DUPLICATE KEY UPDATE ${qualifiedAssignment(own)}, name = VALUES(orders.name)`);
      return `${pick('INSERT INTO', 'INSERT IGNORE', 'REPLACE INTO').replace('REPLACE INTO', duplicate === '' ? 'REPLACE INTO' : 'INSERT INTO')} ${target()} ${pick('(id, qty, name)', '(`id`,qty,orders.name)', '(app.orders.id, qty, name)')} VALUES ${values.join(', ')}${duplicate}`;
    }
    case 5: {
      const { sql, scope } = source(none, 2, []);
      const select = `SELECT ${expression(scope, none, 1)}, ${expression(scope, none, 1)} FROM ${sql}`;
      const duplicate = scope.some(({ alias }) => alias === 'orders')
        ? ''
        : maybe(` ON DUPLICATE KEY UPDATE orders.qty = ${pick('1', column(scope), 'app.orders.qty')}`);
      return `INSERT IGNORE INTO ${target()} (qty, name) ${pick(select, `(${select})`)}${duplicate}`;
    }
    case 6:
      return `INSERT INTO ${target()} SET ${qualifiedAssignment([])}, name = ${expression([], none, 2)}`;
    case 7:
      return `UPDATE ${target()} SET ${pick(assignment(own), qualifiedAssignment(own))} WHERE ${condition(own, none, 2)}${order()}`;
    case 8: {
      const alias = fresh();
      const scope = [{ alias, database: 'app', columns: ['id', 'qty', 'name'] }];
      return `UPDATE ${target()} ${pick('AS ', '')}${quoted(alias)} SET ${alias}.qty = ${expression(scope, none, 1)} WHERE ${condition(scope, none, 2)}`;
    }
    case 9: {
      const scope = [...own, { alias: 'i', database: 'app', columns: ['id', 'oid'] }];
      return `UPDATE ${target()} ${pick('JOIN items i ON i.oid = orders.id', ', items AS i', 'LEFT JOIN (items i, customers) ON i.oid = orders.id')} SET ${qualifiedAssignment(scope)} WHERE ${condition(scope, none, 2)}`;
    }
    case 10:
      return `DELETE FROM ${target()} WHERE ${condition(own, none, 3)}${order()}`;
    case 11: {
      const scope = [...own, { alias: 'items', database: 'app', columns: ['id', 'oid'] }];
      return pick(
        `DELETE ${pick('orders', '`orders`', 'orders.*', 'app.orders')} FROM ${target()} JOIN items ON ${condition(scope, none, 2)}`,
        `DELETE FROM ${pick('orders', 'app.orders', 'orders.*')} USING ${target()}, items WHERE ${condition(scope, none, 2)}`,
        `DELETE o FROM ${target()} AS o WHERE o.id IN (SELECT x.oid FROM items x)`,
        `DELETE o.*, orders FROM orders, orders o WHERE orders.id = o.id`,
      );
    }
    case 12:
      return `SET @x = ${expression([], none, 3)}, @orders = 'orders'`;
    default:
      return pick(
        `DO ${expression([], none, 3)}`,
        `EXPLAIN ${query(none, 2, { outer: [], columns: 1 })}`,
        `DELETE FROM ${target()} WHERE ${condition(own, none, 1)} RETURNING id, orders.qty`,
        `(${query(none, 2, { outer: [], columns: 1 })}) UNION (${query(none, 1, { outer: [], columns: 1 })}) ORDER BY 1`,
        `SHOW COLUMNS FROM ${target()}`,
        `DESCRIBE ${target()}`,
      );
  }
}
