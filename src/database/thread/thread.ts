// The thread of the database proxies: a big result must not delay the label of a request.

import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { pino } from 'pino';
import type { Recollection } from '../../propagation/recollection.ts';
import type { TraceId } from '../../propagation/trace.ts';
import { compileShadows } from '../../shadow/compile.ts';
import type { ShadowMap } from '../../shadow/map.ts';
import { type DatabaseProxy, openProxy } from '../proxy.ts';
import { createCounter } from './counts.ts';
import type { FromThread, Place, Rules, Start, ToThread } from './messages.ts';

if (!isMainThread && parentPort !== null) run(workerData as Start, parentPort);

function run(start: Start, port: NonNullable<typeof parentPort>): void {
  const say = (message: FromThread) => port.postMessage(message);
  const remembering = new Int32Array(start.remembering);
  const asked = new Map<number, (found: Recollection) => void>();
  const counter = createCounter();
  const log = pino({ level: start.logLevel }, { write: (line: string) => say({ kind: 'log', line }) });
  let rules = start.rules;
  let shadows = shadowsOf(rules);
  let lastAsked = 0;
  let proxies: DatabaseProxy[] = [];

  port.on('message', (message: ToThread) => {
    switch (message.kind) {
      case 'rules':
        rules = message.rules;
        shadows = shadowsOf(rules);
        return;
      case 'recalled':
        asked.get(message.id)?.(message.found);
        asked.delete(message.id);
        return;
      case 'count':
        return say({ kind: 'counts', id: message.id, counts: counter.take() });
      case 'close':
        return void close(message.drainMs);
    }
  });
  open().then(
    () => say({ kind: 'ready' }),
    (error: unknown) => say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
  );

  function shadowsOf({ workloads, databases }: Rules): ShadowMap {
    return compileShadows({ traffic: [], workloads, databases }, start.namespace);
  }

  async function open(): Promise<void> {
    proxies = await Promise.all(start.places.map(openAt));
  }

  async function openAt(place: Place): Promise<DatabaseProxy> {
    const { unattributed, definitions, maxStatementBytes, tls, takenMs } = start;
    const until = performance.now() + takenMs;
    for (;;) {
      try {
        return await openProxy({
          ...place,
          labels: () => rules.labels,
          shadows: () => shadows,
          isRemembering: () => Atomics.load(remembering, 0) === 1,
          recall,
          unattributed,
          definitions,
          maxStatementBytes,
          tls,
          count: counter.count,
          log,
        });
      } catch (error) {
        const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
        if (!isTaken || performance.now() > until) throw error;
        await sleep(20);
      }
    }
  }

  function recall(ids: readonly TraceId[]): Promise<Recollection> {
    lastAsked += 1;
    const id = lastAsked;
    return new Promise((resolve) => {
      asked.set(id, resolve);
      say({ kind: 'recall', id, ids });
    });
  }

  async function close(drainMs: number): Promise<void> {
    await Promise.allSettled(proxies.map((proxy) => proxy.close({ withinMs: drainMs })));
    say({ kind: 'closed' });
    port.close();
  }
}
