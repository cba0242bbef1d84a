// The settings of a sidecar as a person reads them.
import { settingTable, variableOf } from '../settings/table.ts';

export function settingsHelp(): string {
  const rows = Object.entries(settingTable).map(([name, { value, fallback, help }]) => {
    const ending = fallback === '' ? '' : ` (default: ${fallback})`;
    return `  --${name} ${value}\n        ${help}${ending}`;
  });
  const example = variableOf('run-dir');
  return [`Flags; each may stand in the environment too, --run-dir as ${example}:`, ...rows].join('\n');
}
