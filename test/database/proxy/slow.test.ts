import { createHash } from 'node:crypto';
import { createConnection } from 'mysql2';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Stage, startStage } from '../stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.close());

test('gives a client that does not read for a while every byte as it was', { timeout: 60_000 }, async () => {
  const client = createConnection({ host: '127.0.0.1', port: stage.port, user: 'root', database: 'app' });
  const numbers = 'WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 500)';
  const query = client.query(
    `${numbers} SELECT a.i, REPEAT(SHA2(a.i, 256), 32) AS t FROM n AS a, n AS b WHERE b.i <= 20`,
  );
  query.once('fields', () => client.pause());
  const root = await stage.direct();
  let stuck = 0;
  await vi.waitFor(
    async () => {
      const [rows] = await root.query('SHOW FULL PROCESSLIST');
      const running = (rows as { Info: string | null }[]).filter(({ Info }) => Info?.startsWith('WITH'));
      stuck = running.length === 1 ? stuck + 1 : 0;
      expect(stuck).toBeGreaterThan(5);
    },
    { timeout: 20_000, interval: 20 },
  );
  const wrong: unknown[] = [];
  let rows = 0;
  await new Promise<void>((resolve, reject) => {
    query.on('error', reject).on('end', () => resolve());
    query.on('result', (row) => {
      rows += 1;
      const { i, t } = row as { i: number; t: string };
      if (t !== createHash('sha256').update(`${i}`).digest('hex').repeat(32)) wrong.push(i);
    });
    client.resume();
  });
  client.destroy();
  expect({ rows, wrong }).toEqual({ rows: 10_000, wrong: [] });
});
