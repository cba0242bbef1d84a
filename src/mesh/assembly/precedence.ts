// Several sources, one after the other: the first that has a document wins, whole.
import { problemAt } from '../../documents/place.ts';
import { formatPlace, type Problem } from '../../problem.ts';
import type { Reading } from './reading.ts';

export type Stack = readonly { readonly source: string; readonly readings: readonly Reading[] }[];

type InForce = { readonly readings: readonly Reading[]; readonly problems: readonly Problem[] };

/** `inForceOf` that remembers: while the same names stand in the same order, and none twice, there is nothing to decide. */
export function createPrecedence(): (sources: Stack) => InForce {
  let last: readonly Reading[] | undefined;
  return (sources) => {
    const all = sources.length === 1 ? (sources[0]?.readings ?? []) : sources.flatMap(({ readings }) => readings);
    const isKnown = last?.length === all.length && last.every(({ key }, index) => key === all[index]?.key);
    if (isKnown && all.every(isNamed)) return { readings: all, problems: [] };
    const inForce = inForceOf(sources);
    last = inForce.readings.length === all.length ? all : undefined;
    return inForce;
  };
}

/** A document of somebody else has no name among ours. */
function isNamed({ meaning }: Reading): boolean {
  return meaning.kind !== 'nothing';
}

/** What is in force of all sources, in their order; twins within one are mistakes, what another source has first is hidden. */
function inForceOf(sources: Stack): InForce {
  const taken = new Map<string, { reading: Reading; source: string }>();
  const readings: Reading[] = [];
  const problems: Problem[] = [];
  for (const { source, readings: own } of sources) {
    for (const reading of own) {
      const first = isNamed(reading) ? taken.get(reading.key) : undefined;
      if (first === undefined) {
        taken.set(reading.key, { reading, source });
        readings.push(reading);
      } else problems.push(first.source === source ? twin(reading, first.reading) : hidden(reading, source, first));
    }
  }
  return { readings, problems };
}

const namePath = ['metadata', 'name'];

function twin({ document, key }: Reading, first: Reading): Problem {
  const there = formatPlace(first.document.place(namePath));
  const message = `found ${key} again, expected it once; the first is at ${there}, rename one of them`;
  return problemAt(document, namePath, message);
}

function hidden({ document, key }: Reading, source: string, first: { reading: Reading; source: string }): Problem {
  const there = formatPlace(first.reading.document.place(namePath));
  const message = `found ${key} in ${source}, and at ${there} in ${first.source}, which comes first; this one changes nothing`;
  return { ...problemAt(document, namePath, message), severity: 'warning' };
}
