// Laying the rules in the network namespace of this process, and taking them away: all of it, or nothing.
import { addressSteps, ipv6State } from './address.ts';
import { isInstalled, type Present, presentRules, type Reversible, stepsOf } from './backend.ts';
import { type Backend, backends, type Redirect, type Step } from './redirect.ts';
import { RedirectError, run } from './run.ts';

export type Order = {
  /** Absent: the rules are to go. */
  readonly redirect?: Redirect;
  readonly backend: Backend | 'auto';
};

export type Plan = {
  readonly backend: Backend | undefined;
  readonly steps: readonly Reversible[];
  /** By which backends there are rules of ours already. */
  readonly before: readonly Backend[];
  readonly notes: readonly string[];
};

/** Does what is asked for. Throws a RedirectError where it cannot be done; then everything is as it was. */
export function carryOut(order: Order): Plan {
  const failures: string[] = [];
  for (const candidate of candidates(order)) {
    try {
      const plan = planWith(candidate, order, presentRules);
      runAll(plan.steps);
      return plan;
    } catch (error) {
      if (!(error instanceof RedirectError)) throw error;
      failures.push(error.message);
    }
  }
  throw new RedirectError(failures.join('\n'));
}

/** What would be done; where nobody may ask the kernel, as if nothing of ours were there. */
export function rehearse(order: Order): Plan {
  const unasked: string[] = [];
  const [backend = 'nft'] = installed(order);
  const plan = planWith(backend, order, (name) => {
    try {
      return presentRules(name);
    } catch {
      unasked.push(name);
      return { any: false, rules: { 4: [], 6: [] } };
    }
  });
  const note = `${unasked.join(', ')}: could not be asked which rules are there; none are assumed`;
  return unasked.length > 0 ? { ...plan, notes: [...plan.notes, note] } : plan;
}

function candidates(order: Order): readonly Backend[] {
  const found = installed(order);
  if (found.length === 0)
    throw new RedirectError(
      'none of nft, iptables-nft-restore and iptables-legacy-restore (with their ip6tables) is on the PATH. Debian and Alpine: install the package nftables, or iptables.',
    );
  return found;
}

function installed({ backend }: Order): readonly Backend[] {
  return backend === 'auto' ? backends.filter(isInstalled) : [backend];
}

/** Rules of another backend make way, or each connection would be redirected by whichever comes first. */
function planWith(backend: Backend, { redirect, ...order }: Order, ask: (backend: Backend) => Present): Plan {
  const others = backends.filter((name) => name !== backend && isInstalled(name));
  const looked = redirect || order.backend === 'auto' ? [backend, ...others] : [backend];
  const states = new Map(looked.map((name) => [name, name === backend ? ask(name) : askOther(name, ask)]));
  const before = looked.filter((name) => states.get(name)?.any);
  const state = ipv6State();
  const wanted = (name: Backend) => (name === backend ? redirect : undefined);
  // nft comes last: it is one transaction, with nothing after it that could fail and would want it back.
  const ordered = [...backends].reverse().filter((name) => before.includes(name) || wanted(name));
  const address = redirect || before.length > 0 ? addressSteps(state, redirect !== undefined) : [];
  return {
    backend: redirect && backend,
    before,
    steps: [...address, ...ordered.flatMap((name) => stepsOf(name, states.get(name) as Present, wanted(name)))],
    notes: redirect && state === 'off' ? ['IPv6 is off on the loopback interface: laid without ::6'] : [],
  };
}

/** Another backend that cannot be asked, as on a kernel that lacks it, has no rules. */
function askOther(name: Backend, ask: (backend: Backend) => Present): Present {
  try {
    return ask(name);
  } catch {
    return { any: false, rules: { 4: [], 6: [] } };
  }
}

function runAll(steps: readonly Reversible[]): void {
  const done: Step[] = [];
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const wait = () => {}; // who ends us in the middle would leave half of it
  for (const signal of signals) process.on(signal, wait);
  try {
    for (const step of steps) {
      run(step);
      done.unshift(step.undo);
    }
  } catch (error) {
    throw done.reduce(takenBack, error);
  } finally {
    for (const signal of signals) process.off(signal, wait);
  }
}

function takenBack(failure: unknown, undo: Step): unknown {
  try {
    run(undo);
    return failure;
  } catch (error) {
    const [first, second] = [failure, error].map((each) => (each instanceof Error ? each.message : String(each)));
    return new RedirectError(`${first}\nWhat was done before could not be taken back: ${second}`);
  }
}
