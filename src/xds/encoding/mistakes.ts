// What is wrong with a value: where, what was found, what was expected.
export type Mistakes = string[];

type Fields = Readonly<Record<string, unknown>>;

export function isObject(mistakes: Mistakes, value: unknown, path: string, expected: string): value is Fields {
  const is = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!is) mistake(mistakes, path, value, expected);
  return is;
}

export function isList(mistakes: Mistakes, value: unknown, path: string): value is readonly unknown[] {
  const is = Array.isArray(value);
  if (!is) mistake(mistakes, path, value, 'a list');
  return is;
}

export function mistake(mistakes: Mistakes, path: string, found: unknown, expected: string): void {
  const text = JSON.stringify(found, (_, part) => (typeof part === 'bigint' ? String(part) : part)) ?? String(found);
  const short = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  mistakes.push(`${path || 'the resource'}: found ${short}, expected ${expected}`);
}
