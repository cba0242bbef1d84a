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
    const problems: Problem[] = [];
    const next = new Map<string, Document>();
    const used: Document[] = [];
    for (const { file, text } of files) {
      const parsed = parse(text, file);
      problems.push(...parsed.problems);
      const documents = parsed.problems.some(isError) ? withMissing(parsed.documents, file) : parsed.documents;
      for (const document of documents) {
        const found = problemsOf(document);
        problems.push(...found.filter(isError));
        const usable = found.some(isError) ? good.get(keyOf(document)) : document;
        if (usable === undefined) continue;
        used.push(usable);
        next.set(keyOf(usable), usable);
      }
    }
    good = next;
    const { rules, problems: ruleProblems } = compile(used.filter(isRule));
    const { services, problems: serviceProblems } = toServices(used.filter(isService), rules);
    const strange = used.filter((document) => !isRule(document) && !isService(document)).map(notOurs);
    return { mesh: { rules, services }, problems: [...problems, ...ruleProblems, ...serviceProblems, ...strange] };
  };

  function withMissing(documents: readonly Document[], file: string): readonly Document[] {
    const present = new Set(documents.map(keyOf));
    return [
      ...documents,
      ...[...good.values()].filter((document) => document.file === file && !present.has(keyOf(document))),
    ];
  }
}

function problemsOf(document: Document): readonly Problem[] {
  if (isRule(document)) return compile([document]).problems;
  return isService(document) ? toServices([document], compile([]).rules).problems : [];
}

const isError = (problem: Problem): boolean => problem.severity === 'error';

const keyOf = ({ apiVersion, kind, namespace, name }: Document): string =>
  [apiVersion.split('/')[0], kind, namespace, name].join('/');

function notOurs(document: Document): Problem {
  return {
    severity: 'warning',
    ...document.place(['kind']),
    path: 'kind',
    message: `found ${document.kind} of ${document.apiVersion}, which is not read here; expected a rule of traffic.opensergo.io/v1alpha1 or a Service of lanekeeper.io/v1alpha1`,
  };
}
