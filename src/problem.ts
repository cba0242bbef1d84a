// What is wrong with something that a person wrote (rules, services, settings), and where.

export type Problem = {
  /** A warning does not stop a document from being used; an error does. */
  readonly severity: 'error' | 'warning';
  readonly file?: string;
  /** Counted from 1. */
  readonly line?: number;
  /** Counted from 1, in characters. */
  readonly column?: number;
  /** Path inside the document, as `spec.match[0].key`. */
  readonly path?: string;
  /** What was found, what was expected and, where it is not obvious, how to mend it. */
  readonly message: string;
};

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: Problem[] };

/** `gray.yaml:12:5: spec.match[0].key: found nothing, expected …`: the form of compilers, so that editors can jump there. */
export function formatProblem(problem: Problem): string {
  const place = formatPlace(problem);
  const severity = problem.severity === 'warning' ? 'warning' : undefined;
  return [place || undefined, severity, problem.path || undefined, problem.message]
    .filter((part) => part !== undefined)
    .join(': ');
}

/** `gray.yaml:12:5`; only `nacos public/DEFAULT_GROUP/orders` where it was no text. */
export function formatPlace({ file, line, column }: Pick<Problem, 'file' | 'line' | 'column'>): string {
  return [file, line, column].filter((part) => part !== undefined).join(':');
}
