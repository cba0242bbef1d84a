// Changes of a text: whatever is not in one of them stays byte for byte.

/** From here to there this stands; an insertion where both are the same. */
export type Edit = { readonly from: number; readonly to: number; readonly text: string };

/** No two may overlap; of insertions at one place the earlier comes first. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const sorted = edits.length > 1 ? [...edits].sort((a, b) => a.from - b.from || a.to - b.to) : edits;
  let result = '';
  let at = 0;
  for (const edit of sorted) {
    result += text.slice(at, edit.from) + edit.text;
    at = edit.to;
  }
  return result + text.slice(at);
}
