// Rules about databases as an operator writes them.
import { parse } from '../../src/documents/parse.ts';
import { compile, type RuleSet } from '../../src/rules/compile.ts';

/** Compiles documents that have no mistake on their own. */
export function rulesOf(...documents: object[]): RuleSet {
  const text = documents.map((document) => `---\n${JSON.stringify(document)}\n`).join('');
  const { rules, problems } = compile(parse(text, 'rules.yaml').documents);
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return rules;
}

export function twin(name: string, spec: object, namespace = 'default'): object {
  const metadata = { name, namespace };
  return {
    apiVersion: 'traffic.opensergo.io/v1alpha1',
    kind: 'WorkloadLabelRule',
    metadata,
    spec: { workloadLabels: ['gray'], ...spec },
  };
}

export function endpoint(name: string, url: string, more: object = {}): object {
  return document('DatabaseEndpoint', name, { database: { MySQL: { url, username: 'root', password: 'p', ...more } } });
}

export function shadow(name: string, spec: object): object {
  const dataSources = { pair: { sourceDataSourceName: 'ds', shadowDataSourceName: 'shadow_ds' } };
  return document('Shadow', name, { dataSources, ...spec });
}

export function virtual(name: string, db: string, more: object): object {
  return document('VirtualDatabase', name, { services: [{ name, databaseMySQL: { db }, ...more }] });
}

function document(kind: string, name: string, spec: object): object {
  return { apiVersion: 'database.opensergo.io/v1alpha1', kind, metadata: { name }, spec };
}
