// The last good forms of one source's documents: what stands while a document is wrong, a file unreadable, the source lost.
import type { Document } from '../../documents/parse.ts';
import type { Problem } from '../../problem.ts';
import { isError, type Reading, readingOf } from './reading.ts';
import { hasSameItems } from './same.ts';

/** What a source holds at a moment, as a mesh is assembled from it. */
export type Part = {
  readonly name: string;
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
  readonly lost?: string;
};

export type Standing = {
  /** The right documents, and the last good forms in place of those that are not. */
  readonly readings: readonly Reading[];
  /** The mistakes of all documents. */
  readonly problems: readonly Problem[];
};

/** Begins with documents that were good before, so that a start is no worse than what ran until then. */
export function createLastGood(before: readonly Document[] = []): (part: Part) => Standing {
  /** All that is right, while nothing is wrong: then a map of it would be made in vain. */
  let right: readonly Reading[] | undefined = before.map(readingOf).filter(({ isRight }) => isRight);
  let good = new Map<string, Reading>();
  let last: { part: Part; standing: Standing } | undefined;
  return (part) => {
    if (last !== undefined && isUnchanged(last.part, part)) return last.standing;
    const standing = stand(part);
    last = { part, standing };
    return standing;
  };

  function stand(part: Part): Standing {
    const present = part.documents.map(readingOf);
    if (part.lost === undefined && !part.problems.some(isError) && present.every(({ isRight }) => isRight)) {
      right = present;
      return { readings: present, problems: [] };
    }
    if (right !== undefined) good = new Map([...right].reverse().map((reading) => [reading.position, reading]));
    right = undefined;
    const positions = new Set(present.map(({ position }) => position));
    const inUse = new Set(present.filter(({ isRight }) => isRight).map(({ key }) => key));
    const next = new Map<string, Reading>();
    const readings: Reading[] = [];
    for (const reading of present) {
      const form = reading.isRight ? reading : (good.get(reading.position) ?? moved(reading.key, positions));
      if (form === undefined) continue;
      if (reading.isRight || !next.has(reading.position)) next.set(reading.position, form);
      // A wrong document must not hide a right one of its name, wherever that stands.
      if (!reading.isRight && inUse.has(reading.key)) continue;
      inUse.add(reading.key);
      readings.push(form);
    }
    for (const reading of missing(part, present)) {
      next.set(reading.position, reading);
      readings.push(reading);
    }
    good = next;
    return { readings, problems: present.flatMap(({ problems }) => problems.filter(isError)) };
  }

  /** What a file held before it could no longer be read, or the source before it was lost; but for what stands elsewhere by now. */
  function missing({ problems, lost }: Part, present: readonly Reading[]): Reading[] {
    const unreadable = [...new Set(problems.filter(isError).map(({ file = '' }) => file))];
    if (lost === undefined && unreadable.length === 0) return [];
    const isUnreadable = (file: string): boolean =>
      unreadable.some((path) => file === path || file.startsWith(`${path}/`));
    const keys = new Set(present.map(({ key }) => key));
    return [...good.values()].filter(
      ({ key, document }) => !keys.has(key) && (lost !== undefined || isUnreadable(document.file)),
    );
  }

  /** The last good form from a place where the document no longer stands. */
  function moved(key: string, positions: ReadonlySet<string>): Reading | undefined {
    for (const [position, reading] of good) if (reading.key === key && !positions.has(position)) return reading;
    return undefined;
  }
}

function isUnchanged(before: Part, after: Part): boolean {
  return (
    before.lost === after.lost &&
    hasSameItems(before.documents, after.documents) &&
    hasSameItems(before.problems, after.problems)
  );
}
