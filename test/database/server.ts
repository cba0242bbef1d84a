// The real server of these tests, a fresh one: a MariaDB, or by `npm run test:mysql` a MySQL.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMariadb } from '../../src/demo/mariadb/install.ts';
import { launchMariadb, type Mariadb } from '../../src/demo/mariadb/launch.ts';
import { findMysql } from './mysql/install.ts';
import { launchMysql } from './mysql/launch.ts';

/** Whether these tests run on a MySQL. */
export const isMysql = Boolean(process.env['MYSQL']);

export type Server = Mariadb & {
  /** Stops it, and removes its folder. */
  remove(): Promise<void>;
};

export async function startServer(flags: readonly string[] = []): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-database-'));
  const server = isMysql
    ? await launchMysql(await findMysql(), { folder, flags })
    : await launchMariadb(await findMariadb(), { folder, flags });
  return {
    ...server,
    async remove() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
