// Rules as an operator writes them, for the tests of this folder.

import { parse } from '../../src/documents/parse.ts';
import { compile, type RuleSet } from '../../src/rules/compile.ts';
import { bytesOf, type Request } from '../../src/traffic/request.ts';

/** Compiles a text that has no mistake. */
export function rulesOf(text: string): RuleSet {
  const { documents, problems } = parse(text, 'rules.yaml');
  const compiled = compile(documents);
  const errors = [...problems, ...compiled.problems].filter((problem) => problem.severity === 'error');
  if (errors.length > 0) throw new Error(JSON.stringify(errors, undefined, 1));
  return compiled.rules;
}

/** A TrafficLabelRule; JSON is YAML. */
export function trafficRule(name: string, spec: object, metadata: object = {}): string {
  const rule = {
    metadata: { name, ...metadata },
    spec: { trafficLabel: 'gray', ...('anyOf' in spec ? {} : { match: [] }), ...spec },
  };
  return `---\n${JSON.stringify({ apiVersion: 'traffic.opensergo.io/v1alpha1', kind: 'TrafficLabelRule', ...rule })}\n`;
}

/** Of a request, what is not said has the first of these values; headers by their names in lower case. */
export type Parts = {
  readonly method?: string;
  readonly host?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly sourceAddress?: string;
};

/** A request as lanekeeper reads it; texts become the bytes of their UTF-8. */
export function requestFrom({
  method = 'GET',
  host = 'shop.example',
  path = '/',
  headers = {},
  ...rest
}: Parts): Request {
  const all = new Map(Object.entries({ ...headers, ':authority': host }).map(([name, text]) => [name, bytesOf(text)]));
  return { method, path: bytesOf(path), header: (name) => all.get(name), ...rest };
}

/** A request with the headers given, as byte strings. */
export function requestOf(path: string, headers: Readonly<Record<string, string>> = {}): Request {
  return { method: 'GET', path, header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined) };
}
