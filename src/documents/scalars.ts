// Plain scalars that mean one thing in a file and another to the Kubernetes API server.

import type { Problem } from '../problem.ts';
import type { Document, Path } from './parse.ts';
import { problemAt } from './place.ts';
import { isJsonNumber, isMapping, isTextOnlyForYaml12, quoted } from './value.ts';

/** The mistakes among the scalars that somebody reads: `status` and what an API server writes are left alone. */
export function scalarProblems(document: Document): Problem[] {
  const problems: Problem[] = [];
  visit(document.value, []);
  return problems;

  function visit(value: unknown, path: Path): void {
    if (isIgnored(path)) return;
    if (Array.isArray(value)) for (const [index, item] of value.entries()) visit(item, [...path, index]);
    else if (isMapping(value)) for (const [key, field] of Object.entries(value)) visit(field, [...path, key]);
    else if (typeof value === 'number' || (typeof value === 'string' && isTextOnlyForYaml12(value))) check(value, path);
  }

  function check(value: string | number, path: Path): void {
    const source = document.source(path);
    if (!source?.plain || (typeof value === 'number' && isJsonNumber(source.text))) return;
    const remedy = `quote it: ${quoted(source.text)}`;
    const message =
      typeof value === 'string'
        ? `found ${source.text}, which Kubernetes does not read as a string; ${remedy}`
        : `found ${source.text}, which not every reader takes for the same number; write ${value}, or ${remedy}`;
    problems.push(problemAt(document, path, message));
  }
}

const readMetadata: readonly unknown[] = [undefined, 'name', 'namespace', 'labels', 'annotations'];

function isIgnored([first, second]: Path): boolean {
  return first === 'status' || (first === 'metadata' && !readMetadata.includes(second));
}
