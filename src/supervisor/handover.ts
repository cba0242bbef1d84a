// An upgrade in place: the next lanekeeper takes the processor's socket over from the one that runs, and its memory.
import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** What is remembered, as lines of JSON: whatever the memory gives and takes. */
export type Dump = readonly unknown[];

export type Giver = {
  /** What is remembered now; asked twice, before and after the next one has the socket. */
  readonly dump: () => Dump;
  /** The next one asks for it: frees the admin port. */
  readonly onRequest: () => Promise<void>;
  /** The next one has the socket: everything but Envoy ends here. */
  readonly onTaken: () => void;
};

export type Handover = {
  readonly dump: Dump;
  /** Tells the earlier one that the socket is ours; resolves to what it remembered until then. */
  taken(): Promise<Dump>;
};

const answerWithinMs = 5_000;
const [request, taken, end] = ['take over', 'taken', 'end'];

/** Waits for the next lanekeeper on a socket; a conversation of two requests, each answered by lines and `end`. */
export function serveHandover(path: string, { dump, onRequest, onTaken }: Giver): Promise<{ close(): void }> {
  rmSync(path, { force: true });
  const server: Server = createServer((socket) => {
    socket.on('error', () => {}); // the next one has ended: we go on
    createInterface({ input: socket }).on('line', (line) => void answer(socket, line));
  });
  server.unref();
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(path, () => resolve({ close: () => server.close() }));
  });

  async function answer(socket: Socket, line: string): Promise<void> {
    if (line !== request && line !== taken) return void socket.destroy();
    if (line === request) await onRequest();
    for (const entry of dump()) socket.write(`${JSON.stringify(entry)}\n`);
    socket.write(`${end}\n`, () => line === taken && onTaken());
  }
}

/** Asks the lanekeeper that runs; undefined where none does. Rejects where it does not answer. */
export async function requestHandover(path: string): Promise<Handover | undefined> {
  const socket = connect(path);
  const connected = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  });
  if (!connected) return undefined;
  const ask = answersOf(socket);
  const dump = await ask(request);
  return {
    dump,
    async taken() {
      const rest = await ask(taken);
      socket.end();
      return rest;
    },
  };
}

function answersOf(socket: Socket): (line: string | undefined) => Promise<Dump> {
  let entries: unknown[] = [];
  let waiting: PromiseWithResolvers<Dump> | undefined;
  const fail = (why: string) =>
    waiting?.reject(new Error(`the lanekeeper that runs ${why}; end it, and start this one without --take-over`));
  socket.on('error', () => fail('has broken off the handover'));
  socket.on('close', () => fail('has broken off the handover'));
  createInterface({ input: socket }).on('line', (line) => {
    if (line !== end) return void entries.push(JSON.parse(line));
    waiting?.resolve(entries);
    entries = [];
  });
  return async (line) => {
    waiting = Promise.withResolvers<Dump>();
    const timer = setTimeout(() => fail(`has not answered within ${answerWithinMs / 1000} s`), answerWithinMs);
    socket.write(`${line}\n`);
    return waiting.promise.finally(() => clearTimeout(timer));
  };
}
