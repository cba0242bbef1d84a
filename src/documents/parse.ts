// Text to documents: YAML as an operator wrote it, with the place of everything in it.

import {
  type Alias,
  Composer,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  Parser,
  type YAMLMap,
  type Document as YamlDocument,
} from 'yaml';
import type { Problem } from '../problem.ts';
import { documentsOf } from './envelope.ts';
import { quoted, type Source } from './value.ts';

export type Path = readonly (string | number)[];

/** Without line and column where it was no text: `nacos public/DEFAULT_GROUP/orders`. */
export type Place = { readonly file: string; readonly line?: number; readonly column?: number };

/** A value and where its parts were written. */
export type Tree = {
  /** Plain JavaScript: what JSON can say. */
  readonly value: unknown;
  /** Of the value at a path; of its nearest parent that exists, where it does not. */
  place(path: Path): Place;
  /** Of the name of the field at a path. */
  keyPlace(path: Path): Place;
  /** The scalar at a path as it was written. */
  source(path: Path): Source | undefined;
};

export type Document = Tree & {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly file: string;
  readonly creationTimestamp?: string;
};

export type SourceFile = { readonly file: string; readonly text: string };

const maxCharacters = 1024 * 1024;
/** Of the parser's stack: a level takes one or two. */
const maxDepth = 200;
/** Nodes that aliases may stand for, all together; a billion laughs end here. */
const maxCopies = 10_000;
const maxProblems = 100;

/** Never throws. Documents of the text that have no mistake are returned beside the problems of the others. */
export function parse(text: string, file: string): { documents: Document[]; problems: Problem[] } {
  if (text.length > maxCharacters) {
    const message = `found ${text.length} characters, expected at most ${maxCharacters}; split the file`;
    return { documents: [], problems: [{ severity: 'error', file, message }] };
  }
  const documents: Document[] = [];
  const problems: Problem[] = [];
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => ({
    file,
    line: lines.linePos(offset).line,
    column: lines.linePos(offset).col,
  });
  const tooDeep = (offset: number): void => {
    problems.push({ severity: 'error', ...placeAt(offset), message: 'found too many levels, expected fewer than 100' });
  };
  for (const yaml of read(text, lines, tooDeep)) {
    const faults: Problem[] = [...yaml.errors, ...yaml.warnings].slice(0, maxProblems + 1).map((fault) => ({
      severity: 'error',
      ...placeAt(fault.pos[0]),
      message: `not plain YAML: ${fault.message.replace(/\s+/g, ' ')}`,
    }));
    const tree = faults.length > 0 ? undefined : treeOf(yaml.contents, placeAt, faults);
    problems.push(...faults);
    if (tree !== undefined && faults.length === 0) documentsOf(tree, documents, problems);
  }
  return { documents, problems: bounded(problems, file) };
}

/** `parse` for several files, again and again: a text that has not changed is not parsed, its documents are the same objects. */
export function createParser(): (files: readonly SourceFile[]) => { documents: Document[]; problems: Problem[] } {
  let last = new Map<string, { text: string; parsed: ReturnType<typeof parse> }>();
  return (files) => {
    const readings = files.map(({ file, text }) => {
      const before = last.get(file);
      return { file, text, parsed: before?.text === text ? before.parsed : parse(text, file) };
    });
    last = new Map(readings.map((reading) => [reading.file, reading]));
    return {
      documents: readings.flatMap(({ parsed }) => parsed.documents),
      problems: readings.flatMap(({ parsed }) => parsed.problems),
    };
  };
}

function bounded(problems: Problem[], file: string): Problem[] {
  if (problems.length <= maxProblems) return problems;
  const message = `found more than ${maxProblems} mistakes; mend those above first`;
  return [...problems.slice(0, maxProblems), { severity: 'error', file, message }];
}

/**
 * The library's parser, stopped where a text nests so deep that composing it would end in a stack overflow (`tooDeep` is
 * told where), or has so many mistakes that reading on only takes time.
 */
