// JSON as it stands in Envoy's configuration → protobuf, by the table of fields. Strict: what it does not know is a mistake,
// where protobuf's own JSON readers would drop it or Envoy would refuse the whole response.
import type { Resource } from '../../envoy/resource.ts';
import { type Field, loadTypes, type Message } from './fields.ts';
import { isList, isObject, type Mistakes, mistake } from './mistakes.ts';
import { isDefault, readDuration, type Scalar, scalars, type Written } from './scalars.ts';
import { createWriter, delimited, tag, wireTypes } from './wire.ts';

export type Encoding =
  | { readonly ok: true; readonly bytes: Buffer }
  /** All of them: where, what was found, what was expected. */
  | { readonly ok: false; readonly mistakes: readonly string[] };

type Content = (mistakes: Mistakes, value: unknown, path: string) => void;

const typePrefix = 'type.googleapis.com/';
const writer = createWriter();

/** The message of that full name; an `@type` of its own is allowed, and must be the same. */
export function encode(type: string, resource: Resource): Encoding {
  const mistakes: Mistakes = [];
  const { '@type': own, ...fields } = resource;
  if (own !== undefined && own !== typePrefix + type) mistake(mistakes, '@type', own, typePrefix + type);
  contentOf(type)(mistakes, fields, '');
  const bytes = writer.finish();
  return mistakes.length > 0 ? { ok: false, mistakes: mistakes.reverse() } : { ok: true, bytes };
}

/** Those whose JSON is not an object of their fields. */
const special: Readonly<Record<string, Content>> = {
  'google.protobuf.Any': writeAny,
  'google.protobuf.Duration': writeDuration,
  'google.protobuf.Struct': writeStruct,
  'google.protobuf.Value': writeValue,
  'google.protobuf.ListValue': writeListValue,
  ...Object.fromEntries(
    (['Bool', 'String', 'Bytes', 'Double', 'Int32', 'UInt32', 'Int64', 'UInt64'] as const).map((name) => [
      `google.protobuf.${name}Value`,
      wrapper(name.toLowerCase()),
    ]),
  ),
};

function contentOf(type: string): Content {
  const found = special[type];
  if (found) return found;
  const message = loadTypes().messages.get(type);
  if (message === undefined) throw new Error(`fields.txt has no message ${type}`);
  return (mistakes, value, path) => writeFields(mistakes, message, value, path);
}

/** From the last field to the first, because the writer goes backwards: the numbers ascend in what is written. */
function writeFields(mistakes: Mistakes, message: Message, value: unknown, path: string): void {
  if (!isObject(mistakes, value, path, `an object, ${message.name}`)) return;
  const parts: { field: Field; part: unknown; path: string }[] = [];
  for (const [name, part] of Object.entries(value)) {
    if (part === undefined) continue;
    const here = path === '' ? name : `${path}.${name}`;
    const field = message.fields.get(name);
    if (field === undefined) {
      mistake(mistakes, here, part, `a field of ${message.name}, which has none of this name`);
      continue;
    }
    const other = parts.find((earlier) => groupOf(earlier.field) === groupOf(field))?.field;
    if (other) mistake(mistakes, here, part, `only one of ${[...new Set([other.name, field.name])].join(' and ')}`);
    parts.push({ field, part, path: here });
  }
  parts.sort((one, other) => other.field.number - one.field.number);
  for (const { field, part, path } of parts) writeField(mistakes, field, part, path);
}

/** Of one group one member may be set; a field outside of every oneof is a group of its own. */
function groupOf({ name, presence }: Field): string {
  return presence === undefined || presence === 'optional' ? name : presence;
}

function writeField(mistakes: Mistakes, field: Field, value: unknown, path: string): void {
  if (field.plural === 'repeated') writeList(mistakes, field, value, path);
  else if (field.plural === 'map') writeMap(mistakes, field, value, path);
  else writeElement(mistakes, field, value, path);
}

function writeElement(mistakes: Mistakes, { number, type, presence }: Field, value: unknown, path: string): void {
  const scalar = scalarOf(type);
  if (scalar === undefined) {
    const host = type === virtualHost && typeof value === 'object' ? value : null;
    if (host === null) delimited(writer, number, () => contentOf(type)(mistakes, value, path));
    else delimited(writer, number, () => writeHost(mistakes, host, path));
    return;
  }
  const written = readScalar(mistakes, scalar, value, path);
  if (written === undefined || (presence === undefined && isDefault(written))) return;
  writeScalar(number, scalar, written);
}

const virtualHost = 'envoy.config.route.v3.VirtualHost';

/** Those without a mistake: of a table of thousands one is new, and the others are the objects that they were. */
const hosts = new WeakMap<object, Buffer>();

function writeHost(mistakes: Mistakes, host: object, path: string): void {
  const known = hosts.get(host);
  if (known !== undefined) {
    writer.bytes(known);
    return;
  }
  const [before, found] = [writer.length, mistakes.length];
  contentOf(virtualHost)(mistakes, host, path);
  if (mistakes.length === found) hosts.set(host, writer.since(before));
}

