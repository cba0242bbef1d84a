// Servers of labels, beside the one that the client has asked for: each connected when it is needed first, as itself.

import type { Socket } from 'node:net';
import type { Instance } from '../../shadow/map.ts';
import { capability } from '../handshake/capabilities.ts';
import type { TlsOptions } from '../options.ts';
import { command, worded } from '../packets/command.ts';
import { passwordOf } from '../password.ts';
import type { State } from '../session/state.ts';
import type { Refusal } from '../statements/judge.ts';
import { connectTo } from './intake.ts';
import type { Leg } from './leg.ts';
import { maxSettingBytes, maxSettings } from './settings.ts';
import { ownQuery, type Wire } from './wire.ts';

/** Shows a server who we are; resolves when it has let us in, on a socket that may be TLS over the one that was given. */
export type Login = (
  options: LoginOptions,
) => Promise<{ readonly ok: true; readonly socket: Socket } | { readonly ok: false; readonly why: string }>;

export type LoginOptions = {
  readonly socket: Socket;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Those that the client has agreed on with its own server: replies must have the same form. */
  readonly capabilities: number;
  /** MariaDB's four bytes more, in the place where MySQL has zeros. */
  readonly extensions: number;
  readonly charset: number;
  readonly tls: TlsOptions;
};

export type Instances = {
  /** Its session is as that of the client's own server. */
  legOf(instance: Instance): Promise<Leg | Refusal>;
  readonly legs: readonly Leg[];
  /** The one on which a transaction is open. HOT */
  readonly held: Leg | undefined;
  /** Says at once to this server what the client's own will be told. */
  tell(leg: Leg, settings: readonly string[]): Promise<Refusal | undefined>;
  /** This one has from now on what ends with its connection. */
  keep(leg: Leg): void;
  /** Ends all of them. */
  drop(): void;
};

export type InstancesOptions = {
  readonly login: Login;
  readonly wire: Wire;
  readonly state: State;
  readonly tls: TlsOptions;
  openLeg(socket: Socket): Leg;
  /** One went away; whatever was done on it may be undone. `isMissed`: it had what another connection has not. */
  lost(leg: Leg, isMissed: boolean): void;
};

type Open = { readonly leg: Leg; database: string; told: number; isMissed: boolean };

export function createInstances({ login, wire, state, tls, openLeg, lost }: InstancesOptions): Instances {
  const opened = new Map<string, Open>();
  let coming: Socket | undefined;
  let drops = 0;
  return {
    async legOf(instance) {
      const known = opened.get(instance.name);
      if (known !== undefined) return level(known, instance);
      const fresh = await open(instance);
      if ('do' in fresh) return fresh;
      opened.set(instance.name, fresh);
      const { socket } = fresh.leg;
      // Not when it has taken what we still have for it: it may take nothing more.
      socket.once('end', () => socket.destroy());
      socket.once('close', () => {
        // Those that were dropped are missed by nobody.
        if (opened.get(instance.name) !== fresh) return;
        opened.delete(instance.name);
        lost(fresh.leg, fresh.isMissed);
      });
      return level(fresh, instance);
    },
    get legs() {
      return [...opened.values()].map(({ leg }) => leg);
    },
    get held() {
      if (opened.size > 0) for (const { leg } of opened.values()) if (leg.isInTransaction) return leg;
      return undefined;
    },
    async tell(leg, settings) {
      const name = [...opened].find(([, each]) => each.leg === leg)?.[0] ?? '';
      for (const text of settings) {
        const refusal = await say(name, leg, text);
        if (refusal !== undefined) return refusal;
      }
      return undefined;
    },
    keep(leg) {
      for (const each of opened.values()) if (each.leg === leg) each.isMissed = true;
    },
    drop() {
      const all = [...opened.values()];
      opened.clear();
      for (const { leg } of all) leg.socket.destroy();
      coming?.destroy();
      drops += 1;
    },
  };

  async function open(instance: Instance): Promise<Open | Refusal> {
    const { name, host, port, user, database } = instance;
    const before = drops;
    const password = await passwordOf(instance).catch(() => undefined);
    if (drops !== before) return refuse(name, 'the client has left');
    if (password === undefined) return refuse(name, `its password cannot be read from ${instance.passwordFile}`);
    const socket = connectTo({ host, port });
    coming = socket;
    const { extensions, collation: charset } = wire;
    // Those that only we have offered are taken away before its own server, and so before this one.
    const capabilities = wire.serverHasAttributes ? wire.capabilities : wire.capabilities & ~capability.queryAttributes;
    const entered = await login({ socket, user, password, database, capabilities, extensions, charset, tls });
    coming = undefined;
    if (!entered.ok || socket.destroyed) {
      socket.destroy();
      return refuse(name, entered.ok ? 'the client has left' : entered.why);
    }
    const leg = openLeg(entered.socket);
    entered.socket.resume();
    return { leg, database, told: 0, isMissed: false };
  }

  /** Tells it what was set since it was used last. */
  async function level(open: Open, instance: Instance): Promise<Leg | Refusal> {
    const { leg } = open;
    if (state.settings.isFull)
      return refuse(
        instance.name,
        `found more than ${maxSettings} settings of this session to carry there, or ${maxSettingBytes} bytes of them; expected fewer, or a new session`,
      );
    if (open.database !== instance.database) {
      const { error } = await leg.ask(worded(command.initDatabase, instance.database), 'one');
      if (error !== undefined) return refuse(instance.name, error.message);
      open.database = instance.database;
    }
    for (const { text, isLiteral, number } of state.settings.kept) {
      if (number <= open.told) continue;
      if (!isLiteral)
        return refuse(instance.name, `found SET ${text} before, expected literals, which can be said there too`);
      const refusal = await say(instance.name, leg, text);
      if (refusal !== undefined) return refusal;
      open.told = number;
    }
    return leg;
  }

  async function say(name: string, leg: Leg, text: string): Promise<Refusal | undefined> {
    const { error } = await leg.ask(ownQuery(wire, `SET ${text}`), 'query');
    return error === undefined ? undefined : refuse(name, `SET ${text.slice(0, 80)}: ${error.message}`);
  }
}

function refuse(name: string, message: string): Refusal {
  return { do: 'refuse', reason: 'instance', message: `the label's server ${name} cannot be used: ${message}` };
}
