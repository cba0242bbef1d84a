// What sources hold → the mesh. A wrong document keeps its last good form; the others go on. What has not changed costs nothing.
import { createParser, type Document, type SourceFile } from '../documents/parse.ts';
import type { Problem } from '../problem.ts';
import { type Compiled, type RuleSet, toRuleSet } from '../rules/compile.ts';
import { shadowProblems } from '../shadow/compile.ts';
import { conflictProblems, createConflicts, pathProblems } from './assembly/claims.ts';
import { createLastGood, type Part, type Standing } from './assembly/last-good.ts';
import { createPrecedence } from './assembly/precedence.ts';
import { isError, type Reading } from './assembly/reading.ts';
import { hasSameItems } from './assembly/same.ts';
import { createServices } from './assembly/services.ts';
import { createKubernetes } from './kubernetes/services.ts';
import type { Draft, Mesh } from './mesh.ts';

export type { Part, SourceFile };

export type Assembly = { readonly mesh: Mesh; readonly problems: readonly Problem[] };

export type SourcesAssembly = Assembly & {
  /** Of each source the documents that stand: the right ones, and last good forms. */
  standing(): ReadonlyMap<string, readonly Document[]>;
};

/** The mesh of files alone: `createMeshAssembler` with one source. */
export function createAssembler(): (files: readonly SourceFile[]) => Assembly {
  const parse = createParser();
  const assemble = createMeshAssembler();
  return (files) => assemble([{ name: 'files', ...parse(files) }]);
}

/**
 * A function that assembles the mesh from all sources, the first first, and remembers what was good. A document with a
 * mistake is replaced by its last good form, or left out where there was none; a file that cannot be parsed, and a source
 * that is lost, keeps its last good documents. `before`, by the name of a source, is what was good in an earlier life.
 * Documents, services and rules that have not changed are the same objects in the next mesh.
 */
export function createMeshAssembler(
  before: ReadonlyMap<string, readonly Document[]> = new Map(),
): (parts: readonly Part[]) => SourcesAssembly {
  const lastGood = new Map<string, (part: Part) => Standing>();
  const inForceOf = createPrecedence();
  const rulesOf = createRules();
  const servicesOf = createServices();
  const kubernetesOf = createKubernetes();
  const conflictsOf = createConflicts();
  let mesh: Mesh | undefined;
  return (parts) => {
    const sources = parts.map((part) => ({ source: part.name, part, ...stand(part) }));
    const { readings, problems: precedence } = inForceOf(sources);
    const { rules, problems: shadows } = rulesOf(readings);
    const documents = new Map<string, Document>();
    const drafts = new Map<string, Draft>();
    const kubernetes = kubernetesOf(readings);
    for (const { meaning, document } of readings) {
      if (meaning.kind !== 'service' && meaning.kind !== 'kubernetes service') continue;
      const name = `${document.namespace}/${document.name}`;
      const draft = meaning.kind === 'service' ? meaning.draft : kubernetes.drafts.get(name);
      if (draft === undefined) continue;
      documents.set(name, document);
      drafts.set(name, draft);
    }
    const services = servicesOf({ drafts, rules, podLabels: kubernetes.podLabels });
    if (mesh?.services !== services || mesh.rules !== rules) mesh = { services, rules };
    const warnings: Problem[] = [];
    for (const { problems } of readings) for (const problem of problems) if (!isError(problem)) warnings.push(problem);
    return {
      mesh,
      problems: [
        ...sources.flatMap(({ part, problems }) => [...part.problems, ...problems]),
        ...precedence,
        ...warnings,
        ...kubernetes.problems,
        ...shadows,
        ...pathProblems(mesh, documents),
        ...conflictProblems(conflictsOf(mesh), documents),
      ],
      standing: () =>
        new Map(sources.map(({ source, readings }) => [source, readings.map(({ document }) => document)])),
    };
  };

  function stand(part: Part): Standing {
    const standing = lastGood.get(part.name) ?? createLastGood(before.get(part.name));
    lastGood.set(part.name, standing);
    return standing(part);
  }
}

/** The same rule set for as long as its documents are the same; and what is wrong between those about databases. */
function createRules(): (readings: readonly Reading[]) => RulesInForce {
  let last: (RulesInForce & { readonly all: readonly Compiled[] }) | undefined;
  return (readings) => {
    const all: Compiled[] = [];
    for (const { meaning } of readings) if (meaning.kind === 'rules') all.push(meaning.compiled);
    if (last !== undefined && hasSameItems(last.all, all)) return last;
    const rules = toRuleSet(all);
    const isSameWorkloads = last !== undefined && hasSameItems(last.rules.workloads, rules.workloads);
    last = {
      all,
      rules: isSameWorkloads ? { ...rules, workloads: last?.rules.workloads ?? [] } : rules,
      problems: shadowProblems(rules),
    };
    return last;
  };
}

type RulesInForce = { readonly rules: RuleSet; readonly problems: readonly Problem[] };