function writeList(mistakes: Mistakes, field: Field, value: unknown, path: string): void {
  if (!isList(mistakes, value, path)) return;
  const scalar = scalarOf(field.type);
  const elements = value.map((element, index) => ({ element, where: `${path}[${index}]` })).reverse();
  if (scalar === undefined || scalar.wireType === wireTypes.delimited) {
    for (const { element, where } of elements) writeElement(mistakes, { ...field, presence: 'list' }, element, where);
  } else if (elements.length > 0) {
    delimited(writer, field.number, () => {
      for (const { element, where } of elements) {
        const written = readScalar(mistakes, scalar, element, where);
        if (written !== undefined) writeContent(written);
      }
    });
  }
}

function writeMap(mistakes: Mistakes, field: Field, value: unknown, path: string): void {
  if (!isObject(mistakes, value, path, 'an object')) return;
  for (const [key, element] of Object.entries(value).reverse()) {
    delimited(writer, field.number, () => {
      writeElement(mistakes, { number: 2, name: key, type: field.type, presence: 'map' }, element, `${path}.${key}`);
      writeElement(mistakes, { number: 1, name: key, type: 'string', presence: 'map' }, key, `${path}.${key}`);
    });
  }
}

function writeAny(mistakes: Mistakes, value: unknown, path: string): void {
  if (!isObject(mistakes, value, path, 'an object with @type')) return;
  const { '@type': url, ...fields } = value;
  const type = typeof url === 'string' && url.startsWith(typePrefix) ? url.slice(typePrefix.length) : '';
  const isWrapped = special[type] !== undefined; // {"@type": …, "value": …}
  if (!isWrapped && !loadTypes().messages.has(type)) {
    mistake(mistakes, `${path}.@type`, url, `${typePrefix} and a message that fields.txt has`);
    return;
  }
  const before = writer.length;
  if (isWrapped) contentOf(type)(mistakes, fields['value'], `${path}.value`);
  else contentOf(type)(mistakes, fields, path);
  if (writer.length > before) {
    writer.varint(writer.length - before);
    tag(writer, 2, wireTypes.delimited);
  }
  delimited(writer, 1, () => writer.text(typePrefix + type));
}

function writeDuration(mistakes: Mistakes, value: unknown, path: string): void {
  const duration = readDuration(value);
  if (duration === undefined) {
    mistake(mistakes, path, value, 'a duration in seconds, as 0.25s');
    return;
  }
  const { seconds, nanos } = duration;
  if (nanos !== 0) writeVarint(2, BigInt(nanos));
  if (seconds !== 0n) writeVarint(1, seconds);
}

function writeStruct(mistakes: Mistakes, value: unknown, path: string): void {
  writeMap(mistakes, { number: 1, name: 'fields', plural: 'map', type: 'google.protobuf.Value' }, value, path);
}

function writeListValue(mistakes: Mistakes, value: unknown, path: string): void {
  writeList(mistakes, { number: 1, name: 'values', plural: 'repeated', type: 'google.protobuf.Value' }, value, path);
}

function writeValue(mistakes: Mistakes, value: unknown, path: string): void {
  if (value === null) {
    writeVarint(1, 0n);
    return;
  }
  const [number, type] = kindOf(value);
  writeElement(mistakes, { number, name: 'value', type, presence: 'kind' }, value, path);
}

function kindOf(value: unknown): [number: number, type: string] {
  if (typeof value === 'number') return [2, 'double'];
  if (typeof value === 'boolean') return [4, 'bool'];
  if (Array.isArray(value)) return [6, 'google.protobuf.ListValue'];
  return typeof value === 'object' ? [5, 'google.protobuf.Struct'] : [3, 'string'];
}

function wrapper(type: string): Content {
  return (mistakes, value, path) => writeElement(mistakes, { number: 1, name: 'value', type }, value, path);
}

/** Of a scalar or an enum; `undefined` for a message. */
function scalarOf(type: string): Scalar | undefined {
  const scalar = scalars[type];
  if (scalar) return scalar;
  const values = loadTypes().enums.get(type);
  if (values === undefined) return undefined;
  return {
    wireType: wireTypes.varint,
    get expected() {
      return `one of ${[...values.keys()].join(', ')}`;
    },
    read(value) {
      if (typeof value === 'string') return values.get(value);
      return typeof value === 'number' && [...values.values()].includes(value) ? value : undefined;
    },
  };
}

function readScalar(mistakes: Mistakes, scalar: Scalar, value: unknown, path: string): Written | undefined {
  const written = scalar.read(value);
  if (written === undefined) mistake(mistakes, path, value, scalar.expected);
  return written;
}

function writeScalar(number: number, { wireType }: Scalar, written: Written): void {
  if (wireType === wireTypes.delimited) {
    delimited(writer, number, () => writeContent(written));
  } else {
    writeContent(written);
    tag(writer, number, wireType);
  }
}

function writeContent(written: Written): void {
  if (typeof written === 'string') writer.text(written);
  else if (typeof written === 'object') writer.bytes(written);
  else writer.varint(written);
}

function writeVarint(number: number, value: bigint): void {
  writer.varint(value);
  tag(writer, number, wireTypes.varint);
}
