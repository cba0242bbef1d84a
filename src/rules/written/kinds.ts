// The kinds of OpenSergo: which are in force, which are known, and what a wrong name was meant to be.

import { nearest } from '../../documents/nearest.ts';
import type { Document } from '../../documents/parse.ts';
import { problemAt } from '../../documents/place.ts';
import { listed, quoted } from '../../documents/value.ts';
import type { Problem } from '../../problem.ts';

const traffic = 'traffic.opensergo.io/v1alpha1';
const database = 'database.opensergo.io/v1alpha1';
const notInForce = ['ReadWriteSplitting', 'Sharding', 'Encryption', 'DatabaseDiscovery', 'DistributedTransaction'];
const ofTraffic = ['TrafficLabelRule', 'WorkloadLabelRule', 'TrafficLane'];
const ofDatabases = ['Shadow', 'VirtualDatabase', 'DatabaseEndpoint'];
const inForce = new Set([...ofTraffic, ...ofDatabases]);
const versions: ReadonlyMap<string, string> = new Map([
  ...[...ofTraffic, 'TrafficRouter', 'VirtualWorkload', 'RouterRule'].map((kind) => [kind, traffic] as const),
  ...[...ofDatabases, ...notInForce].map((kind) => [kind, database] as const),
]);
const groups = [traffic, database].map(groupOf);

/** True for the documents that `compile` reads: those of OpenSergo's groups, and those that were probably meant to be. */
export function isRule(document: Document): boolean {
  return inForce.has(document.kind) || nearest(groupOf(document.apiVersion), groups) !== undefined;
}

/** What is wrong with kind and apiVersion; nothing for a kind in force. */
export function kindProblems(document: Document): Problem[] {
  const { kind, apiVersion } = document;
  const version = versions.get(kind);
  const problems: Problem[] = [];
  const expected = version ?? nearest(apiVersion, [traffic, database]) ?? traffic;
  // The schema of a kind in force says it itself.
  if (apiVersion !== expected && !inForce.has(kind))
    problems.push(problemAt(document, ['apiVersion'], `found ${quoted(apiVersion)}, expected ${quoted(expected)}`));
  if (version === undefined) {
    const near = nearest(kind, [...versions.keys()]);
    const hint = near === undefined ? '' : `; did you mean ${quoted(near)}?`;
    problems.push(problemAt(document, ['kind'], `found ${quoted(kind)}, expected ${listed([...inForce])}${hint}`));
  } else if (!inForce.has(kind) && problems.length === 0) {
    const message = `kind ${kind} is part of OpenSergo but not in force yet; this document changes nothing`;
    problems.push({ ...problemAt(document, ['kind'], message), severity: 'warning' });
  }
  return problems;
}

function groupOf(apiVersion: string): string {
  return apiVersion.slice(0, Math.max(0, apiVersion.indexOf('/')));
}
