// The real server of these tests: a fresh one, with the tables of the article.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchMariadb, type Mariadb } from '../../src/demo/mariadb/launch.ts';

export type Server = Mariadb & {
  /** Stops it, and removes its folder. */
  remove(): Promise<void>;
};

const installed = { mariadbd: '/usr/sbin/mariadbd', share: '/usr/share/mysql' };

export async function startServer(flags: readonly string[] = []): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-database-'));
  // Servers that start at once would clean up each other's temporary tables.
  const server = await launchMariadb(installed, { folder, flags: [...flags, `--tmpdir=${folder}`] });
  return {
    ...server,
    async remove() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
