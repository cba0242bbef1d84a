// One client: its bytes become commands in their order, and what its server says goes back to it; neither is let run ahead.
import type { Socket } from 'node:net';
import { type Course, takeCommand } from '../commands/dispatch.ts';
import { takeLong } from '../commands/long.ts';
import { capability, has } from '../handshake/capabilities.ts';
import type { ProxyOptions } from '../options.ts';
import { createInput } from '../packets/frames.ts';
import type { Judge } from '../statements/judge.ts';
import type { Memory } from '../statements/memory.ts';
import { createInstances, type Login } from '../upstream/instances.ts';
import { type Leg, openLeg } from '../upstream/leg.ts';
import type { Arrived } from './arrival.ts';
import { complain, relayAll, relayDialogue, relayPacket, type Streamed } from './relay.ts';
import { createSession } from './session.ts';
import { createState } from './state.ts';

export type Connection = {
  /** Nothing is awaited, and no transaction is open. */
  readonly isIdle: boolean;
  /** What was said to the client is sent, and then nothing more. */
  end(): void;
  destroy(): void;
};

export type ConnectionOptions = {
  readonly arrived: Arrived;
  readonly options: ProxyOptions;
  readonly judge: Judge;
  readonly memory: Memory;
  readonly login: Login;
};

/** What the client's next bytes are. */
type Mode = 'commands' | 'relay' | 'file' | 'long' | 'surrendered';
/** Of commands that wait for the one before. */
const maxWaitingBytes = 1 << 16;
/** For a client whose server has left: to see it, and to leave as well. */
const patienceMs = 10_000;
const hurryMs = 500;

