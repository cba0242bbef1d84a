// What all commands of one client share: its server, what it has set there, and how it is answered.

import { type Reason, reasons } from '../../sql/refusals.ts';
import type { DatabaseEvent, ProxyOptions } from '../options.ts';
import { complaint } from '../packets/answers.ts';
import type { Packet } from '../packets/frames.ts';
import type { Judge, Judgement } from '../statements/judge.ts';
import type { Memory } from '../statements/memory.ts';
import type { Prepared } from '../statements/prepared.ts';
import type { Instances } from '../upstream/instances.ts';
import type { Leg } from '../upstream/leg.ts';
import { ownQuery, type Wire } from '../upstream/wire.ts';
import { learn, question, type State } from './state.ts';

export type Session = {
  readonly options: ProxyOptions;
  readonly judge: Judge;
  readonly memory: Memory;
  readonly wire: Wire;
  /** To the server that the client has asked for. */
  readonly leg: Leg;
  /** Where the last statement went: there, or to the server of a label. */
  active: Leg;
  readonly instances: Instances;
  readonly state: State;
  /** By the id that the client knows. */
  readonly prepared: Map<number, Prepared>;
  lastPrepared: Prepared | undefined;
  /** PREPAREs whose replies are to come. */
  preparing: number;
  /** Of values that are kept until their execution, those of all statements. */
  longBytes: number;
  /** Statements that were prepared on servers of labels. */
  elsewhere: number;
  /** True where this statement can be nobody's but base's, whatever is in it. HOT */
  isPlain(): boolean;
  /** undefined: all is known that a judgement needs. */
  ready(): Promise<void> | undefined;
  /**
   * Whatever is written to a server whose turn it is not: between the replies before and those behind, so that a client
   * hears of its commands in their order. It stays the other's turn, as a transaction may be open there.
   */
  visit(to: Leg, go: () => Promise<void> | undefined): Promise<void> | undefined;
  refuse(packet: Packet, refusal: { readonly reason: string; readonly message: string }): void;
  counted(judgement: Extract<Judgement, { label: unknown }>): void;
};

export type SessionOptions = Pick<Session, 'options' | 'judge' | 'memory' | 'wire' | 'leg' | 'instances' | 'state'>;

export function createSession(given: SessionOptions): Session {
  const { options, leg, state } = given;
  let learning: Promise<void> | undefined;
  const session: Session = {
    ...given,
    active: leg,
    prepared: new Map(),
    lastPrepared: undefined,
    preparing: 0,
    longBytes: 0,
    elsewhere: 0,
    isPlain() {
      if (state.unsettled > 0 || session.active !== leg || given.instances.held !== undefined) return false;
      // Of a session with temporary tables it must be seen when one goes.
      if (state.temporary.size > 0) return false;
      return (
        options.shadows().isEmpty ||
        (options.labels().length === 0 && state.variables.size === 0 && !options.isRemembering())
      );
    },
    ready() {
      if (state.unsettled > 0) return session.active.idle().then(() => session.ready());
      if (state.mode !== undefined) return undefined;
      learning ??= leg.ask(ownQuery(given.wire, question), 'query').then((reply) => {
        learn(state, reply);
        learning = undefined;
      });
      return learning;
    },
    visit(to, go) {
      return session.active === to ? go() : visit(to, go);
    },
    refuse(packet, { reason, message }) {
      options.count({ what: 'refusal', reason });
      const remedy = Object.hasOwn(reasons, reason) ? `. ${reasons[reason as Reason]}` : '';
      session.active.answer(refusal(packet, `lanekeeper: ${reason}: ${message}${remedy}`));
    },
    counted({ do: done, by, instance }) {
      const did = instance !== undefined ? 'shadow' : done === 'rewrite' ? 'rewritten' : 'base';
      options.count({ what: 'statement', did, by });
    },
  };
  return session;

  async function visit(to: Leg, go: () => Promise<void> | undefined): Promise<void> {
    const from = session.active;
    await from.idle();
    session.active = to;
    await go();
    await to.idle();
    session.active = from;
  }
}

/** ER_NOT_SUPPORTED_YET: no driver takes it for a reason to try again, or elsewhere. */
export function refusal({ sequence, raw, payload }: Packet, message: string): Buffer {
  const packets = (raw.length - payload.length) / 4;
  return complaint({ code: 1235, state: '42000', message, sequence: sequence + packets });
}

/** Made once: base statements are counted without work. */
export const baseStatement: DatabaseEvent = { what: 'statement', did: 'base', by: 'none' };

export const tooLong = {
  reason: 'too-long',
  message: 'found a statement longer than is read whole (--database-statement-bytes); send it in smaller parts',
} as const;
