// `lanekeeper sidecar`: the process beside an application, with its Envoy.
import { pino } from 'pino';
import { startSidecar } from '../app.ts';
import { parseSettings } from '../settings/settings.ts';
import { printProblems } from './output.ts';
import { settingsHelp } from './settings-help.ts';

export const summary = 'runs the processor and its Envoy beside an application';

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
  try {
    const sidecar = await startSidecar(settings.value, log);
    log.info({ admin: sidecar.adminPort }, 'ready');
    process.send?.({ adminPort: sidecar.adminPort });
    const why = await asked.first;
    log.info({ why }, 'ends');
    void asked.second.then(() => process.exit(1));
    await sidecar.stop(settings.value.drainMs);
    return 0;
  } catch (error) {
    log.fatal(error instanceof Error ? error.message : String(error));
    return 1;
  } finally {
    asked.forget();
  }
}

/** Who asks this process to end: a signal, or the process that started it and is gone (the channel of child_process). */
function endAsked() {
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<string>();
  let times = 0;
  const ask = (why: string) => (times++ === 0 ? first : second).resolve(why);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, ask);
  const disconnected = () => ask('the process that started this one has ended');
  process.on('disconnect', disconnected);
  process.channel?.unref();
  const forget = () => {
    for (const signal of signals) process.off(signal, ask);
    process.off('disconnect', disconnected);
    if (process.connected) process.disconnect();
  };
  return { first: first.promise, second: second.promise, forget };
}
