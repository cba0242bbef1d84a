// Which users the pods of a demo can have: others than ours only where they may read what they are to run.
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Kind, networkSupport } from './support.ts';

/** Throws where this machine or user can have no pods. */
export function kindFor(files: readonly string[], say: (text: string) => void): Kind {
  const support = networkSupport();
  if ('lacks' in support) throw new Error(`--pods needs ${support.lacks}`);
  const hidden = support.kind === 'single user' ? undefined : files.find((file) => !isOpen(file));
  if (hidden === undefined) return support.kind;
  const single = networkSupport('single user');
  const why = `other users may not read ${hidden}`;
  if ('lacks' in single)
    throw new Error(`${why}, as whom processes run in pods; without other users --pods needs ${single.lacks}`);
  say(`The pods have a single user, and Envoy is known by a mark: ${why}`);
  return single.kind;
}

/** To everybody: the file or folder, and the way to it. */
function isOpen(file: string): boolean {
  const isFolder = statSync(file).isDirectory();
  if (!allows(file, isFolder ? 0o5 : 0o4)) return false;
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder))
    if (!allows(folder, 0o1)) return false;
  return true;
}

function allows(file: string, others: number): boolean {
  return (statSync(file).mode & others) === others;
}
