// The three ways of laying the rules, as one: what is there, what would be run, and the way back.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Family, iptablesRules, ownRules, renderRestore } from './iptables.ts';
import { nftTable, renderNft, renderNftRemoval } from './nft.ts';
import type { Backend, Redirect, Step } from './redirect.ts';
import { legacyNeeds, RedirectError, run, searchPath } from './run.ts';

/** A step, and how it is taken back where a later one fails. */
export type Reversible = Step & { readonly undo: Step };

/** What a backend has of ours in this network namespace. */
export type Present = { readonly any: boolean; readonly rules: Readonly<Record<Family, readonly string[]>> };

const nothing: Present = { any: false, rules: { 4: [], 6: [] } };

/** Throws where the backend cannot be asked. */
export function presentRules(backend: Backend): Present {
  if (backend === 'nft') {
    const tables = run({ command: ['nft', 'list', 'tables', 'inet'] }).split('\n');
    return { ...nothing, any: tables.includes(`table ${nftTable}`) };
  }
  const [four, six] = ([4, 6] as const).map((family) => savedRules(backend, family));
  return { any: [four, six].some((rules) => rules?.length), rules: { 4: four ?? [], 6: six ?? [] } };
}

/** The steps from what is there to what is wanted; nothing, where no rules are. */
export function stepsOf(backend: Backend, present: Present, wanted: Redirect | undefined): Reversible[] {
  if (backend === 'nft') {
    const undo = { command: ['nft', '-f', '-'], input: renderNftRemoval() };
    return [{ command: ['nft', '-f', '-'], input: wanted ? renderNft(wanted) : renderNftRemoval(), undo }];
  }
  return families().map((family) => {
    const command = [program(backend, family, 'restore'), '--noflush', '--wait=10'];
    const [before, after] = [present.rules[family], wanted ? iptablesRules(wanted, family) : []];
    return { command, input: renderRestore(before, after), undo: { command, input: renderRestore(after, before) } };
  });
}

/** Whether its programs are here at all. */
export function isInstalled(backend: Backend): boolean {
  const needed = backend === 'nft' ? ['nft'] : ([4, 6] as const).map((family) => program(backend, family, 'restore'));
  return needed.every((name) =>
    searchPath()
      .split(':')
      .some((folder) => isExecutable(join(folder, name))),
  );
}

/** Asking for a legacy table makes it: it is asked for only where it is. */
function savedRules(backend: Backend, family: Family): string[] {
  if (backend === 'iptables-legacy' && !legacyTables(family).includes('nat')) return [];
  if (!families().includes(family)) return [];
  return ownRules(run({ command: [program(backend, family, 'save'), '-t', 'nat'] }));
}

/** The kernel names them to root only. */
function legacyTables(family: Family): string[] {
  const file = `/proc/net/ip${family === 6 ? '6' : ''}_tables_names`;
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new RedirectError(
      `${file} cannot be read: ${error instanceof Error ? error.message : error}. ${legacyNeeds}`,
    );
  }
}

/** A kernel that was told ipv6.disable=1 has no IPv6 at all, and ip6tables fails there. */
function families(): Family[] {
  return existsSync('/proc/net/if_inet6') ? [4, 6] : [4];
}

function program(backend: Backend, family: Family, ending: 'save' | 'restore'): string {
  return `${backend.replace('iptables', family === 6 ? 'ip6tables' : 'iptables')}-${ending}`;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
