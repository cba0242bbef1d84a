// What is fuzzed: each target is a promise about anything that anybody may send or write.
import fc from 'fast-check';
import { baggageTarget } from './baggage.ts';
import { connectionTarget, repliesTarget } from './database.ts';
import { headersTarget } from './headers.ts';
import { messagesTarget } from './messages.ts';
import { rulesTarget } from './rules.ts';
import { sqlTarget } from './sql.ts';
import { traceTarget } from './trace.ts';

export type Target = {
  readonly promise: string;
  readonly property: fc.IAsyncProperty<unknown[]> | fc.IProperty<unknown[]>;
  /** Before the first run and after the last. */
  readonly open?: () => Promise<void>;
  readonly close?: () => Promise<void>;
  /** How many runs take about as long as those of the other targets. */
  readonly weight: number;
};

export const targets: Readonly<Record<string, Target>> = {
  rules: rulesTarget,
  baggage: baggageTarget,
  trace: traceTarget,
  headers: headersTarget,
  messages: messagesTarget,
  sql: sqlTarget,
  replies: repliesTarget,
  connections: connectionTarget,
};

/** Rejects with the counterexample, shrunk, and the seed and path that bring it back. */
export async function run({ property }: Target, options: { seed: number; numRuns: number }): Promise<void> {
  await fc.assert(property as fc.IAsyncProperty<unknown[]>, options);
}
