// JSON as it stands in Envoy's YAML → the bytes of its message, strictly: what Envoy would not know is refused here, by name.
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs/minimal.js';

/** [number, type, `repeated` | `map KEY` | `present`]; a type is a scalar, a message or an enum, by its full name. */
type Field = readonly [id: number, type: string, flag?: string];
type Table = {
  readonly messages: Readonly<Record<string, Readonly<Record<string, Field>>>>;
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
};

// The same two levels up from src/xds/ and from dist/xds/. Generated: scripts/fields.ts.
const table: Table = JSON.parse(readFileSync(new URL('../../proto/envoy-fields.json', import.meta.url), 'utf8'));

type Writer = protobuf.Writer;

/** Where a value is none of its message: `virtual_hosts[0].domain: unknown field`. */
export class EncodeError extends Error {}

/** The message `envoy.config.cluster.v3.Cluster` as bytes. Throws an EncodeError with the path of what is wrong. */
export function encode(message: string, value: unknown): Buffer {
  const writer = protobuf.Writer.create();
  writeMessage(writer, message, value, '');
  return Buffer.from(writer.finish());
}

/** `google.protobuf.Any`: a type and its bytes. */
export function encodeAny(message: string, bytes: Uint8Array): Buffer {
  const writer = protobuf.Writer.create();
  writer.uint32(tag(1, 2)).string(`type.googleapis.com/${message}`).uint32(tag(2, 2)).bytes(bytes);
  return Buffer.from(writer.finish());
}

function writeMessage(writer: Writer, message: string, given: unknown, path: string): void {
  const fields = table.messages[message];
  if (fields === undefined) throw wrong(path, `the message ${message}`, 'one that proto/envoy-fields.json has');
  const value = wellKnown(message, given, path);
  if (!isMapping(value)) throw wrong(path, given, `a mapping (${message})`);
  const entries = Object.entries(value).flatMap(([name, part]) => {
    const field = fields[name];
    if (field === undefined)
      throw wrong(join(path, name), 'an unknown field', `one of ${Object.keys(fields).join(', ')}`);
    return part === undefined || part === null ? [] : [{ name, field, part }];
  });
  entries.sort((a, b) => a.field[0] - b.field[0]);
  for (const { name, field, part } of entries) writeField(writer, field, part, join(path, name));
}

function writeField(writer: Writer, [id, type, flag]: Field, value: unknown, path: string): void {
  if (flag === 'repeated') {
    if (!Array.isArray(value)) throw wrong(path, value, 'a list');
    if (value.length === 0) return;
    if (!isPackable(type)) {
      for (const [index, part] of value.entries()) writeOne(writer, id, type, part, `${path}[${index}]`);
      return;
    }
    writer.uint32(tag(id, 2)).fork();
    for (const [index, part] of value.entries()) writeScalar(writer, type, part, `${path}[${index}]`);
    writer.ldelim();
  } else if (flag?.startsWith('map ')) {
    if (!isMapping(value)) throw wrong(path, value, 'a mapping');
    for (const [key, part] of Object.entries(value)) {
      writer.uint32(tag(id, 2)).fork();
      writeOne(writer, 1, flag.slice(4), key, path);
      writeOne(writer, 2, type, part, join(path, key));
      writer.ldelim();
    }
  } else if (flag === 'present' || !isDefault(type, value)) writeOne(writer, id, type, value, path);
}

/** Virtual hosts by their JSON: of a table of thousands one is new, and the others are the objects that they were. */
const hosts = new WeakMap<object, Buffer>();

function hostBytes(host: object, path: string): Buffer {
  const writer = protobuf.Writer.create();
  writeMessage(writer, virtualHost, host, path);
  const bytes = Buffer.from(writer.finish());
  hosts.set(host, bytes);
  return bytes;
}

const virtualHost = 'envoy.config.route.v3.VirtualHost';

function writeOne(writer: Writer, id: number, type: string, value: unknown, path: string): void {
  if (type === virtualHost && isMapping(value)) {
    writer.uint32(tag(id, 2)).bytes(hosts.get(value) ?? hostBytes(value, path));
  } else if (type in table.messages) {
    writer.uint32(tag(id, 2)).fork();
    writeMessage(writer, type, value, path);
    writer.ldelim();
  } else {
    writer.uint32(tag(id, wireTypes[type] ?? 0));
    writeScalar(writer, type, value, path);
  }
}