export function openConnection({ arrived, options, judge, memory, login }: ConnectionOptions): Connection {
  const { client, server, wire, database, rest } = arrived;
  const input = createInput();
  let leaving: NodeJS.Timeout | undefined;
  let hurry: NodeJS.Timeout | undefined;
  let mode: Mode = 'relay';
  let isWaiting = false;
  let isFull = false;
  let isClosed = false;
  let hasClientLeft = false;
  const state = createState(database);
  const leg = legOn(server);
  let streamed: Streamed = leg;
  const instances = createInstances({
    ...{ login, wire, state, tls: options.tls, openLeg: legOn },
    lost(gone, isMissed) {
      if (isMissed || session.active === gone || gone.isInTransaction || !gone.isIdle) letGo();
    },
  });
  const session = createSession({ options, judge, memory, wire, leg, instances, state });
  const relay = (isOn: boolean) => turn(isOn ? 'relay' : 'commands');
  const course: Course = { relay, surrender: () => turn('surrendered') };
  logIn();
  listen();
  for (const bytes of rest) input.push(bytes);
  pump();
  return {
    get isIdle() {
      return (
        session.active.isIdle &&
        !isWaiting &&
        input.size === 0 &&
        ![leg, ...instances.legs].some((each) => each.isInTransaction)
      );
    },
    end() {
      client.end();
      server.end();
    },
    destroy,
  };

  function legOn(socket: Socket): Leg {
    socket.on('error', broke);
    return openLeg({
      socket,
      failed: fail,
      asked: letGo,
      deprecatesEof: has(wire.capabilities, capability.deprecateEof),
      hasTracking: has(wire.capabilities, capability.sessionTrack),
      pass: (bytes) => client.write(bytes),
      isPassed: () => client.writableLength === 0,
      fileAsked() {
        mode = 'file';
      },
      flows(canTake) {
        isFull = !canTake;
        if (isFull) client.pause();
        else if (!isWaiting) client.resume();
      },
      chosen(name) {
        if (socket === server) state.database = name;
      },
    });
  }

  /** Until the server says yes or no the client's packets are its dialogue. */
  function logIn(): void {
    leg.expect({
      shape: 'login',
      done(reply) {
        turn('commands');
        if (reply.error === undefined && !options.shadows().isEmpty) void session.ready();
      },
    });
  }

  function turn(to: Mode): void {
    mode = to;
    if (to === 'commands') queueMicrotask(proceed);
  }

  function listen(): void {
    client.on('data', (chunk: Buffer) => {
      input.push(chunk);
      pump();
      // Not before: who is not read cannot be seen to leave.
      if (input.size > maxWaitingBytes && !canStep()) client.pause();
    });
    client.on('drain', () => {
      for (const { socket } of [leg, ...instances.legs]) socket.resume();
      proceed();
    });
    client.on('end', clientLeft).on('close', destroy);
    server.on('end', letGo).on('close', letGo);
    // It may have happened while nobody listened.
    if (client.readableEnded) clientLeft();
    if (server.readableEnded || server.destroyed) letGo();
    if (client.destroyed) destroy();
    client.on('error', broke).resume();
    server.resume();
  }

  /** What it said still is carried out, if that does not wait long for a server. */
  function clientLeft(): void {
    hasClientLeft = true;
    pump();
    hurry = setTimeout(farewell, hurryMs);
  }

  /** A transaction of who has left must not live on. */
  function farewell(): void {
    if (session.active.isIdle) letGo();
    else session.active.socket.end();
  }

  /**
   * What a server has said goes to the client, and then nothing more. What the client still says is for nobody, but read:
   * who is not read cannot be seen to leave, and may wait for ever to be read.
   */
  function letGo(): void {
    if (isClosed || leaving !== undefined) return;
    leaving = setTimeout(destroy, patienceMs);
    server.destroy();
    instances.drop();
    client.removeAllListeners('data');
    input.all();
    client.end();
    client.resume();
  }

  function broke({ message }: Error): void {
    options.log.debug({ error: message }, 'a database connection broke');
  }

  /** A mistake of ours costs this connection, and no other. HOT */
  function pump(): void {
    try {
      while (canStep()) if (!step()) break;
      if (hasClientLeft && canStep()) farewell();
    } catch (error) {
      fail(error);
    }
  }

  /** What counts from 0 during a login is a command, for when that has ended; and who does not read is not answered. */
  function canStep(): boolean {
    if (isWaiting || isClosed || leaving !== undefined || client.writableNeedDrain) return false;
    return mode !== 'relay' || input.sequence !== 0;
  }

  function proceed(): void {
    if (!isFull && !isWaiting) client.resume();
    pump();
  }

  function fail(error: unknown): void {
    options.log.error(
      { error: error instanceof Error ? error.stack : String(error) },
      'a database connection is closed: its bytes could not be handled',
    );
    destroy();
  }

  /** True while there may be more to do. */
  function step(): boolean {
    if (mode === 'relay') return relayDialogue(input, leg);
    if (mode === 'surrendered') return relayAll(input, leg);
    if (mode !== 'commands') return relayPart();
    const packet = input.next(options.maxStatementBytes);
    if (packet === undefined) return false;
    if (packet === 'long') return begin(takeLong(session, input.head()));
    if (packet.payload.length === 0) return complain(session.active);
    const busy = takeCommand(session, packet, course);
    if (busy !== undefined) wait(busy);
    return true;
  }

  function wait(busy: Promise<void>): void {
    isWaiting = true;
    busy.then(() => {
      isWaiting = false;
      proceed();
    }, fail);
  }

  function relayPart(): boolean {
    const found = relayPacket(session, input, mode === 'file' ? session.active : streamed);
    if (found === 'empty' || (found === 'end' && mode !== 'file')) mode = 'commands';
    return found !== 'part';
  }

  function begin(to: Streamed | Promise<Streamed>): boolean {
    mode = 'long';
    if (to instanceof Promise) wait(to.then((found) => void begin(found)));
    else streamed = to;
    return true;
  }

  function destroy(): void {
    if (isClosed) return;
    isClosed = true;
    clearTimeout(leaving);
    clearTimeout(hurry);
    client.destroy();
    server.destroy();
    instances.drop();
  }
}
