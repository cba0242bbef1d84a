// The flags of a command line, by the table of that command: text for each, every mistake at once.
import { parseArgs } from 'node:util';
import type { Problem } from '../problem.ts';

/** One table for parsing, `--help` and the README. A flag without a form of its value is a switch. */
export type Flag = { readonly fallback: string; readonly value: string; readonly help: string };

export type FlagTable = Readonly<Record<string, Flag>>;

/** What was given, by flag; a switch is `yes`. Lists (`,…`) may be repeated. */
export function readFlags(
  args: readonly string[],
  { table, command, problems }: { table: FlagTable; command: string; problems: Problem[] },
): Map<string, string> {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, { value }]) => [
      name,
      { type: value === '' ? 'boolean' : 'string', multiple: true } as const,
    ]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const mistake = (path: string, message: string) => problems.push({ severity: 'error', path, message });
  const given = new Map<string, string>();
  let unknownAt = -2;
  for (const token of tokens) {
    if (token.kind === 'positional' && token.index !== unknownAt + 1)
      mistake('', `unexpected ${JSON.stringify(token.value)}; a ${command} takes flags only`);
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    const form = Object.hasOwn(table, name) ? table[name]?.value : undefined;
    if (form === undefined) {
      mistake(rawName, `unknown flag; see lanekeeper ${command} --help`);
      if (!token.inlineValue) unknownAt = token.index; // what follows was meant as its value
    } else if (form === '') {
      if (value === undefined) given.set(name, 'yes');
      else mistake(rawName, `found ${JSON.stringify(value)}, expected no value`);
    } else if (value === undefined || (!token.inlineValue && value.startsWith('--')))
      mistake(rawName, `found no value, expected ${form}`);
    else if (!given.has(name)) given.set(name, value);
    else if (form.endsWith(',…')) given.set(name, `${given.get(name)},${value}`);
    else mistake(rawName, `found ${JSON.stringify(value)} as a second value, expected one`);
  }
  return given;
}
