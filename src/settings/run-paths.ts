// Where the sockets and files of a sidecar are.
import { join } from 'node:path';
import type { RunPaths } from '../envoy/resource.ts';
import type { Settings } from './settings.ts';

export function runPaths({ runDirectory, accessLog }: Settings): RunPaths {
  return {
    adminSocket: join(runDirectory, 'admin.sock'),
    processorSocket: join(runDirectory, 'extproc.sock'),
    controlSocket: join(runDirectory, 'xds.sock'),
    databaseSocket: join(runDirectory, 'database.sock'),
    databaseExitSocket: join(runDirectory, 'database-exit.sock'),
    ...(accessLog !== undefined && { accessLog }),
  };
}
