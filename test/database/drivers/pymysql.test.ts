// PyMySQL as a client of the proxy: text alone, as it prepares nothing.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { digested, errors, inEachLane, refusal, refused, rows } from './lanes.ts';
import { fetchPymysql, runPymysql } from './pymysql.ts';

const missing = await fetchPymysql().catch((error: unknown) => String(error));
if (missing !== undefined) console.error(`SKIPPED: tests of PyMySQL need python3 and pip: ${missing}`);
const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

describe.skipIf(missing !== undefined)('PyMySQL', () => {
  inEachLane((lane) => {
    const run = (scenario: string, given: readonly string[] = []) =>
      runPymysql(scenario, { host: '127.0.0.1', port: lane().stage.port, user: 'root', database: 'app', given });

    test('gets values back as they went', async () => {
      const found = (await run('values')) as { same: boolean; rows: unknown[][] };
      expect(found.same).toBe(true);
      // Numbers of JSON are those of JavaScript.
      const [first = [], second = []] = digested(rows);
      expect(found.rows[0]?.slice(0, 4)).toEqual(first.slice(0, 4));
      expect(found.rows[0]?.slice(5, 8)).toEqual(first.slice(5, 8));
      expect(found.rows[1]).toEqual(second);
      await lane().holds([1, 2]);
    });

    test("sees the server's own errors, and lives on", async () => {
      const seen = await run(
        'errors',
        errors.map(([sql]) => sql),
      );
      const outcomes = errors.map(([, errno]) => expect.objectContaining({ errno }));
      expect(seen).toEqual({ outcomes, rows: [[1]] });
      await lane().holds([1]);
    });

    test('sees refusals of a label, and of base none', async () => {
      const isGray = lane().name === 'gray';
      const seen = await run('errors', isGray ? refused : refused.slice(0, 1));
      const refusals = refused.map(() => ({ errno: 1235, message: expect.stringMatching(refusal) }));
      expect(seen).toEqual({ outcomes: isGray ? refusals : [{ rows: 1 }], rows: [[1]] });
      expect(await lane().stage.column('SELECT id FROM app.items')).toEqual(isGray ? [] : [1]);
      await lane().holds([1]);
    });

    test('rolls back and commits', async () => {
      expect(await run('transactions')).toEqual({ last: 4 });
      await lane().holds([2]);
    });

    test('sends many rows as one statement', async () => {
      expect(await run('many')).toEqual({ count: 5000, updated: 2, made: 5001 });
      await lane().holds(upTo(5001));
    });

    test('streams rows, and may end early', async () => {
      const first = upTo(3).map((id) => ({ id }));
      expect(await run('streams')).toEqual({ total: (20_000 * 20_001) / 2, first, count: 20_000 });
      await lane().holds(upTo(20_000));
    });

    test('sends several statements at once, and a file of its own', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-infile-'));
      writeFileSync(join(folder, 'rows'), '2\ttwo\n3\tthree\n');
      const seen = await run('several', [join(folder, 'rows')]);
      rmSync(folder, { recursive: true });
      expect(seen).toEqual({ sets: [[[1]], [['a;b']]], loaded: 2 });
      await lane().holds(upTo(5));
    });
  });
});
