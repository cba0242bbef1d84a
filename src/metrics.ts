// What lanekeeper counts about itself, for Prometheus. Labels come from closed lists or from rules, never from requests.
import { Counter, Gauge, Registry } from 'prom-client';
import type { Counts } from './database/thread/messages.ts';
import type { Decision } from './decision/decision.ts';
import type { Memory } from './propagation/memory.ts';
import type { Direction } from './traffic/agreement.ts';

export type Metrics = ReturnType<typeof createMetrics>;

/** A registry of its own for each sidecar, so that two in one process (tests) do not meet. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: T[] = []) =>
    new Counter({ name: `lanekeeper_${name}`, help, labelNames, registers });
  const gauge = <T extends string>(name: string, help: string, labelNames: T[] = []) =>
    new Gauge({ name: `lanekeeper_${name}`, help, labelNames, registers });
  const metrics = {
    registry,
    decisions: counter('decisions_total', 'Answers to Envoy, by direction and reason.', ['direction', 'reason']),
    ruleHits: counter('rule_hits_total', 'Requests labelled by a rule.', ['rule']),
    disagreements: counter('disagreements_total', 'Requests whose header and baggage carried different labels.'),
    failures: counter('failures_total', 'Requests that went on undecided because of a mistake in lanekeeper.'),
    generation: gauge('generation', 'Number of the snapshot of rules and services in force; 1 is the first.'),
    served: gauge('envoy_generation', 'The same, as far as Envoy has taken it up.'),
    problems: gauge('problems', 'Mistakes and warnings in the rules and services that are in force.', ['severity']),
    sourceStale: gauge('source_stale', '1 while a source cannot be reached; what it said last stands.', ['source']),
    memoryEntries: gauge('memory_entries', 'Traces with a remembered label.'),
    memoryBytes: gauge('memory_bytes', 'Estimated size of the label memory.'),
    memoryEvents: gauge('memory_events', 'What happened to remembered labels since the start.', ['event']),
    askGateOpen: gauge(
      'ask_gate_open',
      '1 while Envoy asks about requests without a label, because one is remembered.',
    ),
    databaseConnections: gauge('database_connections', 'Connections of the application to databases.'),
    databaseStatements: counter(
      'database_statements_total',
      'Statements by what was done: base (left as they were), rewritten, shadow (another server); and by what said the label.',
      ['did', 'by'],
    ),
    databaseRefusals: counter('database_refusals_total', 'Statements that were refused, by reason.', ['reason']),
    databaseUnattributed: counter(
      'database_unattributed_total',
      'Statements on a table with a shadow that said no label while labels were remembered, by policy.',
      ['policy'],
    ),
    envoyUp: gauge('envoy_up', '1 while Envoy serves.'),
    envoyStarts: counter('envoy_starts_total', 'Times that Envoy became ready.'),
    refusals: counter('resources_rejected_total', 'Listeners, routes, clusters and endpoints that Envoy refused.'),
    refused: gauge('resources_refused', 'Those of them that it still refuses; what it had before stays.'),
  };
  return { ...metrics, count, observeMemory, observeEnvoy, observeDatabases };

  function count(direction: Direction, decision: Decision): void {
    metrics.decisions.inc({ direction, reason: decision.reason });
    if (decision.rule !== undefined) metrics.ruleHits.inc({ rule: decision.rule });
    if (decision.disagreement) metrics.disagreements.inc();
  }

  /** Taken when the metrics are read: the memory counts for itself. */
  function observeMemory(memory: Memory | undefined): void {
    if (memory === undefined) return;
    metrics.memoryEntries.set(memory.size);
    metrics.memoryBytes.set(memory.bytes);
    for (const [event, times] of Object.entries(memory.stats)) metrics.memoryEvents.set({ event }, times);
  }

  function observeDatabases({ connections, statements, refusals, unattributed }: Counts): void {
    metrics.databaseConnections.set(connections);
    for (const { did, by, times } of statements) metrics.databaseStatements.inc({ did, by }, times);
    for (const { reason, times } of refusals) metrics.databaseRefusals.inc({ reason }, times);
    for (const { policy, times } of unattributed) metrics.databaseUnattributed.inc({ policy }, times);
  }

  function observeEnvoy(state: string): void {
    metrics.envoyUp.set(state === 'ready' ? 1 : 0);
    if (state === 'ready') metrics.envoyStarts.inc();
  }
}
