// Whether two values say the same: a service that is built anew and says the same is not a new one.

/** Of plain data. Functions, and places in texts, say nothing. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a === 'function' && typeof b === 'function') return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) return isSameList(a, b);
  const [ofA, ofB] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  if (ofA.size !== ofB.size) return false;
  for (const [key, value] of ofA) if (!ofB.has(key) || (!isPlace(key) && !isSame(value, ofB.get(key)))) return false;
  return true;
}

/** Whether two lists have the same objects in the same order. */
export function hasSameItems<T>(a: readonly T[] | undefined, b: readonly T[]): boolean {
  return a === b || (a?.length === b.length && a.every((item, index) => item === b[index]));
}

function isSameList(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  return a.every((item, index) => isSame(item, b[index]));
}

function isPlace(key: string): boolean {
  return key === 'place' || key === 'places';
}
