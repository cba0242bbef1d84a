// What is in force: the last good mesh of all sources, the problems beside it, and how often it changed.
import { createMeshAssembler } from '../mesh/assemble.ts';
import { isSame } from '../mesh/assembly/same.ts';
import { type Difference, difference } from '../mesh/difference.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { Problem } from '../problem.ts';
import { openLastGood } from './last-good.ts';
import type { Contribution, Source } from './source.ts';

export type SourceState = {
  readonly name: string;
  /** While it cannot be reached: why. What it held last stands. */
  readonly lost?: string;
};

export type Generation = {
  /** 1 is the first. */
  readonly number: number;
  readonly mesh: Mesh;
  /** From the generation before. */
  readonly difference: Difference;
  readonly problems: readonly Problem[];
  /** In the order of their precedence. */
  readonly sources: readonly SourceState[];
};

export type InForceOptions = {
  /** The first that has a document wins. Their names differ. */
  readonly sources: readonly Source[];
  /** File in which what was good outlives this process. */
  readonly snapshot?: string;
  /** Called for the first state of all sources and after every change. */
  readonly onGeneration: (generation: Generation) => void;
};

export type InForce = { readonly generation: Generation; close(): Promise<void> };

/** Opens all sources at once, and resolves when each is known or known to be lost. */
export async function openInForce({ sources, snapshot, onGeneration }: InForceOptions): Promise<InForce> {
  const names = new Set(sources.map(({ name }) => name));
  if (names.size < sources.length) throw new Error('two sources have one name');
  const lastGood = snapshot === undefined ? undefined : await openLastGood(snapshot, change);
  const assemble = createMeshAssembler(lastGood?.documents);
  const contributions = new Map<string, Contribution>();
  let generation: Generation | undefined;
  let isOpen = false;
  const opened = await Promise.all(
    sources.map((source) =>
      source.open((contribution) => {
        contributions.set(source.name, contribution);
        change();
      }),
    ),
  );
  isOpen = true;
  change();
  return {
    get generation() {
      return generation as Generation; // the first was made above
    },
    async close() {
      isOpen = false;
      await Promise.all(opened.map((source) => source.close()));
      await lastGood?.close();
    },
  };

  function change(): void {
    if (!isOpen) return; // not all have spoken yet, or nobody listens any more
    const parts = sources.map(({ name }) => ({ name, ...(contributions.get(name) ?? silent) }));
    const { mesh, problems: found, standing } = assemble(parts);
    const documents = standing();
    const states = parts.map(({ name, lost }): SourceState => ({ name, ...(lost !== undefined && { lost }) }));
    const lost = states.flatMap((state) => lostProblem(state, documents.get(state.name)?.length ?? 0));
    const problems = [...(lastGood?.problems ?? []), ...lost, ...found];
    lastGood?.keep(documents);
    const before = generation;
    if (before?.mesh === mesh && isSame(before.problems, problems) && isSame(before.sources, states)) return;
    const number = (before?.number ?? 0) + 1;
    generation = { number, mesh, difference: difference(before?.mesh, mesh), problems, sources: states };
    onGeneration(generation);
  }
}

/** A source that resolved and said nothing: that is no state of it. */
const silent: Contribution = { documents: [], problems: [], lost: 'it has said nothing yet' };

function lostProblem({ name, lost }: SourceState, documents: number): Problem[] {
  if (lost === undefined) return [];
  const effect = documents > 0 ? 'what it held last stands' : 'nothing that it held is known';
  return [{ severity: 'warning', file: name, message: `cannot be reached: ${lost}; ${effect}` }];
}
