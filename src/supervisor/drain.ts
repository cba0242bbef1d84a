// The end of an Envoy that cuts no request.
import { setTimeout as sleep } from 'node:timers/promises';
import type { EnvoyAdmin } from './admin.ts';

const pauseMs = 25;

export type DrainOptions = {
  /** In milliseconds of `Date.now`. */
  readonly deadline: number;
  readonly exited: Promise<unknown>;
};

/**
 * Resolves when nothing is in flight, at the deadline, or when Envoy has ended. In the order that cut no request
 * (pod-interception.md 8): not ready; callers are told to go, while those who come are still served; then nobody is let
 * in, because one who came between the last look and the end would be cut. The caller ends Envoy.
 */
export async function drain(admin: EnvoyAdmin, { deadline, exited }: DrainOptions): Promise<void> {
  let gone = false;
  const end = exited.then(() => {
    gone = true;
  });
  await admin.post('/healthcheck/fail').catch(() => '');
  for (const how of ['inboundonly&graceful&skip_exit', 'inboundonly']) {
    await admin.post(`/drain_listeners?${how}`).catch(() => '');
    // A pause first: workers hear of it, and count what they have just accepted, a moment later.
    do await Promise.race([end, sleep(pauseMs)]);
    while (!gone && Date.now() < deadline && (await requestsInFlight(admin)) > 0);
  }
}

/** As many as there could be, where Envoy does not say. */
async function requestsInFlight(admin: EnvoyAdmin): Promise<number> {
  try {
    const text = await admin.get('/stats?usedonly&filter=^http\\..*downstream_rq_active$');
    const counts = text.split('\n').filter((line) => !line.startsWith('http.admin.'));
    return counts.reduce((sum, line) => sum + Number(line.split(': ')[1] ?? 0), 0);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
