// Addresses and paths that more than one service claims: what a request there means is not clear from the address.

import type { Document } from '../../documents/parse.ts';
import { problemAt } from '../../documents/place.ts';
import type { Problem } from '../../problem.ts';
import { difference } from '../difference.ts';
import type { Mesh, Service } from '../mesh.ts';
import { formatAddress } from '../workload.ts';

/** Two services that one address means, though they do not have the same instances. */
export type Conflict = {
  readonly services: readonly [string, string];
  /** The first, by its text. */
  readonly address: string;
  /** How many they share. */
  readonly count: number;
};

/** The conflicts of one mesh. One address may have several names, as Dubbo registers, where all have the same instances. */
export function conflictsOf(mesh: Mesh): readonly Conflict[] {
  return createConflicts()(mesh);
}

/** The same again and again: only services that changed since the last time are looked into. */
export function createConflicts(): (mesh: Mesh) => readonly Conflict[] {
  const claimants = new Map<string, Set<string>>();
  const shared = new Set<string>();
  let last: Mesh | undefined;
  return (mesh) => {
    const { added, changed, removed } = difference(last, mesh).services;
    for (const name of [...changed, ...removed]) drop(name, last?.services.get(name));
    for (const name of [...changed, ...added]) claim(name, mesh.services.get(name));
    last = mesh;
    return conflictsAmong(mesh);
  };

  function claim(name: string, service: Service | undefined): void {
    for (const address of claimsOf(service)) {
      const names = claimants.get(address) ?? new Set();
      claimants.set(address, names.add(name));
      if (names.size > 1) shared.add(address);
    }
  }

  function drop(name: string, service: Service | undefined): void {
    for (const address of claimsOf(service)) {
      const names = claimants.get(address);
      names?.delete(name);
      if (names === undefined || names.size < 2) shared.delete(address);
      if (names?.size === 0) claimants.delete(address);
    }
  }

  function conflictsAmong({ services }: Mesh): Conflict[] {
    const conflicts = new Map<string, Conflict>();
    for (const address of [...shared].sort()) {
      const [first = '', ...others] = [...(claimants.get(address) ?? [])].sort();
      for (const other of others) {
        if (instancesAsText(services.get(first)) === instancesAsText(services.get(other))) continue;
        if ([first, other].some((name) => services.get(name)?.name.startsWith('providers:'))) continue; // told apart by path
        const pair = `${first} ${other}`;
        const known = conflicts.get(pair);
        conflicts.set(pair, {
          services: [first, other],
          address: known?.address ?? address,
          count: (known?.count ?? 0) + 1,
        });
      }
    }
    return [...conflicts.values()];
  }
}

/** A warning for each two services; at the document of the second, where there is one. */
export function conflictProblems(
  conflicts: readonly Conflict[],
  documents: ReadonlyMap<string, Document>,
): readonly Problem[] {
  return conflicts.map(({ services: [first, second], address, count }) => {
    const more = count > 1 ? ` and ${count - 1} more` : '';
    const message = `found ${address}${more} at Service ${first} and at Service ${second}, whose instances are not the same; requests there are told apart by their Host, and without one of their names go to ${first}`;
    const document = documents.get(second);
    const place = document === undefined ? {} : problemAt(document, ['metadata', 'name'], message);
    return { ...place, severity: 'warning', message };
  });
}

/** A gateway takes the first, by the order of the map. */
export function pathProblems({ services }: Mesh, documents: ReadonlyMap<string, Document>): readonly Problem[] {
  const owners = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [name, { paths }] of services) {
    for (const [index, path] of paths.entries()) {
      const owner = owners.get(path) ?? name;
      owners.set(path, owner);
      const document = documents.get(name);
      if (owner === name || document === undefined) continue;
      const message = `found ${path}, which a gateway routes to ${owner} already; give one of them another path`;
      problems.push({ ...problemAt(document, pathsPath(document, index), message), severity: 'warning' });
    }
  }
  return problems;
}

function pathsPath({ apiVersion }: Document, index: number): readonly (string | number)[] {
  return apiVersion === 'v1' ? ['metadata', 'annotations', 'lanekeeper.io/paths'] : ['spec', 'paths', index];
}

/** With each of its ports an address of the service itself; with its own port one of an instance. */
function claimsOf(service: Service | undefined): ReadonlySet<string> {
  if (service === undefined) return new Set();
  const { addresses, ports, instances } = service;
  return new Set([
    ...addresses.flatMap((address) => ports.map(({ port }) => formatAddress({ address, port }))),
    ...instances.map(formatAddress),
  ]);
}

const texts = new WeakMap<Service, string>();

function instancesAsText(service: Service | undefined): string {
  if (service === undefined) return '';
  const known = texts.get(service);
  if (known !== undefined) return known;
  const text = [...new Set(service.instances.map(formatAddress))].sort().join(' ');
  texts.set(service, text);
  return text;
}
