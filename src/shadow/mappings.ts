// Every single thing that rules say about a database, and what they say in vain.

import { quoted } from '../documents/value.ts';
import type { Problem } from '../problem.ts';
import type { RuleSet, WorkloadRule } from '../rules/compile.ts';
import type { EndpointRule, ShadowRule } from '../rules/database.ts';
import type { Label } from '../traffic/label.ts';
import { bytesOf } from '../traffic/request.ts';
import type { Instance, Mapping } from './map.ts';

type Found = { readonly mappings: Mapping[]; readonly problems: Problem[] };

/** In the order of their names; WorkloadLabelRules first. */
export function mappingsOf(rules: RuleSet, namespace?: string): Found {
  const found: Found = { mappings: [], problems: [] };
  const isMeant = (rule: { readonly namespace: string }) => namespace === undefined || rule.namespace === namespace;
  for (const rule of rules.workloads.filter(isMeant)) addTwins(rule, found);
  for (const rule of rules.databases.filter(isMeant)) if (rule.kind === 'shadow') addPairs(rule, rules, found);
  return found;
}

/** A WorkloadLabelRule: the table or database named is the twin of another. */
function addTwins(rule: WorkloadRule, { mappings, problems }: Found): void {
  const { database, name, place } = rule;
  if (database === undefined) return;
  const { db, table, shadowOf } = database;
  for (const label of rule.labels) {
    const base = shadowOf ?? withoutSuffix(table ?? db, label, table === undefined ? ['-', '_'] : ['_']);
    if (base === undefined || base === (table ?? db)) {
      const [what, form] = table === undefined ? ['database', `-${label} or _${label}`] : ['table', `_${label}`];
      const message = `found the ${what} ${quoted(table ?? db)}, expected a name that ends with ${form}, or shadowOf with the name of the ${what} that it is the twin of`;
      problems.push({ severity: 'error', ...place, path: 'spec.selector', message });
      continue;
    }
    const [shadowDatabase, shadowTable] = [bytesOf(db), table === undefined ? undefined : bytesOf(table)];
    mappings.push({
      label,
      base:
        table === undefined
          ? { database: bytesOf(base), table: undefined }
          : { database: shadowDatabase, table: bytesOf(base) },
      shadow: { database: shadowDatabase, table: shadowTable },
      instance: undefined,
      rule: name,
      place,
    });
  }
}

function withoutSuffix(name: string, label: Label, marks: readonly string[]): string | undefined {
  const suffix = marks
    .map((mark) => `${mark}${label}`)
    .find((each) => name.endsWith(each) && name.length > each.length);
  return suffix && name.slice(0, -suffix.length);
}

/** A Shadow: endpoints of one server are databases, or tables in them; of two servers, instances. */
function addPairs(rule: ShadowRule, { databases }: RuleSet, { mappings, problems }: Found): void {
  const { labels = [undefined], namespace, place, name } = rule;
  const endpoints = new Map(
    databases.flatMap((each) =>
      each.kind === 'endpoint' && each.namespace === namespace ? [[each.name, each] as const] : [],
    ),
  );
  const own = name.slice(namespace.length + 1);
  const virtual = databases.flatMap((each) =>
    each.kind === 'virtual' && each.namespace === namespace ? each.databases : [],
  );
  const aliases = virtual.filter(({ shadow }) => shadow === own).map(({ database }) => database);
  for (const { source, shadow, tables } of rule.pairs) {
    const [from, to] = [source, shadow].map((each) => endpoints.get(`${namespace}/${each}`));
    for (const [endpoint, missing] of [
      [from, source],
      [to, shadow],
    ] as const)
      if (endpoint === undefined)
        problems.push({
          severity: 'error',
          ...place,
          path: 'spec.dataSources',
          message: `found ${quoted(missing)}, expected the name of a DatabaseEndpoint of namespace ${namespace}; writes of its labels are refused until there is one`,
        });
    if (from === undefined || to === undefined) continue;
    const instance = from.host === to.host && from.port === to.port ? undefined : instanceOf(to);
    if (instance !== undefined && tables !== undefined)
      problems.push({
        severity: 'warning',
        ...place,
        path: 'spec.tables',
        message: `found tables, and the shadow ${quoted(shadow)} on another server: all tables of ${quoted(from.database)} go there, as one statement cannot be on two servers`,
      });
    for (const database of new Set([from.database, ...aliases]))
      for (const label of labels)
        for (const table of instance === undefined ? (tables ?? [undefined]) : [undefined])
          mappings.push({
            label,
            base: { database: bytesOf(database), table: table && bytesOf(table) },
            shadow: { database: bytesOf(to.database), table: table && bytesOf(table) },
            instance,
            rule: name,
            place,
          });
  }
}

function instanceOf({ name, host, port, database, user, password, passwordFile }: EndpointRule): Instance {
  return { name, host, port, user, password, passwordFile, database: bytesOf(database) };
}
