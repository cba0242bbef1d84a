// The database proxies as the main thread sees them.

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import type { Recollection } from '../../propagation/recollection.ts';
import type { TraceId } from '../../propagation/trace.ts';
import type { Counts, FromThread, Rules, Start, ToThread } from './messages.ts';

export type Databases = {
  /** What is in force from now on. */
  use(rules: Rules): void;
  /** True while labels are remembered by trace; seen by the thread at once. */
  setRemembering(remembering: boolean): void;
  /** What was counted since the last time. */
  counts(): Promise<Counts>;
  /** Lets statements and transactions in flight end for as long. */
  close(drainMs: number): Promise<void>;
};

export type DatabasesOptions = Omit<Start, 'remembering' | 'logLevel'> & {
  readonly recall: (ids: readonly TraceId[]) => Recollection;
  readonly log: Logger;
};

const file = fileURLToPath(new URL(`./thread${extname(import.meta.url)}`, import.meta.url));
const noCounts: Counts = { connections: 0, statements: [], refusals: [], unattributed: [] };
const againAfterMs = 100;

/**
 * Resolves when every proxy listens; rejects where one of them cannot. A thread that dies is started again: its connections
 * are lost, as by a restart of the server.
 */
export async function openDatabases({ recall, log, rules: first, ...options }: DatabasesOptions): Promise<Databases> {
  const remembering = new Int32Array(new SharedArrayBuffer(4));
  const waiting = new Map<number, (counts: Counts) => void>();
  let exited: Promise<void>;
  let rules = first;
  let closing = false;
  let lastAsked = 0;
  let worker = start();
  await opened(worker);

  return {
    use(next) {
      rules = next;
      tell({ kind: 'rules', rules });
    },
    setRemembering: (is) => void Atomics.store(remembering, 0, is ? 1 : 0),
    counts() {
      lastAsked += 1;
      const id = lastAsked;
      const answered = new Promise<Counts>((resolve) => waiting.set(id, resolve));
      tell({ kind: 'count', id });
      // One that is dead, or dies meanwhile, has counted for nobody.
      return Promise.race([answered, exited.then(() => noCounts)]).finally(() => waiting.delete(id));
    },
    async close(drainMs) {
      closing = true;
      tell({ kind: 'close', drainMs });
      await exited;
    },
  };

  function tell(message: ToThread): void {
    worker.postMessage(message);
  }

  function start(): Worker {
    const workerData: Start = {
      ...options,
      rules,
      remembering: remembering.buffer as SharedArrayBuffer,
      logLevel: log.level,
    };
    const next = new Worker(file, { workerData, name: 'databases' });
    next.on('message', (message: FromThread) => hear(message, next));
    next.once('error', (error) => log.error({ error: String(error) }, 'the thread of the databases died'));
    exited = new Promise((resolve) => next.once('exit', () => resolve()));
    return next;
  }

  /** From then on it is replaced where it dies. */
  async function opened(started: Worker): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    started.on('message', (message: FromThread) => {
      if (message.kind === 'ready') resolve();
      if (message.kind === 'failed') reject(new Error(message.message));
    });
    started.once('exit', () => reject(new Error('the thread of the databases ended before it listened')));
    try {
      await promise;
    } catch (error) {
      await started.terminate();
      throw error;
    }
    started.once('exit', () => {
      if (!closing) setTimeout(replace, againAfterMs);
    });
  }

  function replace(): void {
    if (closing) return;
    worker = start();
    opened(worker).then(
      () => log.warn('the database proxies listen again'),
      (error: unknown) => {
        log.error({ error: String(error) }, 'the database proxies could not be started again');
        if (!closing) setTimeout(replace, againAfterMs * 10);
      },
    );
  }

  function hear(message: FromThread, from: Worker): void {
    switch (message.kind) {
      case 'recall':
        from.postMessage({ kind: 'recalled', id: message.id, found: recall(message.ids) } satisfies ToThread);
        return;
      case 'counts':
        waiting.get(message.id)?.(message.counts);
        return;
      case 'log': {
        const { level, msg, time: _, pid: __, hostname: ___, ...fields } = JSON.parse(message.line);
        log[log.levels.labels[level] as 'info']?.(fields, msg);
        return;
      }
    }
  }
}
