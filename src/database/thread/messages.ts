// What the main thread and the thread of the database proxies say to each other. Plain data, as it is copied.

import type { Recollection } from '../../propagation/recollection.ts';
import type { TraceId } from '../../propagation/trace.ts';
import type { RuleSet } from '../../rules/compile.ts';
import type { Label } from '../../traffic/label.ts';
import type { ProxyOptions, Target, TlsOptions } from '../options.ts';

/** A proxy to open. */
export type Place = {
  readonly listen: ProxyOptions['listen'];
  readonly upstream: Target | 'proxy-protocol';
  readonly exit: string | undefined;
};

/** What rules say that databases care about. */
export type Rules = {
  readonly workloads: RuleSet['workloads'];
  readonly databases: RuleSet['databases'];
  /** The workload's own labels. */
  readonly labels: readonly Label[];
};

/** Given to the thread when it starts. */
export type Start = {
  readonly places: readonly Place[];
  readonly rules: Rules;
  readonly namespace: string;
  /** One Int32: 1 while labels are remembered by trace. Shared, so that no statement is before its label. */
  readonly remembering: SharedArrayBuffer;
  readonly unattributed: ProxyOptions['unattributed'];
  readonly definitions: ProxyOptions['definitions'];
  readonly maxStatementBytes: number;
  /** Contents of files, not their names. */
  readonly tls: TlsOptions;
  readonly logLevel: string;
  /** How long a port may be taken by the lanekeeper whose place this one takes. */
  readonly takenMs: number;
};

export type ToThread =
  | { readonly kind: 'rules'; readonly rules: Rules }
  | { readonly kind: 'recalled'; readonly id: number; readonly found: Recollection }
  | { readonly kind: 'count'; readonly id: number }
  | { readonly kind: 'close'; readonly drainMs: number };

export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'recall'; readonly id: number; readonly ids: readonly TraceId[] }
  /** What was counted since the last time. */
  | { readonly kind: 'counts'; readonly id: number; readonly counts: Counts }
  | { readonly kind: 'log'; readonly line: string }
  | { readonly kind: 'closed' };

export type Counts = {
  readonly connections: number;
  readonly statements: readonly { readonly did: string; readonly by: string; readonly times: number }[];
  readonly refusals: readonly { readonly reason: string; readonly times: number }[];
  readonly unattributed: readonly { readonly policy: string; readonly times: number }[];
};
