// The disk snapshot: the documents that were in force, for a start at which their source cannot be reached, or is wrong.
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { documentsFrom } from '../documents/envelope.ts';
import type { Document } from '../documents/parse.ts';
import { isMapping } from '../documents/value.ts';
import { trimmed } from '../mesh/kubernetes/kinds.ts';
import type { Problem } from '../problem.ts';

type BySource = ReadonlyMap<string, readonly Document[]>;

export type LastGood = {
  /** As they were found at the start, by the name of their source. */
  readonly documents: BySource;
  /** What is wrong with the file. */
  readonly problems: readonly Problem[];
  /** Writes them within a second, where they are others than the last time. */
  keep(documents: BySource): void;
  /** Writes what has not been written. */
  close(): Promise<void>;
};

const version = 1;
const delayMs = 500;
const maxBytes = 64 * 1024 * 1024;

/** Never rejects: a broken file is a problem, and the next write mends it. `onProblems` is called when they change later. */
export async function openLastGood(path: string, onProblems: () => void): Promise<LastGood> {
  const found = await read(path);
  const texts = new WeakMap<Document, string>();
  let problems = found.problems;
  let pending: BySource | undefined;
  let written: readonly (readonly Document[])[] = [];
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();
  return {
    documents: found.documents,
    get problems() {
      return problems;
    },
    keep(documents) {
      const lists = [...documents.values()];
      if (lists.length === written.length && lists.every((list, index) => isSameList(list, written[index]))) return;
      written = lists;
      pending = documents;
      timer ??= setTimeout(flush, delayMs).unref();
    },
    close: flush,
  };

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.then(async () => {
      const documents = pending;
      pending = undefined;
      if (documents === undefined) return;
      const before = problems;
      problems = await write(path, textOf(documents)).then(
        () => [],
        (error: unknown) => [
          problem(path, `cannot be written: ${reasonOf(error)}; a start without sources has less to begin with`),
        ],
      );
      if (before.length + problems.length > 0 && before[0]?.message !== problems[0]?.message) onProblems();
    });
    return writing;
  }

  function textOf(documents: BySource): string {
    const sources = [...documents].map(([name, list]) => `${JSON.stringify(name)}:[\n${list.map(lineOf).join(',\n')}]`);
    return `{"version":${version},"sources":{${sources.join(',\n')}}}\n`;
  }

  function lineOf(document: Document): string {
    const known = texts.get(document) ?? JSON.stringify({ origin: document.file, value: trimmed(document) });
    texts.set(document, known);
    return known;
  }
}

async function write(path: string, text: string): Promise<void> {
  if (Buffer.byteLength(text) > maxBytes) throw new Error(`found more than ${maxBytes} bytes`);
  const next = `${path}.${process.pid}.tmp`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rm(next, { force: true }); // of a process that ended within a write, with the mode that it had
  try {
    const file = await open(next, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync(); // before the name: a power cut must leave one of the two, whole
    } finally {
      await file.close();
    }
    await rename(next, path);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
}

async function read(path: string): Promise<{ documents: BySource; problems: readonly Problem[] }> {
  const documents = new Map<string, Document[]>();
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw new Error(`found ${size} bytes, expected at most ${maxBytes}`);
    const whole: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (!isMapping(whole) || whole['version'] !== version || !isMapping(whole['sources']))
      throw new Error(`expected version ${version}`);
    for (const [name, list] of Object.entries(whole['sources'])) documents.set(name, documentsIn(list));
    return { documents, problems: [] };
  } catch (error) {
    if (isCode(error, 'ENOENT')) return { documents, problems: [] };
    const message = `cannot be used: ${reasonOf(error)}; sources that cannot be reached begin empty`;
    return { documents: new Map(), problems: [problem(path, message)] };
  }
}

function documentsIn(list: unknown): Document[] {
  if (!Array.isArray(list)) throw new Error('expected lists of documents');
  return list.flatMap((entry: unknown) => {
    if (!isMapping(entry) || typeof entry['origin'] !== 'string') throw new Error('expected documents with an origin');
    return documentsFrom(entry['value'], entry['origin']).documents;
  });
}

function isSameList(a: readonly Document[], b: readonly Document[] | undefined): boolean {
  return a.length === b?.length && a.every((document, index) => document === b[index]);
}

function problem(file: string, message: string): Problem {
  return { severity: 'warning', file, message };
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
