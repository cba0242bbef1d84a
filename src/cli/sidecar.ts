// `lanekeeper sidecar`: the process beside an application, with its Envoy.
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { parseSettings } from '../settings/settings.ts';
import { type Sidecar, startSidecar } from '../sidecar/sidecar.ts';
import { printProblems } from './output.ts';
import { settingsHelp } from './settings-help.ts';

export const summary = 'runs the processor and its Envoy beside an application';

const cleanUpMs = 500;

export const help = `Usage: lanekeeper sidecar --config PATH --inbound PORT=PORT --outbound PORT=SERVICE [flags]

Starts Envoy and decides for it which label a request carries. SIGTERM and Ctrl-C let requests in flight end, a second
one does not. Exit code: 0 ended as asked, 1 could not start, 64 wrong settings.

${settingsHelp()}`;

export async function run(args: readonly string[]): Promise<number> {
  const settings = parseSettings(args, process.env);
  if (!settings.ok) {
    printProblems(settings.problems, process.stderr);
    return 64;
  }
  const log = pino({ level: settings.value.logLevel, base: { workload: settings.value.workload.name } });
  const asked = endAsked();
  let sidecar: Sidecar | undefined;
  let released = false;
  let stopped: Promise<void> = Promise.resolve();
  void asked.again.then(async () => {
    sidecar?.kill();
    await Promise.race([stopped, sleep(cleanUpMs)]);
    process.exit(1);
  });
  try {
    sidecar = await startSidecar(settings.value, log, {
      signal: asked.signal,
      onReleased() {
        released = true;
        asked.end('another lanekeeper has taken over');
      },
    });
    log.info({ admin: sidecar.adminPort }, 'ready');
    if (process.connected) process.send?.({ adminPort: sidecar.adminPort });
    log.info({ why: await asked.once }, 'ends');
    stopped = sidecar.stop(settings.value.drainMs);
    await stopped;
    // An Envoy that is left to another lanekeeper is our child still, and would keep this process.
    if (released) process.exit(0);
    return 0;
  } catch (error) {
    if (asked.signal.aborted) return 0; // given up, as asked
    log.fatal(error instanceof Error ? error.message : String(error));
    return 1;
  } finally {
    asked.forget();
  }
}

// Under npm one Ctrl-C arrives twice: from the terminal, and passed on.
const sameKeyMs = 200;

/** Who asks this process to end: a signal, or the process that started it and is gone (the channel of child_process). */
function endAsked() {
  const once = Promise.withResolvers<string>();
  const again = Promise.withResolvers<void>();
  const aborter = new AbortController();
  let askedAt = 0;
  const ask = (why: string) => {
    askedAt = Date.now();
    once.resolve(why);
    aborter.abort();
  };
  const onSignal = (signal: string) => {
    if (!aborter.signal.aborted) ask(signal);
    else if (Date.now() - askedAt > sameKeyMs) again.resolve();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  const disconnected = () => ask('the process that started this one has ended');
  process.on('disconnect', disconnected);
  process.channel?.unref();
  const forget = () => {
    for (const signal of signals) process.off(signal, onSignal);
    process.off('disconnect', disconnected);
    if (process.connected) process.disconnect();
  };
  return { end: ask, once: once.promise, again: again.promise, signal: aborter.signal, forget };
}
