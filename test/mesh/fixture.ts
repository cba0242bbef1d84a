// Services and files as an operator writes them, for the tests of this folder.
import { createAssembler, type SourceFile } from '../../src/mesh/assemble.ts';
import { findService, type Mesh, type Service } from '../../src/mesh/mesh.ts';
import { formatProblem } from '../../src/problem.ts';

/** A document of a service; JSON is YAML. */
export function serviceText(name: string, spec: object = {}, metadata: object = {}): string {
  const whole = { ports: [{ port: 80 }], ...spec };
  return `---\n${JSON.stringify({ apiVersion: 'lanekeeper.io/v1alpha1', kind: 'Service', metadata: { name, ...metadata }, spec: whole })}\n`;
}

/** A WorkloadLabelRule. */
export function workloadRuleText(name: string, spec: object): string {
  return `---\n${JSON.stringify({ apiVersion: 'traffic.opensergo.io/v1alpha1', kind: 'WorkloadLabelRule', metadata: { name }, spec })}\n`;
}

/** The mesh of one text that has no mistake. */
export function meshOf(text: string): Mesh {
  const { mesh, problems } = createAssembler()([{ file: 'services.yaml', text }]);
  if (problems.length > 0) throw new Error(problems.map(formatProblem).join('\n'));
  return mesh;
}

/** A service that must be there. */
export function serviceOf(mesh: Mesh, name: string, namespace = 'default'): Service {
  const service = findService(mesh, name, namespace);
  if (service === undefined) throw new Error(`no service ${name}`);
  return service;
}

/** Files by name and text. */
export function filesOf(texts: Readonly<Record<string, string>>): SourceFile[] {
  return Object.entries(texts).map(([file, text]) => ({ file, text }));
}
