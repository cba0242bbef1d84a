// Connectors of JDBC as clients of the database proxy, with each way they have to prepare and to send batches.
import { afterAll, describe, expect, test } from 'vitest';
import { digested, errors, inEachLane, refusal, refused, rows } from '../database/drivers/lanes.ts';
import { buildProgram, type Program } from './jdbc/build.ts';

const urls: readonly (readonly [driver: string, options: string])[] = [
  ['mariadb', ''],
  ['mariadb', 'useServerPrepStmts=true'],
  ['mariadb', 'useServerPrepStmts=true&useBulkStmts=true&useBulkStmtsForInserts=true'],
  ['mariadb', 'useServerPrepStmts=true&disablePipeline=true&allowMultiQueries=true'],
  ['mysql', ''],
  ['mysql', 'useServerPrepStmts=true'],
  ['mysql', 'rewriteBatchedStatements=true'],
  ['mysql', 'useServerPrepStmts=true&rewriteBatchedStatements=true&cachePrepStmts=true'],
  ['mysql', 'useServerPrepStmts=true&useCursorFetch=true'],
];

const program = await buildProgram().catch((error: unknown) => String(error));
if (typeof program === 'string') console.error(`SKIPPED: tests of JDBC need java 17 and mvn: ${program}`);

describe.skipIf(typeof program === 'string')('an application with JDBC', () => {
  afterAll(() => (program as Program).remove());

  inEachLane((lane) => {
    const isGray = () => lane().name === 'gray';
    const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

    test.each(urls)('gets what it should, and reaches its own lane alone: jdbc:%s, %s', async (driver, options) => {
      const url = `jdbc:${driver}://127.0.0.1:${lane().stage.port}/app?${options}`;
      const texts = [...errors.map(([sql]) => sql), ...(isGray() ? refused : [])];
      const seen = (await (program as Program).run([url, ...texts])) as Record<string, unknown>;
      const numbers = errors.map(([, errno]) => [errno, expect.any(String)] as const);
      const refusals = isGray() ? refused.map(() => [1235, expect.stringMatching(refusal)] as const) : [];
      const [first = [], second = []] = digested(rows);
      expect(seen).toEqual({
        values: [first, second],
        // Each as a statement, and prepared.
        errors: [...numbers, ...refusals].flatMap((outcome) => [outcome, outcome]),
        transactions: [11, 13],
        batches: [209, 'note; 109', 221],
        keys: [310, 311],
        stream: [...range(100, 309), 310, 311].reduce((sum, id) => sum + id, 0),
        limits: [100, 101, 1, 'MADE'],
        session: ['true', 'app', 2],
        names: ['orders', 'id', 10, 'name'],
      });
      await lane().holds([1, 2, 11, 13, ...range(100, 309), 310, 311, 400, 402]);
    });
  });
});
