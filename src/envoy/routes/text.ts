// Texts of rules, and matches of headers by them, as Envoy's configuration holds them.
import type { Resource } from '../resource.ts';

/** Of a regular expression: any bytes, line feeds too. */
export const anything = '\\C*';

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

export function present(name: string): Resource {
  return { name, present_match: true };
}

/** The whole value. */
export function matching(name: string, regex: string): Resource {
  return { name, string_match: { safe_regex: { regex } } };
}

/** What a match would not take; a missing header too, unless the match takes an empty one. */
export function without(match: Resource): Resource {
  return { ...match, invert_match: true, treat_missing_header_as_empty: true };
}
