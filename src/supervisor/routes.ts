// Route tables as files that Envoy watches: swapped by rename, so that it never reads half of one.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EnvoyAdmin } from './admin.ts';

export type RouteFiles = {
  /** Writes the tables that differ; returns the names of those. */
  write(tables: ReadonlyMap<string, object>): string[];
  remove(): void;
};

export function createRouteFiles(folder: string): RouteFiles {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    write: (tables) =>
      [...tables].filter(([name, table]) => swap(join(folder, `${name}.json`), table)).map(([name]) => name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What Envoy says of tables that were just written: the message of its refusal, or undefined once it has taken them. */
export async function refusal(
  admin: EnvoyAdmin,
  before: RouteCounts,
  names: readonly string[],
): Promise<string | undefined> {
  for (let attempt = 0; attempt < 40; attempt++) {
    const now = await routeCounts(admin);
    if (now === undefined) return undefined; // it is away, and reads them when it starts
    const refused = names.filter((name) => now.refused(name) > before.refused(name));
    if (refused.length > 0) return `Envoy refused the routes of ${refused.join(', ')}; the earlier ones stay in force`;
    if (names.every((name) => now.taken(name) > before.taken(name))) return undefined;
    await sleep(50);
  }
  return `Envoy has not taken the routes of ${names.join(', ')} within 2 s`;
}

export type RouteCounts = { taken(name: string): number; refused(name: string): number };

/** How many tables Envoy has taken and refused so far, by name; undefined where it cannot be asked. */
export async function routeCounts(admin: EnvoyAdmin): Promise<RouteCounts | undefined> {
  const filter = '\\.rds\\..*\\.(update_success|update_rejected)$';
  const text = await admin.get(`/stats?filter=${filter}`).catch(() => undefined);
  if (text === undefined) return undefined;
  const counts = new Map(text.split('\n').map((line) => line.trim().split(': ') as [string, string]));
  const count = (name: string, what: string) => Number(counts.get(`http.${name}.rds.${name}.${what}`) ?? 0);
  return { taken: (name) => count(name, 'update_success'), refused: (name) => count(name, 'update_rejected') };
}

function swap(file: string, table: object): boolean {
  const text = JSON.stringify({ resources: [table] }, null, 1);
  if (text === readIfThere(file)) return false;
  writeFileSync(`${file}.next`, text);
  renameSync(`${file}.next`, file);
  return true;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
