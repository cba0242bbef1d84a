// Texts of rules, as Envoy's configuration holds them.

/** Conditions hold byte strings; Envoy's configuration holds UTF-8 text. */
export function textOf(bytes: string): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(
    Uint8Array.from(bytes, (character) => character.charCodeAt(0)),
  );
}

/** A regular expression for one of these texts. */
export function oneOf(texts: readonly string[]): string {
  const quoted = texts.map(quote);
  return quoted.length === 1 ? `${quoted[0]}` : `(?:${quoted.join('|')})`;
}

export function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** `[aA]`, not `(?i:a)`: that would also fold bytes that are parts of other characters. */
export function anyCase(text: string): string {
  return [...text].map((each) => (/[a-z]/.test(each) ? `[${each}${each.toUpperCase()}]` : quote(each))).join('');
}
