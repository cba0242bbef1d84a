// The command line of MariaDB or MySQL as a client of the proxy, where it is on the PATH.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isMysql } from '../server.ts';
import { inEachLane } from './lanes.ts';

const isThere = (program: string) => spawnSync(program, ['--version']).status === 0;
const program = ['mariadb', 'mysql'].find(isThere);
if (program === undefined) console.error('SKIPPED: tests of the command line need mariadb or mysql on the PATH');
// It completes names only on a terminal.
const hasTerminal = isThere('script');
if (!hasTerminal) console.error('SKIPPED: the test of completed names needs script on the PATH');

describe.skipIf(program === undefined)('the command line', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lanekeeper-commandline-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };

  inEachLane((lane) => {
    const argv = (more: readonly string[]) => [
      ...['--no-defaults', '--default-character-set=utf8mb4', '-h', '127.0.0.1', '-P', `${lane().stage.port}`],
      ...['-u', 'root', 'app', ...more],
    ];
    const run = async (more: readonly string[], input = '') => {
      const child = spawn(program ?? '', argv(['-N', ...more]));
      child.stdin.end(input);
      const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
      return { out, err, code: child.exitCode ?? ((await once(child, 'exit')) as [number])[0] };
    };
    const done = (out: string) => ({ out, err: '', code: 0 });

    test('runs what its arguments say, and gets values back as they went', async () => {
      const row = `1, 'Zoë 🚀 ''orders'' 灰度', NULL, X'00FF', '2024-02-29', NULL, -1.5, -128, ${-(2n ** 63n)}, -1.5e-300`;
      const sql = `INSERT INTO orders VALUES (${row}); SELECT * , HEX(body) FROM orders\\G`;
      const { out } = await run(['-e', sql]);
      for (const value of [
        "Zoë 🚀 'orders' 灰度",
        'NULL',
        '00FF',
        '2024-02-29',
        '-1.500000',
        `${-(2n ** 63n)}`,
        '-1.5e-300',
      ])
        expect(out).toContain(`${value}\n`);
      await lane().holds([1]);
    });

    test('runs a batch of its input, in transactions', async () => {
      const lines = [
        '-- from orders',
        "START TRANSACTION; INSERT INTO orders (id, name) VALUES (1, 'a;b');",
        'ROLLBACK;',
        'BEGIN;',
        'INSERT INTO orders (id) VALUES (2), /* orders */',
        '  (3); COMMIT;',
        'SELECT id FROM orders; # orders',
        'use mysql',
        'INSERT INTO app.orders (id) VALUES (4);',
      ];
      expect(await run([], lines.join('\n'))).toEqual(done('2\n3\n'));
      await lane().holds([2, 3, 4]);
    });

    test('goes on after errors where it is told to, and says whose they are', async () => {
      const lines = [
        'INSERT INTO orders (id) VALUES (1);',
        'INSERT INTO orders (id) VALUES (1);',
        'SELECT nothing FROM orders;',
        'INSERT INTO items VALUES (1, 2);',
        'INSERT INTO orders (id) VALUES (2);',
      ];
      const { err, code } = await run(['--force'], lines.join('\n'));
      const numbers = [...err.matchAll(/^ERROR (\d+) /gm)].map(([, number]) => Number(number));
      const isGray = lane().name === 'gray';
      expect(numbers).toEqual(isGray ? [1062, 1054, 1235] : [1062, 1054]);
      expect(/lanekeeper: /.test(err)).toBe(isGray);
      expect(code).toBe(0);
      expect(await run([], lines.join('\n'))).toMatchObject({ code: 1, err: expect.stringContaining('ERROR 1062') });
      await lane().holds([1, 2]);
    });

    test('takes another delimiter', async () => {
      expect(
        await run(['--delimiter=//', '-e', "INSERT INTO orders (id, name) VALUES (1, ';')// SELECT name FROM orders"]),
      ).toEqual(done(';\n'));
      const several = 'DELIMITER $$\nINSERT INTO orders (id) VALUES (2); INSERT INTO orders (id) VALUES (3)$$\n';
      expect(await run([], several)).toEqual(done(''));
      await lane().holds([1, 2, 3]);
    });

    test('sources a file of SQL, and sends a file of rows', async () => {
      const sql = file('sql', 'INSERT INTO orders (id) VALUES (1);\nINSERT INTO orders (id)\n VALUES (2);\n');
      const rows = file('rows', '3\tthree\n4\tfour\n');
      expect(await run(['-e', `source ${sql}`])).toEqual(done(''));
      const load = `LOAD DATA LOCAL INFILE '${rows}' INTO TABLE orders (id, name)`;
      expect(await run(['--local-infile=1', '-e', load])).toEqual(done(''));
      await lane().holds([1, 2, 3, 4]);
    });

    describe.skipIf(!hasTerminal)('on a terminal', () => {
      const asked = () =>
        lane().stage.column(
          isMysql
            ? "SELECT count_star FROM performance_schema.events_statements_summary_global_by_event_name WHERE event_name = 'statement/com/Field List'"
            : "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'COM_SHOW_FIELDS'",
        );
      const session = async () => {
        const child = spawn('script', ['-qec', [program, ...argv(['--auto-rehash'])].join(' '), '/dev/null']);
        child.stdin.end("INSERT INTO orders (id) VALUES (1);\nSELECT CONCAT('se', 'en') FROM orders;\nquit\n");
        return await text(child.stdout);
      };

      test('completes names, if it can have them, and lives on', async () => {
        expect(await session()).toContain('seen');
        await lane().holds([1]);
      });

      test('is told the columns of each table', async () => {
        const [before] = await asked();
        await session();
        const [after] = await asked();
        expect(Number(after) - Number(before)).toBe(3);
      });
    });
  });
});
