// Rules and services from files: read, watched (also through the symlink swap of a Kubernetes volume), handed on whole.
import { type FSWatcher, watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import type { SourceFile } from '../mesh/assemble.ts';
import type { Problem } from '../problem.ts';

export type FileSource = { close(): void };

export type FileSourceOptions = {
  /** Files, or folders whose `*.yaml`, `*.yml` and `*.json` are read. */
  readonly paths: readonly string[];
  /** Called whenever the texts differ from those of the last call; at the start once. */
  readonly onFiles: (files: readonly SourceFile[], problems: readonly Problem[]) => void;
};

const extensions = new Set(['.yaml', '.yml', '.json']);
const settleMs = 40; // an editor's save is several events
const pollMs = 2_000; // what a watcher cannot see: network volumes, a folder that was removed and made again

/** Resolves after the first reading. A path that cannot be read is a problem, not an end: the last texts stay. */
export async function watchFiles({ paths, onFiles }: FileSourceOptions): Promise<FileSource> {
  let last = '';
  let good: readonly SourceFile[] | undefined;
  let timer: NodeJS.Timeout | undefined;
  let reading: Promise<void> = Promise.resolve();
  let closed = false;
  const watchers = new Map<string, FSWatcher>();
  const poll = setInterval(read, pollMs);
  poll.unref();
  await read();
  return {
    close() {
      closed = true;
      clearInterval(poll);
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
    },
  };

  function read(): Promise<void> {
    reading = reading.then(async () => {
      for (const path of paths) await watchFolderOf(path); // before reading, so that no change falls between
      const { files: found, problems } = await readFiles(paths);
      const files = problems.length > 0 && good ? good : found; // a source that is lost keeps what it said last
      if (problems.length === 0) good = found;
      const now = JSON.stringify([files, problems]);
      if (closed || now === last) return;
      last = now;
      onFiles(files, problems);
    });
    return reading;
  }

  async function watchFolderOf(path: string): Promise<void> {
    const isFolder = await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
    const folder = isFolder ? path : dirname(path);
    if (closed || watchers.has(folder)) return;
    try {
      const watcher = watch(folder, { persistent: false }, () => {
        clearTimeout(timer);
        timer = setTimeout(read, settleMs);
      });
      const forget = () => {
        watcher.close();
        watchers.delete(folder);
      };
      watcher.on('error', forget);
      watchers.set(folder, watcher);
    } catch {
      // No watcher to be had (the limit of the system, or no such folder): the poll stays.
    }
  }
}

/** All texts, ordered by name, and what could not be read. Hidden files are passed over, as kubectl does. */
export async function readFiles(paths: readonly string[]): Promise<{ files: SourceFile[]; problems: Problem[] }> {
  const files: SourceFile[] = [];
  const problems: Problem[] = [];
  for (const path of paths) {
    try {
      const names = (await stat(path)).isDirectory() ? await namesIn(path) : [path];
      for (const file of names) files.push({ file, text: await readFile(file, 'utf8') });
    } catch (error) {
      problems.push({
        severity: 'error',
        file: path,
        message: `cannot be read: ${reasonOf(error)}; expected a YAML file or a folder of them`,
      });
    }
  }
  return { files, problems };
}

async function namesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.') && extensions.has(extname(name)));
  return names.sort().map((name) => join(folder, name));
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'there is no such file or folder';
  if (code === 'EACCES') return 'permission denied';
  return String(error);
}
