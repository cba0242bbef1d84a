// The real server of these tests: a fresh one, with the tables of the article.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMariadb } from '../../src/demo/mariadb/install.ts';
import { launchMariadb, type Mariadb } from '../../src/demo/mariadb/launch.ts';

export type Server = Mariadb & {
  /** Stops it, and removes its folder. */
  remove(): Promise<void>;
};

export async function startServer(flags: readonly string[] = []): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-database-'));
  const server = await launchMariadb(await findMariadb(), { folder, flags });
  return {
    ...server,
    async remove() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
