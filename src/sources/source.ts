// What every source is: files, Nacos, Kubernetes, the control plane. One suite of tests holds for all (test/sources/suite.ts).
import type { Document } from '../documents/parse.ts';
import type { Problem } from '../problem.ts';

/** What a source holds at a moment. */
export type Contribution = {
  /** Right or wrong, each with its place; the same object again means: unchanged. */
  readonly documents: readonly Document[];
  /** What could not be read at all, or is strange. */
  readonly problems: readonly Problem[];
  /** Said while the source cannot be reached: why. The last documents stand meanwhile. */
  readonly lost?: string;
};

export type Source = {
  /** `files /etc/rules`, `nacos 10.0.0.1:8848`. */
  readonly name: string;
  /**
   * Calls `onChange` for the first state and after every change, never concurrently. Resolves after the first state is
   * known, or is known not to be had soon (lost). Never rejects.
   */
  open(onChange: (contribution: Contribution) => void): Promise<OpenSource>;
};

export type OpenSource = { close(): Promise<void> | void };
