import { describe, test } from 'vitest';
import { run, targets } from './targets.ts';

// A fixed seed and few runs; `npm run fuzz` draws on for as long as it is given.
describe.each(Object.entries(targets))('%s', (_, target) => {
  test(target.promise, async () => {
    await target.open?.();
    try {
      await run(target, { seed: 20261123, numRuns: 100 * target.weight });
    } finally {
      await target.close?.();
    }
  });
});
