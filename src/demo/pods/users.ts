// Which users the pods of a demo can have: others than ours only where they may read what they are to run.
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Kind, networkSupport } from './support.ts';

export type Needed = {
  /** What processes read; of a folder what is in it. */
  readonly files: readonly string[];
  /** Where they find what is made for them. */
  readonly folder: string;
};

/** Throws where this machine or user can have no pods. */
export function kindFor({ files, folder }: Needed, say: (text: string) => void): Kind {
  const support = networkSupport();
  if ('lacks' in support) throw new Error(`--pods needs ${support.lacks}`);
  if (support.kind === 'single user') return support.kind;
  const hidden = files.flatMap(withContents).find((file) => !isOpen(file)) ?? (isReached(folder) ? undefined : folder);
  if (hidden === undefined) return support.kind;
  const single = networkSupport('single user');
  const why = `other users may not read ${hidden}`;
  if ('lacks' in single)
    throw new Error(`${why}, as whom processes run in pods; without other users --pods needs ${single.lacks}`);
  say(`The pods have a single user, and Envoy is known by a mark: ${why}`);
  return single.kind;
}

function withContents(file: string): string[] {
  return statSync(file).isDirectory() ? [file, ...readdirSync(file).map((name) => join(file, name))] : [file];
}

/** To everybody. */
function isOpen(file: string): boolean {
  return allows(file, statSync(file).isDirectory() ? 0o5 : 0o4) && isReached(file);
}

function isReached(file: string): boolean {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder))
    if (!allows(folder, 0o1)) return false;
  return true;
}

function allows(file: string, others: number): boolean {
  return (statSync(file).mode & others) === others;
}
