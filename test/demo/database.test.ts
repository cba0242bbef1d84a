// The article's second half: npm start -- --database.
import { existsSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { type Command, folderOf, interrupt, processesOf, startCommand } from './command.ts';

vi.setConfig({ testTimeout: 120_000 });

const shenzhen = { location: 'cn-shenzhen' };
const noWay = 'A[base] 2, B[base] 2, C[base] 2';

/** What the two SELECTs have answered last. */
async function proof(demo: Command, rows: { base: string; gray: string }): Promise<void> {
  await vi.waitFor(
    () => {
      const said = [...demo.output().matchAll(/SELECT [^\n]*\n {6}(.*)\n/g)].map(([, found]) => found);
      expect(said.slice(-2)).toEqual([rows.base, rows.gray]);
    },
    { timeout: 10_000 },
  );
}

test.each([['table'], ['schema'], ['instance']])(
  'gray rows are in the shadow alone, base rows in base alone: --shadow %s',
  async (shadow) => {
    const demo = await startCommand(['--database', '--shadow', shadow]);
    try {
      for (const headers of [{}, shenzhen, {}, shenzhen, shenzhen])
        expect(await demo.chain(headers)).toMatch(/^A\[(base|gray)\] -> B\[\1\] -> C\[\1\]$/);
      await proof(demo, { base: noWay, gray: 'A[gray] 3, B[gray] 3, C[gray] 3' });
    } finally {
      expect(await interrupt(demo)).toBe(0);
    }
    expect(processesOf(demo.port)).toEqual([]);
    expect(existsSync(folderOf(demo.port))).toBe(false);
  },
);

test.each([
  [['c:gray'], 'A[gray] -> B[gray] -> C[base]', 'A[gray] 1, B[gray] 1, C[base] 1'],
  [['a:gray', 'b:gray'], 'A[base] -> B[base] -> C[gray]', 'A[base] 1, B[base] 1, C[gray] 1'],
])('base applications write gray rows to the shadow, by trace: without %j', async (without, chain, gray) => {
  const demo = await startCommand(['--database', ...without.flatMap((version) => ['--without', version])]);
  try {
    expect(await demo.chain()).toBe('A[base] -> B[base] -> C[base]');
    expect(await demo.chain(shenzhen)).toBe(chain);
    expect(await demo.chain()).toBe('A[base] -> B[base] -> C[base]');
    await proof(demo, { base: noWay, gray });
  } finally {
    expect(await interrupt(demo)).toBe(0);
  }
});

test.each([
  [['--database', '--pods'], '--database: found with --pods, expected one of them'],
  [['--database', '--shadow', 'x'], '--shadow: found "x", expected one of table, schema, instance'],
  [['--shadow', 'table'], '--shadow: found without --database'],
])('wrong usage %j is said, with exit code 64', async (args, message) => {
  await expect(startCommand(args)).rejects.toThrow(message);
});
