// Texts of files → the mesh. A wrong document keeps its last good form; the others go on.

import { type Document, parse } from '../documents/parse.ts';
import type { Problem } from '../problem.ts';
import { compile, isRule } from '../rules/compile.ts';
import { isService, type Mesh, toServices } from './mesh.ts';

export type SourceFile = { readonly file: string; readonly text: string };

export type Assembly = { readonly mesh: Mesh; readonly problems: readonly Problem[] };

/**
 * A function that assembles the mesh from all files and remembers what was good. A document with a mistake is replaced
 * by its last good form, or left out where there was none; a file that cannot be parsed keeps its last good documents.
 */
export function createAssembler(): (files: readonly SourceFile[]) => Assembly {
  let good = new Map<string, Document>();
  return (files) => {
    const read = files.map(({ file, text }) => ({ file, ...parse(text, file) }));
    const present = new Set(read.flatMap(({ documents }) => documents.map(keyOf)));
    const problems: Problem[] = [];
    const candidates: { document: Document; isRight: boolean }[] = [];
    for (const { file, documents, problems: unreadable } of read) {
      const missing = unreadable.some(isError) ? missingFrom(file, present) : [];
      problems.push(...unreadable);
      for (const document of [...documents, ...missing]) {
        const mistakes = problemsOf(document).filter(isError);
        problems.push(...mistakes);
        candidates.push({ document, isRight: mistakes.length === 0 });
      }
    }
    const used = withLastGood(candidates);
    good = new Map([...used].reverse().map((document) => [keyOf(document), document])); // of twins the first is in force
    const { rules, problems: ruleProblems } = compile(used.filter(isRule));
    const { services, problems: serviceProblems } = toServices(used.filter(isService), rules);
    const strange = used.filter((document) => !isRule(document) && !isService(document)).map(notOurs);
    return { mesh: { rules, services }, problems: [...problems, ...ruleProblems, ...serviceProblems, ...strange] };
  };

  /** What a file held before it could no longer be read, but for what stands elsewhere by now. */
  function missingFrom(file: string, present: ReadonlySet<string>): readonly Document[] {
    return [...good.values()].filter((document) => document.file === file && !present.has(keyOf(document)));
  }

  function withLastGood(candidates: readonly { document: Document; isRight: boolean }[]): readonly Document[] {
    const inUse = new Set(candidates.filter(({ isRight }) => isRight).map(({ document }) => keyOf(document)));
    return candidates.flatMap(({ document, isRight }) => {
      if (isRight) return [document];
      const key = keyOf(document);
      const last = inUse.has(key) ? undefined : good.get(key);
      inUse.add(key);
      return last === undefined ? [] : [last];
    });
  }
}

function problemsOf(document: Document): readonly Problem[] {
  if (isRule(document)) return compile([document]).problems;
  return isService(document) ? toServices([document], compile([]).rules).problems : [];
}

const isError = (problem: Problem): boolean => problem.severity === 'error';

/** By what reads it, not by its apiVersion: a misspelt one must not lose the last good form. */
function keyOf(document: Document): string {
  const reader = isRule(document) ? 'rule' : isService(document) ? 'service' : document.apiVersion;
  return [reader, document.kind, document.namespace, document.name].join(' ');
}

function notOurs(document: Document): Problem {
  return {
    severity: 'warning',
    ...document.place(['kind']),
    path: 'kind',
    message: `found ${document.kind} of ${document.apiVersion}, which is not read here; expected a rule of traffic.opensergo.io/v1alpha1 or a Service of lanekeeper.io/v1alpha1`,
  };
}
