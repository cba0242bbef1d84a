// Rules and services from files: watched (also through the symlink swap of a Kubernetes volume), handed on whole.
import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { createParser, type SourceFile } from '../documents/parse.ts';
import { isSame } from '../mesh/assembly/same.ts';
import type { Problem } from '../problem.ts';
import { type Reading, readPaths } from './read.ts';
import type { Source } from './source.ts';

export type FileSource = { close(): void };

export type FileSourceOptions = {
  /** Files, or folders whose `*.yaml`, `*.yml` and `*.json` are read. */
  readonly paths: readonly string[];
  /** Called whenever the texts differ from those of the last call; at the start once. */
  readonly onFiles: (files: readonly SourceFile[], problems: readonly Problem[]) => void;
};

const settleMs = 40; // an editor's save is several events
const pollMs = 2_000; // what a watcher cannot see: network volumes, a folder whose parent is away too

/** Files and folders as a source. It is lost while none of its paths can be read. */
export function filesSource(paths: readonly string[]): Source {
  return {
    name: `files ${paths.join(',')}`.trim(),
    open(onChange) {
      const parse = createParser();
      return watchFiles({
        paths,
        onFiles(files, unread) {
          const { documents, problems } = parse(files);
          const isLost = paths.length > 0 && paths.every((path) => unread.some(({ file }) => file === path));
          const lost = `none of ${paths.join(', ')} can be read`;
          onChange({ documents, problems: [...unread, ...problems], ...(isLost && { lost }) });
        },
      });
    },
  };
}

/** Resolves after the first reading. What cannot be read is a problem, not an end: its last texts stay, the rest goes on. */
export async function watchFiles({ paths, onFiles }: FileSourceOptions): Promise<FileSource> {
  let last: unknown;
  let timer: NodeJS.Timeout | undefined;
  let reading: Promise<void> = Promise.resolve();
  let closed = false;
  const lastOf = new Map<string, readonly SourceFile[]>();
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
      const { readings, isTorn } = await readPaths(paths);
      if (isTorn && last !== undefined && !closed) {
        timer = setTimeout(read, settleMs); // it is swapped all the time: half of it is worse than a moment ago
        return;
      }
      const files = readings.flatMap(withLast);
      const problems = readings.flatMap((each) => each.problems);
      if (closed || isSame(last, [files, problems])) return;
      last = [files, problems];
      onFiles(files, problems);
    });
    return reading;
  }

  function withLast({ path, files, problems }: Reading): readonly SourceFile[] {
    const lost = new Set(problems.map(({ file }) => file));
    const kept = (lastOf.get(path) ?? []).filter(({ file }) => lost.has(path) || lost.has(file));
    const all = [...files, ...kept].sort((a, b) => (a.file < b.file ? -1 : 1));
    lastOf.set(path, all);
    return all;
  }

  async function watchFolderOf(path: string): Promise<void> {
    const isFolder = await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
    const folder = isFolder ? path : dirname(path); // of a file, or of a folder that may come back
    if (closed || watchers.has(folder)) return;
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        if (name === basename(folder)) forget(folder); // the folder itself: it may be another one by now
        clearTimeout(timer);
        timer = setTimeout(read, settleMs);
      });
      watcher.on('error', () => forget(folder));
      watchers.set(folder, watcher);
    } catch {
      // No watcher to be had (the limit of the system, or no such folder): the poll stays.
    }
  }

  function forget(folder: string): void {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  }
}
