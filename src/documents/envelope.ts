// What every Kubernetes-shaped document begins with: apiVersion, kind, metadata.name; and the kind List, which holds others.
// Values that were never a text become documents here: those of registries, API servers and the disk snapshot.

import type { Problem } from '../problem.ts';
import type { Document, Path, Tree } from './parse.ts';
import { isMapping, quoteHint, shown, valueAt } from './value.ts';

/** What every document has at least. */
export type DocumentValue = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
};

/**
 * The document of a value that has its envelope. `origin` stands where problems of files name the file:
 * `nacos public/DEFAULT_GROUP/orders`. An envelope that is none is a mistake of the caller, and throws.
 */
export function documentFrom(value: DocumentValue, origin: string): Document {
  const { documents, problems } = documentsFrom(value, origin);
  const [document] = documents;
  if (document === undefined) throw new Error(`${origin}: ${problems[0]?.message ?? 'no document'}`);
  return document;
}

/** The same for a value that somebody else wrote, which may be no document, or a List of them. */
export function documentsFrom(value: unknown, origin: string): { documents: Document[]; problems: Problem[] } {
  const documents: Document[] = [];
  const problems: Problem[] = [];
  documentsOf(bare(value, origin), documents, problems);
  return { documents, problems };
}

function bare(value: unknown, file: string): Tree {
  const place = { file };
  return { value, place: () => place, keyPlace: () => place, source: () => undefined };
}

/** Adds the documents of a tree, and what keeps it from being one. A List counts as its items. */
export function documentsOf(tree: Tree, documents: Document[], problems: Problem[]): void {
  const { value } = tree;
  // An empty document: two `---` in a row, or only comments.
  if (value === null) return;
  if (isMapping(value) && value['kind'] === 'List') {
    itemsOf(tree, value['items'], documents, problems);
    return;
  }
  const mistakes = isMapping(value)
    ? envelopeMistakes(tree)
    : [mistake(tree, [], 'a mapping with apiVersion, kind and metadata')];
  problems.push(...mistakes);
  if (mistakes.length === 0) documents.push(documentOf(tree));
}

function itemsOf(tree: Tree, items: unknown, documents: Document[], problems: Problem[]): void {
  if (!Array.isArray(items)) {
    problems.push(mistake(tree, ['items'], 'a list'));
    return;
  }
  for (const index of items.keys()) documentsOf(partOf(tree, ['items', index]), documents, problems);
}

function envelopeMistakes(tree: Tree): Problem[] {
  const mistakes: Problem[] = [];
  for (const field of ['apiVersion', 'kind'])
    if (!isName(valueAt(tree.value, [field]))) mistakes.push(nameMistake(tree, [field]));
  if (!isMapping(valueAt(tree.value, ['metadata'])))
    return [...mistakes, mistake(tree, ['metadata'], 'a mapping with name')];
  const name = ['metadata', 'name'];
  const namespace = ['metadata', 'namespace'];
  if (!isName(valueAt(tree.value, name))) mistakes.push(nameMistake(tree, name));
  const space = valueAt(tree.value, namespace);
  if (space !== undefined && !isName(space)) mistakes.push(nameMistake(tree, namespace));
  return mistakes;
}

function documentOf(tree: Tree): Document {
  const text = (path: Path): string => String(valueAt(tree.value, path));
  const namespace = valueAt(tree.value, ['metadata', 'namespace']);
  const creationTimestamp = valueAt(tree.value, ['metadata', 'creationTimestamp']);
  return {
    ...tree,
    apiVersion: text(['apiVersion']),
    kind: text(['kind']),
    namespace: namespace === undefined ? 'default' : String(namespace),
    name: text(['metadata', 'name']),
    file: tree.place([]).file,
    ...(typeof creationTimestamp === 'string' && { creationTimestamp }),
  };
}

function partOf(tree: Tree, prefix: Path): Tree {
  return {
    value: valueAt(tree.value, prefix),
    place: (path) => tree.place([...prefix, ...path]),
    keyPlace: (path) => tree.keyPlace([...prefix, ...path]),
    source: (path) => tree.source([...prefix, ...path]),
  };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function nameMistake(tree: Tree, path: Path): Problem {
  return mistake(tree, path, `a name${quoteHint(tree.source(path))}`);
}

function mistake(tree: Tree, path: Path, expected: string): Problem {
  const found = shown(valueAt(tree.value, path), tree.source(path));
  return {
    severity: 'error',
    ...tree.place(path),
    ...(path.length > 0 && { path: path.join('.') }),
    message: `found ${found}, expected ${expected}`,
  };
}
