import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { articleRules } from '../../src/demo/demo.ts';
import { type Command, interrupt, startCommand } from './command.ts';

const base = 'A[base] -> B[base] -> C[base]';
const gray = 'A[gray] -> B[gray] -> C[gray]';
const cities = ['cn-shenzhen', 'cn-hangzhou'] as const;

let rules: string;
let file: string;
let demo: Command;
let article: string;
beforeAll(async () => {
  rules = mkdtempSync(join(tmpdir(), 'lanekeeper-rules-'));
  cpSync(articleRules, rules, { recursive: true });
  file = join(rules, 'traffic-label-rule.yaml');
  article = readFileSync(file, 'utf8');
  demo = await startCommand(['--rules', rules]);
});
afterAll(async () => {
  if (demo) await interrupt(demo);
  rmSync(rules, { recursive: true, force: true });
});

/** As editors do it: some write in place, others write beside and rename. */
function save(text: string, byRename: boolean): void {
  writeFileSync(byRename ? `${file}.new` : file, text);
  if (byRename) renameSync(`${file}.new`, file);
}

test('of 10,000 requests across 20 changes 0 fail, each chain is of one generation, and of the new one a second after a change', async () => {
  const requests = 10_000;
  const changes = 20;
  const changedAt = [performance.now()]; // when generation i began
  let sent = 0;
  const wrong: string[] = [];

  const worker = async () => {
    while (sent < requests) {
      const city = cities[sent++ % 2] as string;
      const begun = performance.now();
      const before = changedAt.length - 1;
      const answer = await demo.chain({ location: city }).catch((error: unknown) => String(error));
      const after = changedAt.length - 1;
      const settled = before === after && begun - (changedAt[after] ?? 0) > 1_000;
      const expected = settled ? [cities[after % 2] === city ? gray : base] : [base, gray];
      if (!expected.includes(answer)) wrong.push(`${city} in generation ${after}, settled: ${settled}: ${answer}`);
    }
  };
  const workers = Array.from({ length: 6 }, worker);
  for (let change = 1; change <= changes; change++) {
    // A twentieth of the requests belongs to each generation, and at least a second and a half.
    const until = performance.now() + 1_500;
    await vi.waitFor(
      () => expect(sent >= (requests * change) / (changes + 1) && performance.now() > until).toBe(true),
      { timeout: 60_000, interval: 20 },
    );
    changedAt.push(performance.now());
    save(article.replaceAll('cn-shenzhen', cities[change % 2] as string), change % 3 === 0);
  }
  await Promise.all(workers);
  expect(wrong).toEqual([]);
  expect(sent).toBeGreaterThanOrEqual(requests);
}, 180_000);

test('a broken rule is reported with file, line and what was expected, and the last good one stays', async () => {
  save(article, false);
  await vi.waitFor(async () => expect(await demo.chain({ location: 'cn-shenzhen' })).toBe(gray), { timeout: 5_000 });
  save(article.replace('"=="', '"=~"'), false);
  const log = join(tmpdir(), `lanekeeper-demo-${process.getuid?.()}-${demo.port}`, 'gateway.log');
  await vi.waitFor(
    () =>
      expect(readFileSync(log, 'utf8')).toMatch(
        /traffic-label-rule\.yaml:10:16: spec\.match\[0\]\.condition: found \\"=~\\", expected/,
      ),
    { timeout: 5_000 },
  );
  await sleep(0);
  expect(await demo.chain({ location: 'cn-shenzhen' })).toBe(gray);
  expect(await demo.chain()).toBe(base);
});
