// `lanekeeper redirect`: leads the TCP of a pod through its Envoy, or no longer.
import { parseRedirect, redirectTable } from '../redirect/flags.ts';
import { carryOut, type Order, type Plan, rehearse } from '../redirect/lay.ts';
import type { Redirect, Step } from '../redirect/redirect.ts';
import { RedirectError } from '../redirect/run.ts';
import { print, printError, printProblems } from './output.ts';
import { flagsHelp } from './settings-help.ts';

export const summary = "leads a pod's connections through its Envoy";

export const help = `Usage: lanekeeper redirect [flags]
       lanekeeper redirect --remove

Lays rules in the network namespace that it runs in, for IPv4 and IPv6: TCP connections that the application opens go to
Envoy's outbound port, those that reach the pod to its inbound port. Connections that exist already live on. What was laid
before is replaced, and cuts none either. It needs the capability NET_ADMIN (iptables-legacy: NET_RAW as well). All of it is laid, or nothing.

${flagsHelp(redirectTable)}

Exit code: 0 done, or nothing to do, 1 could not be done, 64 wrong usage.`;

export async function run(args: readonly string[]): Promise<number> {
  const parsed = parseRedirect(args);
  if (!parsed.ok) {
    printProblems(parsed.problems, process.stderr);
    return 64;
  }
  const { redirect, backend, remove, dryRun, format } = parsed.value;
  const order: Order = { backend, ...(!remove && { redirect }) };
  try {
    const plan = dryRun ? rehearse(order) : carryOut(order);
    for (const note of plan.notes) printError(`lanekeeper redirect: ${note}`, 0);
    if (!dryRun) return print(describe(plan, remove ? undefined : redirect));
    return print(format === 'json' ? asJson(plan.steps) : asScript(plan.steps));
  } catch (error) {
    if (!(error instanceof RedirectError)) throw error;
    return printError(`lanekeeper redirect: ${error.message}`, 1);
  }
}

function describe({ backend, before }: Plan, redirect: Redirect | undefined): string {
  if (redirect === undefined)
    return before.length > 0 ? `Removed the rules of ${before.join(' and ')}` : 'There are no rules of lanekeeper here';
  const { inbound, outbound, exempt } = redirect;
  const ways = [inbound && `inbound to ${inbound.port}`, outbound && `outbound to ${outbound.port}`].filter(Boolean);
  const free = exempt.map(({ by, value }) => `${by} ${by === 'mark' ? `0x${value.toString(16)}` : value}`).join(', ');
  return `${before.length > 0 ? 'Replaced' : 'Laid'} by ${backend}: TCP ${ways.join(', ')}; untouched: ${free}`;
}

function asJson(steps: readonly Step[]): string {
  return JSON.stringify(
    steps.map(({ command, input }) => ({ command, ...(input !== undefined && { input }) })),
    null,
    2,
  );
}

/** A shell script that does the same. No word of ours needs quotes. */
function asScript(steps: readonly Step[]): string {
  if (steps.length === 0) return '# nothing to do';
  return steps
    .map(({ command, input }) => command.join(' ') + (input === undefined ? '' : ` <<'RULES'\n${input}RULES`))
    .join('\n');
}
