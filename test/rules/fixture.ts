// Rules as an operator writes them, for the tests of this folder.

import { parse } from '../../src/documents/parse.ts';
import { compile, type RuleSet } from '../../src/rules/compile.ts';
import type { Request } from '../../src/traffic/request.ts';

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
  const rule = { metadata: { name, ...metadata }, spec: { trafficLabel: 'gray', match: [], ...spec } };
  return `---\n${JSON.stringify({ apiVersion: 'traffic.opensergo.io/v1alpha1', kind: 'TrafficLabelRule', ...rule })}\n`;
}

/** A request with the headers given. */
export function requestOf(path: string, headers: Readonly<Record<string, string>> = {}): Request {
  return { method: 'GET', path, header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined) };
}
