// A MySQL of one's own: a fresh data folder, a port that is free, ended with the process that started it.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Mariadb, type MariadbPlace, runServer } from '../../../src/demo/mariadb/launch.ts';

const run = promisify(execFile);

// Its own root comes from localhost alone, which is no address.
const anywhere = ["CREATE USER IF NOT EXISTS root@'%';", "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"];

/** As `launchMariadb`: `root` and no password. */
export async function launchMysql(command: readonly string[], place: MariadbPlace): Promise<Mariadb> {
  const data = join(place.folder, 'data');
  mkdirSync(place.folder, { recursive: true });
  const init = join(place.folder, 'init.sql');
  writeFileSync(init, [...anywhere, ...(place.init ?? [])].join('\n'));
  const argv = [
    ...command,
    '--no-defaults',
    `--user=${userInfo().username}`,
    `--datadir=${data}`,
    `--tmpdir=${place.folder}`,
    `--pid-file=${join(place.folder, 'pid')}`,
    '--mysqlx=OFF',
    '--secure-file-priv=',
    '--skip-log-bin',
    '--innodb-flush-log-at-trx-commit=0',
    '--innodb-flush-method=nosync',
    '--skip-name-resolve',
    ...(place.flags ?? []),
  ];
  if (!existsSync(data)) await run(argv[0] ?? '', [...argv.slice(1), '--initialize-insecure'], { maxBuffer: 1e8 });
  return runServer({ argv: [...argv, `--init-file=${init}`], env: process.env }, place);
}
