// Problems that know where in a document they are.

import type { Problem } from '../problem.ts';
import type { Document, Path } from './parse.ts';

/** A problem at the value of a path. */
export function problemAt(document: Document, path: Path, message: string): Problem {
  return { severity: 'error', ...document.place(path), path: pathText(path), message };
}

/** In the order of the text. */
export function byPlace(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

/** `spec.match[0].key` */
function pathText(path: Path): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '');
}
