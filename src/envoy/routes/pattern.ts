// Patterns of operators, as Envoy must be told them: its regular expressions are about bytes, ours about characters.

/** One character beyond ASCII, by the bytes of its UTF-8. */
const multibyte = '[\\xc2-\\xdf][\\x80-\\xbf]|[\\xe0-\\xef][\\x80-\\xbf]{2}|[\\xf0-\\xf4][\\x80-\\xbf]{3}';

// In order: the first that stands at a place is what stands there.
const tokens: readonly (readonly [form: RegExp, inBytes: (text: string) => string])[] = [
  [/\\[dwsbB]/y, same],
  [/\\[DWS]/y, (text) => character(text.toLowerCase())],
  [/\\[!-/:-@[\\\]^`{-~]/y, same],
  [/\[\^(?:\\[dws!-/:-@[\\\]^`{-~]|[ -Z^-~])+\]/y, (text) => character(text.slice(2, -1))],
  [/\[(?!\^)(?:\\[dws!-/:-@[\\\]^`{-~]|[ -Z^-~])+\]/y, same],
  [/\((?:\?:)?(?!\?)/y, same],
  [/\./y, () => character('\\n')],
  [/[ -#%-'*-Z_-~)]/y, same],
  // A repetition behind it would be one of its last byte.
  [/[\u0080-\u{10ffff}]/uy, (text) => `(?:${text})`],
];

/**
 * The pattern in bytes, or undefined where it has parts that are not surely read alike by re2js and by RE2: flags, names,
 * properties and classes of Unicode, quotations. So no pattern makes Envoy refuse a table, or hold back what we would label.
 * Nor does it have anchors: a route holds it against a part of a header, which begins and ends elsewhere.
 */
export function patternInBytes(text: string): string | undefined {
  const pattern = withoutAnchors(text);
  let bytes = '';
  let at = 0;
  while (at < pattern.length) {
    const found = tokens.map(([form, inBytes]) => ({ text: textAt(pattern, form, at), inBytes }));
    const token = found.find(({ text }) => text !== undefined);
    if (token?.text === undefined) return undefined;
    bytes += token.inBytes(token.text);
    at += token.text.length;
  }
  return bytes;
}

/** A pattern is for the whole of a value: `^` and `$` at its ends say nothing more. */
function withoutAnchors(pattern: string): string {
  const start = /^\^(?![*+?{])/.test(pattern) ? 1 : 0;
  const end = /(?<!\\)(?:\\\\)*\$$/.test(pattern.slice(start)) ? -1 : undefined;
  return pattern.slice(start, end) || '(?:)'; // Envoy refuses a table with an empty one
}

function textAt(pattern: string, form: RegExp, at: number): string | undefined {
  form.lastIndex = at;
  return form.exec(pattern)?.[0];
}

function same(text: string): string {
  return text;
}

/** One character that is not among those of a class of ASCII. */
function character(excluded: string): string {
  return `(?:[^${excluded}\\x80-\\xff]|${multibyte})`;
}
