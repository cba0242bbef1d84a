// One valid document about databases to one rule.

import type { Document, Place } from '../documents/parse.ts';
import { problemAt } from '../documents/place.ts';
import { isMapping, listed, quoted, valueAt } from '../documents/value.ts';
import type { Problem } from '../problem.ts';
import { type Label, parseLabel } from '../traffic/label.ts';
import { type DatabaseEndpoint, type Shadow, sourceUrl, type VirtualDatabase } from './written/database.ts';

type Named = { readonly name: string; readonly namespace: string; readonly place: Place };

export type ShadowRule = Named & {
  readonly kind: 'shadow';
  /** Every label where undefined. */
  readonly labels: readonly Label[] | undefined;
  /** Names of endpoints. */
  readonly pairs: readonly {
    readonly source: string;
    readonly shadow: string;
    readonly tables: readonly string[] | undefined;
  }[];
  /** What a comment must hold, all of one of these lists, to count as a label. */
  readonly hints: readonly (readonly (readonly [string, string])[])[];
};

export type EndpointRule = Named & {
  readonly kind: 'endpoint';
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly passwordFile: string | undefined;
};

export type VirtualRule = Named & {
  readonly kind: 'virtual';
  readonly databases: readonly { readonly database: string; readonly shadow: string | undefined }[];
};

export type DatabaseRule = ShadowRule | EndpointRule | VirtualRule;

export function shadowRule(document: Document, { spec }: Shadow): ShadowRule {
  const tables = spec.tables && Object.entries(spec.tables);
  const hints = Object.values(spec.shadowAlgorithms ?? {}).filter(({ type }) => type === 'SIMPLE_HINT');
  return {
    kind: 'shadow',
    ...namesOf(document),
    labels: spec.workloadLabels?.map(parseLabel).filter((label) => label !== undefined),
    pairs: Object.entries(spec.dataSources).map(([pair, { sourceDataSourceName, shadowDataSourceName }]) => ({
      source: sourceDataSourceName,
      shadow: shadowDataSourceName,
      tables: tables?.filter(([, { dataSourceNames }]) => dataSourceNames.includes(pair)).map(([table]) => table),
    })),
    hints: hints
      .map(({ props }) => Object.entries(props ?? {}).map(([key, value]) => [key, String(value)] as const))
      .filter((pairs) => pairs.length > 0),
  };
}

export function endpointRule(document: Document, { spec }: DatabaseEndpoint): EndpointRule {
  const { url, username, password, passwordFile } = spec.database.MySQL;
  const [, host = '', port = '3306', database = ''] = sourceUrl.exec(url) ?? [];
  return {
    kind: 'endpoint',
    ...namesOf(document),
    host: host.replace(/^\[|\]$/g, ''),
    port: Number(port),
    database,
    user: username ?? 'root',
    password,
    passwordFile,
  };
}

export function virtualRule(document: Document, { spec }: VirtualDatabase): VirtualRule {
  const databases = spec.services.map(({ databaseMySQL, shadow }) => ({ database: databaseMySQL.db, shadow }));
  return { kind: 'virtual', ...namesOf(document), databases };
}

/** What is accepted, and does less than its author may think; and what names nothing in the same document. */
export function databaseProblems(document: Document): Problem[] {
  return [...unusedAlgorithms(document), ...strayNames(document), ...otherGovernance(document)];
}

function unusedAlgorithms(document: Document): Problem[] {
  const path = ['spec', 'shadowAlgorithms'];
  return entriesAt(document, path).flatMap(([name, algorithm]) => {
    const type = valueAt(algorithm, ['type']);
    const props = valueAt(algorithm, ['props']);
    if (type === 'REGEX_MATCH')
      return [
        warning(
          document,
          [...path, name, 'type'],
          'found "REGEX_MATCH", which is not in force: no value of a column makes a label; labels of requests and SIMPLE_HINT do',
        ),
      ];
    if (type === 'SIMPLE_HINT' && !(isMapping(props) && Object.keys(props).length > 0))
      return [
        warning(
          document,
          [...path, name, 'props'],
          'found nothing, expected what the comment must hold; this hint is never met',
        ),
      ];
    return [];
  });
}

function strayNames(document: Document): Problem[] {
  const known = (path: string[]) => new Set(entriesAt(document, path).map(([name]) => name));
  const [sources, algorithms] = [known(['spec', 'dataSources']), known(['spec', 'shadowAlgorithms'])];
  return entriesAt(document, ['spec', 'tables']).flatMap(([table, value]) =>
    (
      [
        ['dataSourceNames', sources],
        ['shadowAlgorithmNames', algorithms],
      ] as const
    ).flatMap(([field, names]) => {
      const list = valueAt(value, [field]);
      return (Array.isArray(list) ? list : []).flatMap((name, index) =>
        typeof name !== 'string' || names.has(name)
          ? []
          : [
              problemAt(
                document,
                ['spec', 'tables', table, field, index],
                `found ${quoted(name)}, expected ${listed([...names]) || 'no name, as none is defined'}`,
              ),
            ],
      );
    }),
  );
}

const others = ['readWriteSplitting', 'sharding', 'encryption', 'distributedTransaction'];

function otherGovernance(document: Document): Problem[] {
  const services = valueAt(document.value, ['spec', 'services']);
  return (Array.isArray(services) ? [...services.keys()] : []).flatMap((index) =>
    others
      .filter((field) => valueAt(services, [index, field]) !== undefined)
      .map((field) =>
        warning(document, ['spec', 'services', index, field], `found ${field}, which is not in force; only shadow is`),
      ),
  );
}

function entriesAt(document: Document, path: readonly string[]): [string, unknown][] {
  const value = valueAt(document.value, path);
  return isMapping(value) ? Object.entries(value) : [];
}

function warning(document: Document, path: readonly (string | number)[], message: string): Problem {
  return { ...problemAt(document, path, message), severity: 'warning' };
}

function namesOf(document: Document): Named {
  const { namespace, name } = document;
  return { name: `${namespace}/${name}`, namespace, place: document.place([]) };
}
