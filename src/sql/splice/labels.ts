// Gives a select item whose text changes the name that it had by its text: clients read columns by name.
import type { Statement } from '../analysis.ts';
import type { Edit } from './edits.ts';

/** The longest alias that both servers take. */
export const maxLabelLength = 255;

/** `edits` from the place `edited` on are those of this statement. A text with code in comments has a name that only the server knows. */
export function editLabels(text: string, { labels }: Statement, edits: Edit[], edited: number): void {
  if (labels.length === 0) return;
  const changed = edits
    .slice(edited)
    .map(({ from }) => from)
    .sort((a, b) => a - b);
  for (const { from, to } of labels) {
    const label = text.slice(from, to);
    if (label.length > maxLabelLength || /\/\*M?!|--|#/.test(label)) continue;
    if ((changed[indexFrom(changed, from)] ?? to) >= to) continue;
    edits.push({ from: to, to, text: ` AS \`${label.replaceAll('`', '``')}\`` });
  }
}

/** The index of the first of these that is not below; they are in order. */
function indexFrom(sorted: readonly number[], at: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? at) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
