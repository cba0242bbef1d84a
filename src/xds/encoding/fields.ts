// The messages that can be encoded: their fields by name and number, as fields.txt has them.
import { readFileSync } from 'node:fs';

export type Field = {
  readonly number: number;
  readonly name: string;
  /** The oneof of which it is a member; `optional` where zero is not the same as absent. */
  readonly presence?: string;
  readonly plural?: 'repeated' | 'map';
  /** A scalar of protobuf, or the full name of a message or an enum. */
  readonly type: string;
};

export type Message = {
  readonly name: string;
  /** By both names: `route_config` and `routeConfig`. */
  readonly fields: ReadonlyMap<string, Field>;
};

/** Numbers by name. */
export type Enum = ReadonlyMap<string, number>;

export type Types = {
  readonly messages: ReadonlyMap<string, Message>;
  readonly enums: ReadonlyMap<string, Enum>;
};

let types: Types | undefined;

/** Read once, when it is needed first: a command that serves nothing pays nothing. */
export function loadTypes(): Types {
  types ??= parseTypes(readFileSync(new URL('fields.txt', import.meta.url), 'utf8'));
  return types;
}

export function parseTypes(text: string): Types {
  const messages = new Map<string, Message>();
  const enums = new Map<string, Enum>();
  let scope = '';
  let add = (_: string): void => {};
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [kind = '', name = ''] = line.split(' ');
    if (kind === 'package') {
      scope = name;
    } else if (kind === 'message') {
      const fields = new Map<string, Field>();
      const here = scope;
      messages.set(`${scope}.${name}`, { name: `${scope}.${name}`, fields });
      add = (row) => addField(fields, row, here);
    } else if (kind === 'enum') {
      const values = new Map<string, number>();
      enums.set(`${scope}.${name}`, values);
      add = (row) => addValue(values, row);
    } else {
      add(line);
    }
  }
  return { messages, enums };
}

function addField(fields: Map<string, Field>, row: string, scope: string): void {
  const [number, name = '', ...others] = row.split(' ');
  const type = others.pop() ?? '';
  const plural = others.at(-1) === 'repeated' || others.at(-1) === 'map' ? others.pop() : undefined;
  const field: Field = {
    number: Number(number),
    name,
    ...(others[0] !== undefined && { presence: others[0] }),
    ...((plural === 'repeated' || plural === 'map') && { plural }),
    type: /^[A-Z]/.test(type) ? `${scope}.${type}` : type, // short within its package
  };
  fields.set(name, field);
  fields.set(
    name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
    field,
  );
}

function addValue(values: Map<string, number>, row: string): void {
  const [number, name = ''] = row.split(' ');
  values.set(name, Number(number));
}
