// The settings of a sidecar, and the flags of any command, as a person reads them.
import type { FlagTable } from '../settings/flags.ts';
import { settingTable, variableOf } from '../settings/table.ts';

export function settingsHelp(): string {
  const example = variableOf('run-dir');
  return `Flags; each may stand in the environment too, --run-dir as ${example}:\n${flagsHelp(settingTable)}`;
}

export function flagsHelp(table: FlagTable): string {
  const rows = Object.entries(table).map(([name, { value, fallback, help }]) => {
    const ending = fallback === '' ? '' : ` (default: ${fallback})`;
    return `  ${`--${name} ${value}`.trimEnd()}\n        ${help}${ending}`;
  });
  return rows.join('\n');
}
