// What a database proxy is given.

import type { Logger } from 'pino';
import type { Recollection } from '../propagation/recollection.ts';
import type { TraceId } from '../propagation/trace.ts';
import type { ShadowMap } from '../shadow/map.ts';
import type { Label } from '../traffic/label.ts';
import type { By } from './label/attribution.ts';

/** What a labelled pod's rules say of a statement that a base workload sends without any carrier, while labels are remembered. */
export type Unattributed = 'refuse' | 'shadow' | 'base';

export type Target = { readonly host: string; readonly port: number } | { readonly path: string };

export type ProxyOptions = {
  readonly listen: { readonly address: string; readonly port: number } | { readonly path: string };
  /**
   * The server behind; `proxy-protocol`: each connection begins with a PROXY header (version 1 or 2), whose destination is
   * the server.
   */
  readonly upstream: Target | 'proxy-protocol';
  /**
   * Where Envoy opens connections for us, told by a PROXY header where to: for pods in which our own would be led back
   * here. They are opened directly where it is undefined.
   */
  readonly exit?: string | undefined;
  /** The workload's own labels; a rule may change them. */
  readonly labels: () => readonly Label[];
  /** What is in force now; asked for each statement. */
  readonly shadows: () => ShadowMap;
  readonly isRemembering: () => boolean;
  readonly recall: (ids: readonly TraceId[]) => Promise<Recollection>;
  readonly unattributed: { readonly writes: Unattributed; readonly reads: Unattributed };
  /** DDL of a label: refused, or done to the shadow alone. */
  readonly definitions: 'refuse' | 'shadow';
  /** The longest statement that is read whole; of a label longer ones are refused, of base they pass. */
  readonly maxStatementBytes: number;
  readonly tls: TlsOptions;
  readonly count: (event: DatabaseEvent) => void;
  readonly log: Logger;
};

/**
 * `strip`: clients are not offered TLS, and the server is spoken to in clear. `terminate`: clients are offered ours
 * (`certificate`, `key`), and who takes it is served over TLS to the server as well, checked against `authority` where
 * that is given.
 */
export type TlsOptions =
  | { readonly mode: 'strip' }
  | {
      readonly mode: 'terminate';
      readonly certificate: string;
      readonly key: string;
      readonly authority: string | undefined;
    };

/** What is counted. Reasons and carriers are from closed lists. */
export type DatabaseEvent =
  | { readonly what: 'connection'; readonly change: 1 | -1 }
  | { readonly what: 'statement'; readonly did: 'base' | 'rewritten' | 'shadow'; readonly by: By }
  | { readonly what: 'refusal'; readonly reason: string }
  | { readonly what: 'unattributed'; readonly policy: Unattributed };
