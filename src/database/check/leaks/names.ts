// The tables that a stored body names: of a trigger, a view, a routine. Reads too much rather than too little.

export type Body = {
  readonly text: string;
  /** Where unqualified names are. */
  readonly database: string;
};

export type Name = { readonly database: string; readonly table: string };

export type Named = {
  readonly names: readonly Name[];
  /** Those whose rows it writes, as far as its verbs say. */
  readonly written: readonly Name[];
};

const part = '(?:`(?:[^`]|``)+`|[\\w$\\u0080-\\uffff]+)';
const name = `${part}(?:\\s*\\.\\s*${part})?`;
const writing = new RegExp(
  `\\b(?:(?:insert|replace)\\s+(?:\\w+\\s+)*?into\\s+|(?:insert|replace)\\s+(?!into\\b)(?:ignore\\s+)?|delete\\s+(?:\\w+\\s+)*?from\\s+|(?<!\\bfor\\s+)(?<!\\bkey\\s+)update\\s+(?:low_priority\\s+|ignore\\s+)*|truncate\\s+(?:table\\s+)?)(${name})`,
  'giu',
);

export function namedTables({ text, database }: Body): Named {
  const code = text
    .replaceAll(/'(?:[^'\\]|''|\\[\s\S])*'/g, "''")
    .replaceAll(/\/\*(?![!M])[\s\S]*?\*\/|(?:--\s|#).*/g, ' ');
  const names = [...code.matchAll(new RegExp(name, 'gu'))].flatMap(([found]): Name[] => {
    const [first = '', second] = partsOf(found);
    // orders.id: a column of orders.
    const own = { database, table: first };
    return second === undefined ? [own] : [{ database: first, table: second }, own];
  });
  const written = [...code.matchAll(writing)].map(([, found = '']): Name => {
    const [first = '', second] = partsOf(found);
    return second === undefined ? { database, table: first } : { database: first, table: second };
  });
  return { names, written };
}

function partsOf(found: string): string[] {
  return [...found.matchAll(new RegExp(part, 'gu'))].map(([each]) =>
    each.startsWith('`') ? each.slice(1, -1).replaceAll('``', '`') : each,
  );
}
