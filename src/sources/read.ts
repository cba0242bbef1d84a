// Reading files and folders once, with what could not be read.
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import type { SourceFile } from '../documents/parse.ts';
import type { Problem } from '../problem.ts';

/** What one path held. The `file` of a problem is the path itself where nothing of it could be read. */
export type Reading = {
  readonly path: string;
  readonly files: readonly SourceFile[];
  readonly problems: readonly Problem[];
};

const extensions = new Set(['.yaml', '.yml', '.json']);
const attempts = 5;

/** All texts, ordered by name, and what could not be read. Hidden files are passed over, as kubectl does. */
export async function readFiles(paths: readonly string[]): Promise<{ files: SourceFile[]; problems: Problem[] }> {
  const { readings } = await readPaths(paths);
  return {
    files: readings.flatMap(({ files }) => files),
    problems: readings.flatMap(({ problems }) => problems),
  };
}

/** Reads again where a Kubernetes volume was swapped meanwhile: half of it would be from before. `isTorn`: each time. */
export async function readPaths(
  paths: readonly string[],
): Promise<{ readonly readings: readonly Reading[]; readonly isTorn: boolean }> {
  for (let attempt = 1; ; attempt++) {
    const before = await volumesOf(paths);
    const readings = await Promise.all(paths.map(readPath));
    const isTorn = before !== (await volumesOf(paths));
    if (!isTorn || attempt === attempts) return { readings, isTorn };
  }
}

/** Where `..data` points, through which all files of a Kubernetes volume change at once. */
async function volumesOf(paths: readonly string[]): Promise<string> {
  const folders = new Set(paths.flatMap((path) => [path, dirname(path)]));
  const targets = await Promise.all([...folders].map((folder) => readlink(join(folder, '..data')).catch(() => '')));
  return targets.join('\n');
}

async function readPath(path: string): Promise<Reading> {
  const files: SourceFile[] = [];
  const problems: Problem[] = [];
  for (const file of await namesIn(path).catch((error: unknown) => report(path, error))) {
    const text = await readFile(file, 'utf8').catch((error: unknown) => void report(file, error));
    if (text !== undefined) files.push({ file, text });
  }
  return { path, files, problems };

  function report(file: string, error: unknown): [] {
    const message = `cannot be read: ${reasonOf(error)}; expected a YAML file or a folder of them`;
    problems.push({ severity: 'error', file, message });
    return [];
  }
}

async function namesIn(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => !name.startsWith('.') && extensions.has(extname(name)));
  return names.sort().map((name) => join(path, name));
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file or folder';
  if (code === 'EACCES') return 'permission denied';
  return code === 'EISDIR' ? 'it is a folder within a folder' : String(error);
}