const wireTypes: Readonly<Record<string, number>> = {
  string: 2,
  bytes: 2,
  double: 1,
  fixed64: 1,
  float: 5,
  fixed32: 5,
};

function writeScalar(writer: Writer, type: string, value: unknown, path: string): void {
  switch (type) {
    case 'string':
      if (typeof value !== 'string') throw wrong(path, value, 'a string');
      writer.string(value);
      return;
    case 'bytes':
      if (typeof value !== 'string') throw wrong(path, value, 'bytes in base64');
      writer.bytes(Buffer.from(value, 'base64'));
      return;
    case 'bool':
      if (typeof value !== 'boolean') throw wrong(path, value, 'true or false');
      writer.bool(value);
      return;
    case 'double':
    case 'float':
      if (typeof value !== 'number') throw wrong(path, value, 'a number');
      writer[type](value);
      return;
    case 'uint32':
    case 'int32':
    case 'uint64':
    case 'int64':
      writer[type](integer(type, value, path));
      return;
    default:
      writer.int32(enumValue(type, value, path));
  }
}

const ranges = {
  uint32: [0, 2 ** 32 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint64: [0, Number.MAX_SAFE_INTEGER],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
} as const;

/** A number, or its text, as canonical JSON writes 64 bits. */
function integer(type: keyof typeof ranges, value: unknown, path: string): number {
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  const [least, most] = ranges[type];
  if (typeof number !== 'number' || !Number.isInteger(number) || number < least || number > most)
    throw wrong(path, value, `a whole number, ${least} to ${most}`);
  return number;
}

function enumValue(type: string, value: unknown, path: string): number {
  const values = table.enums[type] ?? {};
  const number = typeof value === 'string' ? values[value] : value;
  if (typeof number !== 'number' || !Object.values(values).includes(number))
    throw wrong(path, value, `one of ${Object.keys(values).join(', ')}`);
  return number;
}

/** Messages that JSON writes in a form of their own, as the fields that they have. */
function wellKnown(message: string, value: unknown, path: string): unknown {
  switch (message) {
    case 'google.protobuf.Duration':
      return duration(value, path);
    case 'google.protobuf.Any':
      return any(value, path);
    case 'google.protobuf.Struct':
      return isMapping(value) ? { fields: value } : value;
    case 'google.protobuf.ListValue':
      return { values: value };
    case 'google.protobuf.Value':
      return dynamic(value);
    default:
      return /^google\.protobuf\.\w+Value$/.test(message) ? { value } : value;
  }
}

/** `0.25s` → whole seconds and nanoseconds. */
function duration(value: unknown, path: string): unknown {
  const parts = typeof value === 'string' ? /^(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(value) : null;
  if (!parts) throw wrong(path, value, 'a duration in seconds such as "0.25s"');
  return { seconds: Number(parts[1]), nanos: Number((parts[2] ?? '').padEnd(9, '0')) };
}

function any(value: unknown, path: string): unknown {
  const { '@type': type, ...rest } = isMapping(value) ? value : {};
  if (typeof type !== 'string') throw wrong(path, value, 'a mapping with @type');
  const message = type.slice(type.lastIndexOf('/') + 1);
  const writer = protobuf.Writer.create();
  const isBare = /^google\.protobuf\.\w*(Value|Duration|Struct)$/.test(message); // its JSON is no mapping: { "@type", "value" }
  writeMessage(writer, message, isBare ? rest['value'] : rest, path);
  return { type_url: type, value: Buffer.from(writer.finish()).toString('base64') };
}

function dynamic(value: unknown): unknown {
  if (value === null) return { nullValue: 0 };
  if (typeof value === 'number') return { numberValue: value };
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Array.isArray(value) ? { listValue: value } : { structValue: value };
}

/** proto3 does not write what a field has anyway. */
function isDefault(type: string, value: unknown): boolean {
  if (type in table.messages) return false;
  return (
    value === 0 || value === '' || value === false || (type in table.enums && table.enums[type]?.[String(value)] === 0)
  );
}

function isPackable(type: string): boolean {
  return !(type in table.messages) && type !== 'string' && type !== 'bytes';
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function tag(id: number, wireType: number): number {
  return (id << 3) | wireType;
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function wrong(path: string, found: unknown, expected: string): EncodeError {
  const shown = typeof found === 'string' ? found : JSON.stringify(found)?.slice(0, 80);
  return new EncodeError(`${path || 'the whole'}: found ${shown}, expected ${expected}`);
}
