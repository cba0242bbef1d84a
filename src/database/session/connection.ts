// One client: its bytes become commands in their order, and what its server says goes back to it; neither is let run ahead.
import type { Socket } from 'node:net';
import { type Course, takeCommand } from '../commands/dispatch.ts';
import { takeLong } from '../commands/long.ts';
import { capability, has } from '../handshake/capabilities.ts';
import type { ProxyOptions } from '../options.ts';
import { complaint } from '../packets/answers.ts';
import { createInput } from '../packets/frames.ts';
import type { Judge, Refusal } from '../statements/judge.ts';
import type { Memory } from '../statements/memory.ts';
import { createInstances, type Login } from '../upstream/instances.ts';
import { type Leg, openLeg } from '../upstream/leg.ts';
import type { Arrived } from './arrival.ts';
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

/** Where a long packet goes, or why nowhere. */
type Streamed = Leg | Refusal;

/** Of commands that wait for the one before. */
const maxWaitingBytes = 1 << 16;
/** For a client whose server has left: to see it, and to leave as well. */
const patienceMs = 10_000;

export function openConnection({ arrived, options, judge, memory, login }: ConnectionOptions): Connection {
  const { client, server, wire, database, rest } = arrived;
  const input = createInput();
  let leaving: NodeJS.Timeout | undefined;
  let mode: Mode = 'relay';
  let isWaiting = false;
  let isFull = false;
  let isClosed = false;
  const state = createState(database);
  const leg = legOn(server);
  let streamed: Streamed = leg;
  const instances = createInstances({
    ...{ login, wire, state, tls: options.tls, openLeg: legOn },
    lost(gone, isMissed) {
      if (isMissed || session.active === gone || gone.isInTransaction || !gone.isIdle) serverLeft();
    },
  });
  const session = createSession({ options, judge, memory, wire, leg, instances, state });
  const course: Course = {
    relay(isOn) {
      mode = isOn ? 'relay' : 'commands';
    },
    surrender() {
      mode = 'surrendered';
    },
  };
  logIn();
  listen();
  for (const bytes of rest) input.push(bytes);
  pump();
  return {
    get isIdle() {
      return session.active.isIdle && !isWaiting && input.size === 0 && !legs().some((each) => each.isInTransaction);
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
      asked: serverLeft,
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

  function legs(): readonly Leg[] {
    return [leg, ...instances.legs];
  }

  /** Until the server says yes or no the client's packets are its dialogue. */
  function logIn(): void {
    leg.expect({
      shape: 'login',
      done(reply) {
        mode = 'commands';
        if (reply.error === undefined && !options.shadows().isEmpty) void session.ready();
      },
    });
  }

  function listen(): void {
    client.on('data', (chunk: Buffer) => {
      input.push(chunk);
      pump();
      // Not before: who is not read cannot be seen to leave.
      if (isWaiting && input.size > maxWaitingBytes) client.pause();
    });
    client.on('drain', () => {
      for (const { socket } of legs()) socket.resume();
    });
    client.on('end', clientLeft).on('close', destroy);
    server.on('end', serverLeft).on('close', serverLeft);
    // It may have happened while nobody listened.
    if (client.readableEnded) clientLeft();
    if (server.readableEnded || server.destroyed) serverLeft();
    if (client.destroyed) destroy();
    client.on('error', broke);
    client.resume();
    server.resume();
  }

  /** Whoever leaves awaits nothing but the reply that is on its way: a transaction of his must not live on. */
  function clientLeft(): void {
    if (session.active.isIdle && !isWaiting) destroy();
    else server.end();
  }

  /**
   * What a server has said goes to the client, and then nothing more. What the client still says is for nobody, but read:
   * who is not read cannot be seen to leave, and may wait for ever to be read.
   */
  function serverLeft(): void {
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
      while (!isWaiting && !isClosed && leaving === undefined && step());
    } catch (error) {
      fail(error);
    }
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
    if (mode === 'relay' || mode === 'surrendered') return relayAll();
    if (mode !== 'commands') return relayPacket();
    const packet = input.next(options.maxStatementBytes);
    if (packet === undefined) return false;
    if (packet === 'long') return begin(takeLong(session, input.head()));
    if (packet.payload.length === 0) return complain();
    const busy = takeCommand(session, packet, course);
    if (busy !== undefined) wait(busy);
    return true;
  }

  function wait(busy: Promise<void>): void {
    isWaiting = true;
    busy.then(() => {
      isWaiting = false;
      if (!isFull) client.resume();
      pump();
    }, fail);
  }

  function relayAll(): boolean {
    for (const bytes of input.all()) leg.send(bytes);
    return false;
  }

  /** One packet of a file, or a long one, as far as it is here. */
  function relayPacket(): boolean {
    const { bytes, isEnd, isEmpty, sequence } = input.stream();
    const to = mode === 'file' ? session.active : streamed;
    if (!('do' in to)) for (const each of bytes) to.send(each);
    if (!isEnd) return false;
    if ('do' in to) {
      const message = `lanekeeper: ${to.reason}: ${to.message}`;
      options.count({ what: 'refusal', reason: to.reason });
      session.active.answer(complaint({ code: 1235, state: '42000', message, sequence: sequence + 1 }));
    }
    if (mode !== 'file' || isEmpty) mode = 'commands';
    return true;
  }

  function begin(to: Streamed | Promise<Streamed>): boolean {
    mode = 'long';
    if (to instanceof Promise) wait(to.then((found) => void begin(found)));
    else streamed = to;
    return true;
  }

  function complain(): boolean {
    const message = 'lanekeeper: malformed packet';
    session.active.answer(complaint({ code: 1835, state: 'HY000', message, sequence: 1 }));
    return true;
  }

  function destroy(): void {
    if (isClosed) return;
    isClosed = true;
    clearTimeout(leaving);
    client.destroy();
    server.destroy();
    instances.drop();
  }
}
