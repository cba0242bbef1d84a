// Values as YAML gave them, and the texts they were written as: how messages show and quote them.

/** A scalar as it stands in the file. */
export type Source = {
  readonly text: string;
  /** Neither quoted nor tagged, so that its text decides its type. */
  readonly plain: boolean;
};

export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What stands at a path; undefined where there is nothing. */
export function valueAt(root: unknown, path: readonly (string | number)[]): unknown {
  let value = root;
  for (const part of path) {
    if (Array.isArray(value) && typeof part === 'number') value = value[part];
    else value = isMapping(value) && Object.hasOwn(value, part) ? value[part] : undefined;
  }
  return value;
}

/** A value as messages name it; a scalar by the text that the operator sees. */
export function shown(value: unknown, source?: Source): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (isMapping(value)) return Object.keys(value).length === 0 ? 'an empty mapping' : 'a mapping';
  if (typeof value === 'string') return quoted(value);
  return shortened(source?.plain ? source.text : String(value ?? '')) || 'nothing';
}

/** `; quote it: "1.10"` where a plain scalar was meant as text; nothing where there is no text to quote. */
export function quoteHint(source: Source | undefined): string {
  return source?.plain && source.text !== '' ? `; quote it: ${quoted(source.text)}` : '';
}

/**
 * Whether a plain scalar that YAML 1.2 reads as a string is something else for YAML 1.1. The Kubernetes API server and
 * kubectl speak 1.1, so one file would mean two things.
 */
export function isTextOnlyForYaml12(text: string): boolean {
  return otherInYaml11.some((form) => form.test(text));
}

/** Whether a plain number means the same to YAML 1.1, YAML 1.2 and JSON; `010` is ten for one of them and eight for another. */
export function isJsonNumber(text: string): boolean {
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/.test(text);
}

/** `"a", "b" or "c"` */
export function listed(words: readonly string[]): string {
  const all = words.map(quoted);
  return [all.slice(0, -1).join(', '), ...all.slice(-1)].filter((part) => part !== '').join(' or ');
}

/** A text in quotes, as messages show it. */
export function quoted(text: string): string {
  return JSON.stringify(shortened(text));
}

// https://yaml.org/type/bool.html, int, float and timestamp.
const otherInYaml11 = [
  /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)$/,
  /^[-+]?(?:0b[01_]+|0x[\dA-Fa-f_]+)$/,
  /^[-+]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][-+]?\d+)?$/,
  /^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?$/,
  /^\d{4}-\d\d?-\d\d?(?:(?:[Tt]|[ \t]+)\d.*)?$/,
];

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
