// What is in force: the last good mesh, the problems beside it, and how often it changed.
import { createAssembler, type SourceFile } from '../mesh/assemble.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { Problem } from '../problem.ts';
import { watchFiles } from './files.ts';

export type Generation = {
  /** 1 is the first. */
  readonly number: number;
  readonly mesh: Mesh;
  readonly problems: readonly Problem[];
};

export type InForce = { readonly generation: Generation; close(): void };

/** Reads the paths, then watches them; `onGeneration` is called for the first reading and after every change. */
export async function openInForce(
  paths: readonly string[],
  onGeneration: (generation: Generation) => void,
): Promise<InForce> {
  const assemble = createAssembler();
  let generation: Generation | undefined;
  const source = await watchFiles({
    paths,
    onFiles(files: readonly SourceFile[], unread: readonly Problem[]) {
      const { mesh, problems } = assemble(files);
      generation = { number: (generation?.number ?? 0) + 1, mesh, problems: [...unread, ...problems] };
      onGeneration(generation);
    },
  });
  if (generation === undefined) throw new Error('nothing was read');
  return {
    get generation() {
      return generation as Generation;
    },
    close: source.close,
  };
}
