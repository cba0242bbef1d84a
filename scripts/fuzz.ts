// `npm run fuzz`: every target in turn with ever new seeds, until the time is over or a promise is broken.
import { inspect, parseArgs } from 'node:util';
import { run, targets } from '../test/fuzz/targets.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    only: { type: 'string' },
  },
});
const until = performance.now() + Number(values.minutes) * 60_000;
const chosen = Object.entries(targets).filter(([name]) => values.only === undefined || values.only === name);
if (!Number.isFinite(until) || !Number.isSafeInteger(Number(values.seed)) || chosen.length === 0) {
  console.error(`usage: npm run fuzz -- [--minutes N] [--seed N] [--only ${Object.keys(targets).join('|')}]`);
  process.exit(64);
}

const runs = new Map<string, number>();
let seed = Number(values.seed);
let told = 0;
console.log(`seed ${seed}, ${values.minutes} minutes: ${chosen.map(([name]) => name).join(', ')}`);
for (const [, target] of chosen) await target.open?.();
while (performance.now() < until && process.exitCode === undefined) {
  for (const [name, target] of chosen) {
    const numRuns = 100 * target.weight;
    await run(target, { seed, numRuns }).catch((error: unknown) => {
      console.error(`\n${name}: ${target.promise}\n${inspect(error).slice(0, 10_000)}`);
      console.error(`again: npm run fuzz -- --only ${name} --seed ${seed}`);
      process.exitCode = 1;
    });
    runs.set(name, (runs.get(name) ?? 0) + numRuns);
  }
  seed += 1;
  if (performance.now() > told + 60_000) {
    told = performance.now();
    console.log(progress());
  }
}
for (const [, target] of chosen) await target.close?.();
console.log(`${progress()}; ${process.exitCode === undefined ? 'no finding' : 'a promise is broken'}`);

function progress(): string {
  const minutes = ((performance.now() - until) / 60_000 + Number(values.minutes)).toFixed(1);
  const counts = [...runs].map(([name, count]) => `${name} ${count}`).join(', ');
  const megabytes = Math.round(process.memoryUsage().rss / 2 ** 20);
  return `${minutes} min, next seed ${seed}, ${megabytes} MB: ${counts}`;
}
