// What the proxies counted, until the main thread asks for it.

import type { DatabaseEvent } from '../options.ts';
import type { Counts } from './messages.ts';

export type Counter = {
  /** HOT */
  count(event: DatabaseEvent): void;
  /** What was counted since the last time; of connections, how many there are. */
  take(): Counts;
};

export function createCounter(): Counter {
  let connections = 0;
  let times = new Map<string, number>();
  return {
    count(event) {
      switch (event.what) {
        case 'connection':
          connections += event.change;
          return;
        case 'statement':
          return add(`statement ${event.did} ${event.by}`);
        case 'refusal':
          return add(`refusal ${event.reason}`);
        case 'unattributed':
          return add(`unattributed ${event.policy}`);
      }
    },
    take() {
      const all = [...times].map(([key, times]) => ({ words: key.split(' '), times }));
      times = new Map();
      const of = (what: string) => all.filter(({ words }) => words[0] === what);
      return {
        connections,
        statements: of('statement').map(({ words: [, did = '', by = ''], times }) => ({ did, by, times })),
        refusals: of('refusal').map(({ words: [, reason = ''], times }) => ({ reason, times })),
        unattributed: of('unattributed').map(({ words: [, policy = ''], times }) => ({ policy, times })),
      };
    },
  };

  function add(key: string): void {
    times.set(key, (times.get(key) ?? 0) + 1);
  }
}