function* read(text: string, lines: LineCounter, tooDeep: (offset: number) => void): Generator<YamlDocument.Parsed> {
  // Duplicate keys are found here: the library compares every key with every other. The schema is named so that a
  // %YAML directive or a tag cannot bring in dates, sets and binaries.
  const composer = new Composer({ uniqueKeys: false, schema: 'core', resolveKnownTags: false, logLevel: 'silent' });
  const parser = new Parser(lines.addNewLine);
  let errors = 0;
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      if (token.type === 'error') errors++;
      yield* composer.next(token);
    }
    if (parser.stack.length > maxDepth) tooDeep(parser.offset);
    if (parser.stack.length > maxDepth || errors > maxProblems) return yield* composer.end(true, parser.offset);
  }
  for (const token of parser.end()) yield* composer.next(token);
  yield* composer.end(true, parser.offset);
}

/** The library's own conversion does not say where a mistake is. */
function treeOf(root: Node | null, placeAt: (offset: number) => Place, faults: Problem[]): Tree {
  const anchors = new Map<string, { node: Node; value: unknown; size: number }>();
  const targets = new Map<Node, Node>();
  const pairs = new Map<Node, Map<string, Pair>>();
  let size = 0;
  let copies = 0;

  function convert(node: Node | null): unknown {
    if (node === null) return null;
    const before = size++;
    if (isAlias(node)) return aliasOf(node);
    const value = isMap(node)
      ? mappingOf(node)
      : isSeq(node)
        ? node.items.map((item) => convert(item as Node | null))
        : isScalar(node)
          ? node.value
          : null;
    // Known only from here on, so that no alias can stand for something that contains it.
    if (node.anchor !== undefined) anchors.set(node.anchor, { node, value, size: size - before });
    return value;
  }

  function aliasOf(alias: Alias): unknown {
    const name = alias.source;
    const anchor = anchors.get(name);
    if (anchor === undefined) return report(alias, `found *${name}, expected an anchor &${name} before it`);
    targets.set(alias, anchor.node);
    if (copies > maxCopies) return null;
    size += anchor.size;
    copies += anchor.size;
    if (copies <= maxCopies) return anchor.value;
    return report(alias, `found aliases that stand for more than ${maxCopies} values; write them out`);
  }

  function mappingOf(map: YAMLMap): unknown {
    const fields = new Map<string, Pair>();
    for (const pair of map.items) {
      const key = isNode(pair.key) ? pair.key : map;
      const name = nameOf(key);
      if (name === undefined) report(key, 'found a key that is no text, expected a name');
      else if (name === '__proto__') report(key, 'found the key "__proto__", which no document may use');
      else if (fields.has(name)) report(key, `found the key ${quoted(name)} twice, expected it once`);
      else fields.set(name, pair);
    }
    pairs.set(map, fields);
    return Object.fromEntries([...fields].map(([name, { value }]) => [name, convert(value as Node | null)]));
  }

  function report(node: Node, message: string): null {
    if (faults.length <= maxProblems) faults.push({ severity: 'error', ...placeAt(node.range?.[0] ?? 0), message });
    return null;
  }

  function locate(path: Path): { key: Node | undefined; node: Node | undefined; exact: boolean } {
    let [key, node]: (Node | undefined)[] = [undefined, root ?? undefined];
    for (const part of path) {
      const parent = node && (targets.get(node) ?? node);
      const pair = parent && pairs.get(parent)?.get(String(part));
      if (pair !== undefined) [key, node] = [pair.key as Node, (pair.value ?? pair.key) as Node];
      else if (isSeq(parent) && typeof part === 'number' && part in parent.items)
        [key, node] = [undefined, parent.items[part] as Node];
      else return { key, node, exact: false };
    }
    // `{ name }` has a key and no value.
    return { key, node: node && (targets.get(node) ?? node), exact: node !== key };
  }

  const value = convert(root);
  return {
    value,
    place(path) {
      return placeAt(locate(path).node?.range?.[0] ?? 0);
    },
    keyPlace(path) {
      const { key, node } = locate(path);
      return placeAt((key ?? node)?.range?.[0] ?? 0);
    },
    source(path) {
      const { node, exact } = locate(path);
      if (!exact || !isScalar(node) || node.source === undefined) return undefined;
      return { text: node.source, plain: node.type === 'PLAIN' && node.tag === undefined };
    },
  };
}

/** The text of a key as it was written; undefined for what is no text. */
function nameOf(key: unknown): string | undefined {
  if (!isScalar(key) || key.value === null) return undefined;
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}
